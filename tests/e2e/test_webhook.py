"""The webhook may be gone and SQS may be down: no request to the API server ever fails for it, and no change is lost."""

from __future__ import annotations

import signal
import subprocess

from stack.cluster import Cluster
from stack.environment import inherited
from stack.stack import Stack
from stack.waiting import wait_for
from stack.webhook import Webhook, metric_sum
from stack.world import PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

#: Nothing listens there.
DEAD_ENDPOINT = "http://127.0.0.1:9"


def webhook_errors(cluster: Cluster) -> tuple[int, int]:
    """What the API server counted: calls that failed and were let pass, and requests that a webhook refused."""
    metrics = cluster.get("/metrics")
    return (metric_sum(metrics, "apiserver_admission_webhook_fail_open_count"),
            metric_sum(metrics, "apiserver_admission_webhook_rejection_count"))


def touch(world: World, cluster: Cluster, value: str) -> str:
    """Applies the Gateway with another label, as a person would; returns all that kubectl printed."""
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "--namespace", world.namespace, "label", "gateway", "my-hotel",
            f"touched={value}", "--overwrite"]
    done = subprocess.run(argv, env=inherited(), capture_output=True, text=True, check=True, timeout=30)
    return done.stdout + done.stderr


def reviews(hook: Webhook) -> int:
    return hook.reviews()


def test_kubectl_and_the_api_server_see_no_error_while_nothing_listens_at_sqs(world: World, stack: Stack) -> None:
    hook = stack.webhooks[1]
    world.apply("my-hotel-gateway", cluster=world.two)
    assert hook.process is not None
    hook.process.stop()
    stack.start_webhook(hook, DEAD_ENDPOINT)
    hook.wait_ready()
    before, seen = webhook_errors(world.two), reviews(hook)
    for number in range(20):
        printed = touch(world, world.two, str(number))
        assert printed == "gateway.gateway.networking.k8s.io/my-hotel labeled\n"
    assert reviews(hook) >= seen + 20
    assert webhook_errors(world.two) == before
    hook.process.stop()
    stack.start_webhook(hook)
    hook.wait_ready()


def test_a_change_made_while_sqs_hangs_is_sent_when_it_answers_again(world: World, stack: Stack) -> None:
    world.gateway()
    world.roll_out("inventory-ver1")
    world.quiet()
    before, seen = webhook_errors(world.one), reviews(stack.webhooks[0])
    stack.ministack.process.signal(signal.SIGSTOP)
    try:
        world.apply("inventory-route")
        assert reviews(stack.webhooks[0]) > seen
        assert webhook_errors(world.one) == before
        assert world.get("httproutes", "inventory")
    finally:
        stack.ministack.process.signal(signal.SIGCONT)
    world.programmed("httproutes", "inventory", within=SCHEDULED_SECONDS)


def test_a_deleted_namespace_takes_its_services_with_it(world: World) -> None:
    world.rates()
    world.one.kubectl("delete", "namespace", world.namespace, "--timeout=60s")
    # The reviews of a namespace's deletion name no object: the webhook reads the name from the old one.
    wait_for("nothing of the namespace", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    world.create()
