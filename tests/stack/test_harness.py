"""The parts of the harness that decide something by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack.environment import free_ports, inherited
from stack.loopback import Claim
from stack.objects import describe, dns_name, gateway_arn, is_true
from stack.processes import Process, run
from stack.settings import ROOT
from stack.waiting import Expectation, wait_for
from stack.webhook import manifests, metric_sum

METRICS = """\
# HELP reviews_total Reviews
reviews_total{name="a",code="200"} 3
reviews_total{name="b",code="200"} 4
reviews_total{name="b",code="500"} 1e+00
other_total 7
"""


def route(observed: int, message: str = "") -> dict[str, object]:
    condition = {"type": "Programmed", "status": "True", "observedGeneration": observed, "reason": "Programmed", "message": message}
    return {"metadata": {"generation": 2}, "status": {"parents": [{"conditions": [condition]}]}}


def test_a_metric_is_summed_over_the_series_with_all_labels() -> None:
    assert metric_sum(METRICS, "reviews_total", 'code="200"') == 7
    assert metric_sum(METRICS, "reviews_total", 'name="b"') == 5
    assert metric_sum(METRICS, "other_total") == 7
    assert metric_sum(METRICS, "absent_total") == 0


def test_a_condition_counts_only_for_the_present_generation() -> None:
    assert is_true(route(observed=2), "Programmed")
    assert not is_true(route(observed=1), "Programmed")
    assert not is_true({"metadata": {"generation": 1}}, "Programmed")


@pytest.mark.parametrize("message", ["DNS Name: a.b.on.aws", "DNS Name: a.b.on.aws.", "It runs. DNS Name: a.b.on.aws, since now"])
def test_the_dns_name_is_read_from_a_conditions_message(message: str) -> None:
    assert dns_name(route(2, message)) == "a.b.on.aws"
    assert dns_name(route(2)) == ""


def test_the_service_networks_arn_is_read_from_a_gateways_message() -> None:
    arn = "arn:aws:vpc-lattice:us-west-2:000000000000:servicenetwork/sn-0123456789abcdef0"
    item = {"metadata": {}, "status": {"conditions": [{"type": "Programmed", "status": "True", "message": f"aws-gateway-arn: {arn}"}]}}
    assert gateway_arn(item) == arn
    assert "Programmed=True" in describe(item)


def test_a_wait_that_ends_in_vain_says_what_was_expected_and_what_was_seen() -> None:
    with pytest.raises(Expectation, match=r"expected: tea, within 0 s\n    seen: coffee"):
        wait_for("tea", lambda: "coffee", until=lambda cup: cup == "tea", within=0)


def test_a_failed_command_tells_its_status_and_output() -> None:
    with pytest.raises(Expectation, match="status 3\nwhy"):
        run(["bash", "-c", "echo why; exit 3"], env=inherited())


def test_no_variable_of_a_real_account_or_cluster_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "KUBECONFIG"):
        monkeypatch.setenv(name, "real")
    assert "real" not in inherited().values()


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_two_stacks_get_different_loopback_prefixes() -> None:
    first, second = Claim(), Claim()
    assert abs(first.octet - second.octet) >= 2
    first.release()
    second.release()


def test_a_process_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process("early", ["bash", "-c", "echo reason >&2; exit 4"], env=inherited(), logs=tmp_path)
    with pytest.raises(Expectation, match="status 4:\nreason"):
        process.ready_line(within=10)


def test_a_stopped_or_deaf_process_is_ended_all_the_same(tmp_path: Path) -> None:
    process = Process("paused", ["bash", "-c", "echo READY; sleep 1000"], env=inherited(), logs=tmp_path)
    process.ready_line(within=10)
    process.signal(signal.SIGSTOP)
    process.stop()
    assert not process.running()


def test_a_child_does_not_outlive_a_killed_harness(tmp_path: Path) -> None:
    script = ("import sys, os; from pathlib import Path; from stack.processes import Process; from stack.environment import inherited\n"
              f"p = Process('child', ['sleep', '1000'], env=inherited(), logs=Path({str(tmp_path)!r})); print(p.pid, flush=True)\n"
              "os.kill(os.getpid(), 9)")
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT / "tests")}, capture_output=True,
                          text=True, check=False, timeout=30)
    pid = int(done.stdout)

    def gone() -> bool:
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_for(f"process {pid} to be gone", gone, within=10)


def test_the_api_server_is_told_a_url_in_place_of_the_service() -> None:
    found = manifests("https://127.0.0.1:1/validate")
    assert found[0]["kind"] == "Namespace"
    (configuration,) = [item for item in found if item["kind"] == "ValidatingWebhookConfiguration"]
    assert {str(hook["clientConfig"]) for hook in configuration["webhooks"]} == {"{'url': 'https://127.0.0.1:1/validate'}"}
    assert not [item for item in found if item["kind"] == "Deployment"]
