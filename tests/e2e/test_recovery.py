"""What was away comes back, the webhook or the functions, and all that happened meanwhile is made good; what never can be is given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic
from typing import Any
from urllib.error import HTTPError

import pytest

from stack.objects import dns_name, gateway_arn
from stack.pollers import pollers
from stack.stack import Stack
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

#: Half of the Pods that change while the webhook is away: all of these go, and as many come.
PODS = 10
RIGHT_AFTER_START_SECONDS = 10.0
ROUTES = 50
#: A few on an idle machine: the Pods end first.
NAMESPACE_GONE_SECONDS = 30.0
LEFT_NOTHING_SECONDS = 60.0
#: Batches side by side while the functions work.
POLLERS = 4
#: A delete that is refused is tried in at most three looks, the last ones 15 s and 30 s later (shared/engine/src/verdict.rs).
LOOKS_MAX = 3
#: Within a look it is tried a few times, each after everything was read anew; that takes less than a second each.
LOOK_SECONDS = 5.0
PAUSE_SECONDS_MIN = 10.0
GIVEN_UP_SECONDS = 90.0


@dataclass
class Refused:
    """A network of ours that has nothing of ours any more and that a stranger's service is in."""

    world: World
    network: str
    #: The emulator's calls from before its Gateway was deleted.
    mark: int


@pytest.fixture(scope="module", autouse=True)
def refused(stack: Stack) -> Iterator[Refused]:
    """Its deletion is tried while the other tests of this file run: the waits between the tries are the longest there are."""
    world, lattice = World(stack, "recovery"), stack.aws("vpc-lattice")
    world.create()
    # The first cluster's VPC has its one network.
    world.apply("gatewayclass", cluster=world.two)
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "lobby"},
               "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}
    with stack.no_schedule():
        world.kubectl("apply", "-f", "-", stdin=json.dumps(gateway), cluster=world.two)
        network = wait_for("the network's ARN", lambda: gateway_arn(world.get("gateways", "lobby", world.two)), within=PROGRAMMED_SECONDS)
        service = lattice.create_service(name="stranger")
        wait_for("the stranger to be active", lambda: lattice.get_service(serviceIdentifier=service["arn"])["status"],
                 within=PROGRAMMED_SECONDS, until=lambda status: status == "ACTIVE")
        made = lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service["arn"])
        mark = stack.emulator.mark()
        world.kubectl("delete", "gateway", "lobby", cluster=world.two)
        yield Refused(world, network, mark)
        lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=made["id"])
        wait_for("the stranger to have left", lambda: lattice.list_service_network_service_associations(
            serviceNetworkIdentifier=network)["items"], within=PROGRAMMED_SECONDS, until=lambda left: not left)
        lattice.delete_service(serviceIdentifier=service["arn"])
        world.drift_pass()
        wait_for("the network to go once nobody is in it", lambda: networks(stack), within=PROGRAMMED_SECONDS,
                 until=lambda found: network not in found)
        world.two.kubectl("delete", "gatewayclass", "amazon-vpc-lattice")
    world.delete()


def networks(stack: Stack) -> list[str]:
    return [item["arn"] for item in stack.aws("vpc-lattice").list_service_networks()["items"]]


def targets(world: World) -> set[str]:
    found = [target for group in world.groups_made_for("inventory") for target in group["targets"]]
    return {target["id"] for target in found if target["status"] != "DRAINING"}


def endpoints(world: World) -> set[str]:
    found = world.one.get(f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices")["items"]
    ready = [one for item in found for one in item.get("endpoints") or [] if one["conditions"].get("ready")]
    return {address for one in ready for address in one["addresses"]}


def scale(world: World, pods: int) -> set[str]:
    """The addresses of the Service's Pods once there are so many."""
    world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={pods}")
    return wait_for(f"{pods} endpoints", lambda: endpoints(world), within=PROGRAMMED_SECONDS, until=lambda found: len(found) == pods)


def test_what_changed_while_the_webhook_was_killed_is_right_within_10_seconds_of_its_start(world: World, stack: Stack) -> None:
    """Twenty Pods and a new route. It is away for as long as they take: that it is, and not for how long, is what counts."""
    world.gateway()
    world.roll_out("inventory-ver1")
    world.apply("inventory-route")
    old = scale(world, PODS)
    name = dns_name(world.programmed("httproutes", "inventory"))
    wait_for("the targets", lambda: targets(world), within=PROGRAMMED_SECONDS, until=lambda found: found == old)
    hook = stack.webhooks[0]
    assert hook.process is not None
    hook.process.kill()
    try:
        scale(world, 0)
        new = scale(world, PODS)
        world.apply("rate-route-path")
        assert not old & new
        assert targets(world) == old
    finally:
        began = monotonic()
        stack.start_webhook(hook)
    wait_for("the new Pods' addresses as targets", lambda: targets(world), within=RIGHT_AFTER_START_SECONDS,
             until=lambda found: found == new)
    print(f"targets are right {monotonic() - began:.1f} s after the webhook's start")
    hook.wait_ready()
    world.answers(name, "inventory-ver1 handler pod")
    world.programmed("httproutes", "rates")


def services_and_groups(world: World) -> tuple[int, int]:
    state = world.stack.emulator.state()
    services, groups = ([item for item in state[kind] if f"/{world.namespace}/" in item.get("tags", {}).get("trellis:key", "")]
                        for kind in ("services", "targetGroups"))
    return len(services), len(groups)


def test_a_namespace_with_50_routes_that_is_deleted_while_the_functions_are_off_is_gone_and_leaves_nothing(world: World) -> None:
    world.gateway()
    world.roll_out("inventory-ver1")
    refs = [{"name": "inventory-ver1", "kind": "Service", "port": 80}]
    spec = {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}], "rules": [{"backendRefs": refs}]}
    items = [{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": f"route-{number}"}, "spec": spec}
             for number in range(ROUTES)]
    with pollers(world.stack, POLLERS) as functions:
        world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        wait_for("all routes in VPC Lattice", lambda: services_and_groups(world), within=LEFT_NOTHING_SECONDS,
                 until=lambda found: found == (ROUTES, ROUTES))
        functions.stop()
        began = monotonic()
        world.one.kubectl("delete", "namespace", world.namespace, "--wait=false")
        wait_for("the namespace to be gone", lambda: not exists(world), within=NAMESPACE_GONE_SECONDS)
        gone = monotonic() - began
        assert services_and_groups(world) == (ROUTES, ROUTES)
        functions.start()
        began = monotonic()
        wait_for("nothing of the namespace in VPC Lattice", world.remains, within=LEFT_NOTHING_SECONDS, until=lambda left: not left)
        print(f"gone from Kubernetes after {gone:.1f} s, from VPC Lattice {monotonic() - began:.1f} s after the functions' return")
    world.create()


def exists(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with suppress(HTTPError):
        found = world.one.get(f"/api/v1/namespaces/{world.namespace}")
    return found


def test_a_network_that_vpc_lattice_does_not_delete_is_tried_a_few_times_and_then_left(refused: Refused) -> None:
    stack = refused.world.stack
    wait_for("nothing to be under way", refused.world.queue_length, within=GIVEN_UP_SECONDS, until=lambda length: length == 0)
    tries = stack.emulator.times("DeleteServiceNetwork", refused.mark)
    pauses = [later - earlier for earlier, later in pairwise(tries) if later - earlier > LOOK_SECONDS]
    print(f"{len(tries)} tries, pauses of {', '.join(f'{pause:.0f}' for pause in pauses)} s")
    assert tries and 0 < len(pauses) < LOOKS_MAX
    assert pauses == sorted(pauses) and pauses[0] >= PAUSE_SECONDS_MIN
    assert refused.network in networks(stack)
    assert refused.world.queue_length(stack.outputs.dead_letter_queue_url) == 0
