"""An endpoint that VPC Lattice refuses is its own matter: the rest of the route goes on."""

from __future__ import annotations

import json
from typing import Any

from stack.objects import conditions, dns_name, is_true, path
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

CONDITION = "application-networking.k8s.aws/RefusedTargets"
#: Of no VPC here: what a Service without a selector may lead to, a database on premises say.
OUTSIDE = "192.168.7.9"
#: A new Pod of a route with a refused endpoint is registered as fast as any.
REGISTERED_SECONDS = 3.0


def slice_of(service: str, address: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{service}-outside", "labels": {"kubernetes.io/service-name": service,
                                                               "endpointslice.kubernetes.io/managed-by": "a-test"}},
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "", "port": 8090, "protocol": "TCP"}],
    }


def refused(world: World) -> str:
    """The message of the condition; empty while there is none."""
    item = world.one.get(path("httproutes", "inventory", world.namespace))
    return next((one["message"] for one in conditions(item) if one["type"] == CONDITION), "")


def test_a_refused_endpoint_is_named_and_the_rest_of_the_route_is_programmed(world: World) -> None:
    world.gateway()
    world.roll_out("inventory-ver1")
    good = world.ready_endpoints("inventory-ver1")
    world.kubectl("apply", "-f", "-", stdin=json.dumps(slice_of("inventory-ver1", OUTSIDE)))
    world.apply("inventory-route")
    route = world.programmed("httproutes", "inventory")
    message = wait_for("the condition", lambda: refused(world), within=PROGRAMMED_SECONDS)
    assert f"{OUTSIDE}:8090" in message
    assert is_true(route, "ResolvedRefs")
    assert world.targets_made_for("inventory") == good
    world.answers(dns_name(route), "inventory-ver1 handler pod")

    world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={good + 1}")
    wait_for("the new Pod's endpoint", lambda: world.ready_endpoints("inventory-ver1"), within=PROGRAMMED_SECONDS,
             until=lambda count: count == good + 2)
    wait_for("the new Pod as a target", lambda: world.targets_made_for("inventory"), within=REGISTERED_SECONDS,
             until=lambda count: count == good + 1)
    world.quiet()
    assert OUTSIDE in refused(world), "it is told as long as it lasts"

    world.kubectl("delete", "endpointslice", "inventory-ver1-outside")
    wait_for("the condition to go", lambda: refused(world), within=PROGRAMMED_SECONDS, until=lambda left: not left)
    assert is_true(world.get("httproutes", "inventory"), "Programmed")
