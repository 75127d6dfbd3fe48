"""What clients notice of a change: nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

#: Longer than the time that VPC Lattice's data plane takes here to follow its API, shorter than Trellis waits for it.
PROPAGATION = "3s"


@contextmanager
def no_failed_request(world: World, url: str) -> Iterator[list[str]]:
    """Sends one request after the other meanwhile; each must be answered by a Pod. Gives the answers so far."""
    answers: list[str] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                answers.append(world.stack.fetch(f"http://{url}"))
            except OSError as error:
                answers.append(f"failed: {error}")

    client = threading.Thread(target=send)
    client.start()
    try:
        yield answers
    finally:
        over.set()
        client.join()
    failed = [answer for answer in answers if "handler pod" not in answer]
    assert not failed, f"{len(failed)} of {len(answers)} requests failed: {failed[:3]}"


def point_at(world: World, service: str) -> None:
    """Sends the requests of the route inventory to another Service."""
    refs = [{"name": service, "kind": "Service", "port": 80}]
    patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": refs}]
    world.kubectl("patch", "httproute", "inventory", "--type=json", "--patch", json.dumps(patch))


def test_a_route_moves_to_another_service_without_a_failed_request(world: World) -> None:
    name = world.inventory()
    world.roll_out("parking")
    world.answers(name, "inventory-ver1 handler pod")
    with world.stack.delays(latency="5ms", propagation=PROPAGATION), no_failed_request(world, name) as answers:
        point_at(world, "parking")
        world.programmed("httproutes", "inventory", generation=2)
        wait_for("answers of parking", lambda: answers[-1], within=PROGRAMMED_SECONDS, until=lambda body: "parking handler pod" in body)
        wait_for("the old target group to go", lambda: world.groups_made_for("inventory"), within=PROGRAMMED_SECONDS,
                 until=lambda groups: len(groups) == 1)
    assert any("inventory-ver1" in answer for answer in answers)


def test_a_namespaces_new_label_lets_its_routes_in_without_a_drift_pass(world: World) -> None:
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "my-hotel"},
        "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": [
            {"name": "http", "protocol": "HTTP", "port": 80,
             "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"guests": world.namespace}}}}},
        ]},
    }
    with world.stack.no_schedule():
        world.kubectl("apply", "-f", "-", stdin=json.dumps(gateway))
        world.roll_out("inventory-ver1")
        world.apply("inventory-route")
        wait_for("the route to be refused", lambda: world.accepted("inventory"), within=PROGRAMMED_SECONDS,
                 until=lambda reason: reason == "NotAllowedByListeners")
        world.quiet()
        world.one.kubectl("label", "namespace", world.namespace, f"guests={world.namespace}")
        world.programmed("httproutes", "inventory")


def test_a_new_pod_is_registered_while_the_old_targets_drain(world: World) -> None:
    world.inventory()
    world.roll_out("parking")

    with world.stack.delays(latency="5ms", drain="25s"):
        point_at(world, "parking")
        wait_for("the old targets to drain", lambda: world.targets_made_for("inventory", draining=True), within=PROGRAMMED_SECONDS)
        before = world.targets_made_for("inventory")
        world.kubectl("scale", "deployment/parking", f"--replicas={before + 1}")
        # A message that waited in the route's group for the draining would hold the new Pod's up for 15 s.
        wait_for("the new Pod's target", lambda: world.targets_made_for("inventory"), within=12.0, until=lambda found: found == before + 1)
        assert world.targets_made_for("inventory", draining=True)
