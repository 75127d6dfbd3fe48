"""Starts a stack, runs the suite of `conformance_test.go` on its first cluster, and ends the stack.

    python -m conformance [--run-test NAME] [--report FILE] [--profiles P,P] [--prebuilt]

The status is 0 when exactly those tests failed that failures.yaml names, and exactly those were skipped that skips.yaml names.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from stack.build import left_in
from stack.settings import ROOT, LatticeDelays, Settings
from stack.stack import Stack, report, running
from stack.waiting import wait_for

from .verdict import Lists, Outcome, explain, judge

HERE = Path(__file__).resolve().parent
REPORT = HERE / "reports" / "report.yaml"
CLASS = "amazon-vpc-lattice"
PROFILES = "GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS"
PROJECT = {"organization": "trellis-lattice", "project": "trellis", "url": "https://github.com/trellis-lattice/trellis",
           "contact": "https://github.com/trellis-lattice/trellis/issues", "version": "v0.1.0"}

#: Quotas as an account has them that asked AWS to raise them: in the emulated VPC Lattice, and in what Trellis is told of it.
QUOTAS = {"rules-per-listener": 100, "target-groups-per-service": 50, "listeners-per-service": 10}
LIMITS = {"rulesPerListener": 100, "targetGroupsPerService": 50, "listenersPerService": 10}
#: How Trellis shares routes out among VPC Lattice services: the suite asks for all routes of a Gateway at its first address.
SERVICE_PER = "hostname"
#: VPC Lattice without delays: the suite's default timeouts are for proxies that are there already.
DELAYS = LatticeDelays(latency="0", transitions={"all": "0"})
#: The class is accepted by the first hint, which starts the function.
CLASS_SECONDS = 60.0
#: The whole suite takes about a quarter of this on two cores.
SUITE_MINUTES = 60


def main() -> int:
    """Parses the arguments, runs the suite, says what it showed and returns the status."""
    arguments = _arguments()
    lists = Lists.read(HERE)
    settings = Settings("conf", DELAYS)
    with running(settings, left_in(settings.state.parent / "build") if arguments.prebuilt else None) as stack:
        set_options(stack)
        accept_class(stack)
        written, log = stack.logs / "report.yaml", stack.logs / "suite.log"
        status = run_suite(stack, arguments, written, log)
    whole = not arguments.run_test and arguments.profiles == PROFILES
    found: dict[str, Any] | None = yaml.safe_load(written.read_text()) if written.exists() else None
    # Part of a run is not what the page tells of.
    keep = arguments.report or (REPORT if whole else None)
    if keep and found is not None:
        shutil.copyfile(written, keep)
        report(f"the report: {keep}")
    with log.open() as lines:
        verdict = judge(lists, Outcome.of(lines), status, found, whole=whole)
    print(explain(lists, verdict, found if whole else None))
    return 0 if verdict.as_stated else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="Runs the Gateway API conformance suite on the local stack.")
    parser.add_argument("--run-test", default="", help="one test, by its short name")
    parser.add_argument("--profiles", default=PROFILES, help="conformance profiles, separated by commas")
    parser.add_argument("--report", type=Path, help="where the ConformanceReport goes; of a whole run, reports/report.yaml")
    parser.add_argument("--prebuilt", action="store_true", help="take the programs that an earlier build left")
    return parser.parse_args()


def set_options(stack: Stack) -> None:
    """Raises the quotas of VPC Lattice and the limits that the functions know, and says what has a service of its own."""
    stack.emulator.configure(quotas=QUOTAS)
    functions = stack.aws("lambda")
    for name in (stack.outputs.reconcile_function, stack.outputs.drift_function):
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables["TRELLIS_LIMITS"] = json.dumps(LIMITS)
        variables["TRELLIS_SERVICE_PER"] = SERVICE_PER
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def accept_class(stack: Stack) -> None:
    """Makes the GatewayClass and waits for its features, from which the suite chooses its tests."""
    first = stack.clusters[0]
    first.kubectl("apply", "-f", str(ROOT / "examples" / "gatewayclass.yaml"))

    def features() -> object:
        return first.get(f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}").get("status", {}).get("supportedFeatures")

    wait_for(f"supportedFeatures of GatewayClass {CLASS}", features, within=CLASS_SECONDS)


def run_suite(stack: Stack, arguments: argparse.Namespace, written: Path, log: Path) -> int:
    """Runs `go test`; its output goes to the terminal and into `log`, the ConformanceReport into `written`."""
    env = stack.environment() | {
        "LATTICE_CONTROL_URL": stack.emulator.url,
        "LATTICE_DATA_PORT": str(stack.emulator.data_port),
        "GOFLAGS": "-trimpath -buildvcs=false",
    }
    command = ["go", "test", "-count=1", "-v", f"-timeout={SUITE_MINUTES}m", "-run=TestConformance", ".", f"-gateway-class={CLASS}",
               f"-conformance-profiles={arguments.profiles}", f"-report-output={written.resolve()}", f"-mode=service-per-{SERVICE_PER}"]
    command += [f"-{name}={value}" for name, value in PROJECT.items()]
    if arguments.run_test:
        command.append(f"-run-test={arguments.run_test}")
    with log.open("w") as file, subprocess.Popen(command, cwd=HERE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                                 stdin=subprocess.DEVNULL, text=True) as suite:
        assert suite.stdout is not None
        for line in suite.stdout:
            file.write(line)
            file.flush()
            if line.lstrip().startswith(("--- ", "=== RUN", "ok", "FAIL", "PASS")):
                print(line, end="", flush=True)
    report(f"the whole log: {log}")
    return suite.returncode


if __name__ == "__main__":
    sys.exit(main())
