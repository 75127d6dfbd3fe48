"""Routes and what they hang on: Gateways that come later, go to others or lose their class, and Services of other namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from stack.cluster import load
from stack.objects import conditions, dns_name
from stack.waiting import wait_for
from stack.world import EXAMPLES, PROGRAMMED_SECONDS, World

GATEWAY_API = "gateway.networking.k8s.io/v1"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"


def example(name: str) -> dict[str, Any]:
    (item,) = load(EXAMPLES / f"{name}.yaml")
    return item


def refs_reason(world: World, name: str) -> str:
    """The reason of the route's condition ResolvedRefs for its present generation."""
    item = world.get("httproutes", name)
    found = [c for c in conditions(item) if c["type"] == "ResolvedRefs"]
    return found[0]["reason"] if found and found[0]["observedGeneration"] == item["metadata"]["generation"] else ""


def test_a_route_applied_before_its_gateway_is_programmed_once_the_gateway_is_there(world: World) -> None:
    world.roll_out("inventory-ver1")
    world.apply("inventory-route")
    world.quiet()
    assert not world.remains()
    assert not world.get("httproutes", "inventory").get("status")
    world.gateway()
    name = dns_name(world.programmed("httproutes", "inventory"))
    world.answers(name, "inventory-ver1 handler pod")


@pytest.fixture
def foreign_gateway(world: World) -> Iterator[str]:
    """A Gateway whose class belongs to another controller."""
    name = f"foreign-{world.namespace}"
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    world.one.apply([
        {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": name}, "spec": {"controllerName": "example.com/foreign"}},
        {"apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": {"name": "foreign", "namespace": world.namespace},
         "spec": {"gatewayClassName": name, "listeners": [listener]}},
    ])
    yield "foreign"
    world.one.kubectl("delete", "gatewayclass", name, GONE)


def test_a_route_given_to_another_controllers_gateway_leaves_nothing_and_can_be_deleted(world: World, foreign_gateway: str) -> None:
    world.inventory()
    item = example("inventory-route")
    item["spec"]["parentRefs"] = [{"name": foreign_gateway}]
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))
    wait_for("nothing of the route in VPC Lattice", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    wait_for("no parent of ours in the status", lambda: world.get("httproutes", "inventory")["status"]["parents"],
             within=PROGRAMMED_SECONDS, until=lambda parents: parents == [])
    world.kubectl("delete", "httproute", "inventory", GONE)


def test_a_standalone_route_is_in_no_network_and_comes_back_under_its_domain_name(world: World) -> None:
    name = world.inventory()
    standalone, unread = (f"application-networking.k8s.aws/{name}" for name in ("standalone", "standalon"))
    service = world.service("inventory")["arn"]

    def networks() -> list[str]:
        found = world.stack.aws("vpc-lattice").list_service_network_service_associations(serviceIdentifier=service)
        return [one["serviceNetworkName"] for one in found["items"]]

    def messages() -> dict[str, str]:
        return {one["type"].rpartition("/")[2]: one["message"] for one in conditions(world.get("httproutes", "inventory"))}

    world.kubectl("annotate", "httproute", "inventory", f"{standalone}=true", f"{unread}=true")
    wait_for("the service to be in no network", networks, within=PROGRAMMED_SECONDS, until=lambda found: not found)
    told = wait_for("the condition Standalone", messages, within=PROGRAMMED_SECONDS, until=lambda told: "Standalone" in told)
    assert '"standalon" is no annotation of kind HTTPRoute' in told["Programmed"]
    world.kubectl("annotate", "httproute", "inventory", f"{standalone}-", f"{unread}-")
    wait_for("the service to be in its network again", networks, within=PROGRAMMED_SECONDS, until=lambda found: found == ["my-hotel"])
    wait_for("no condition Standalone", messages, within=PROGRAMMED_SECONDS, until=lambda told: "Standalone" not in told)
    assert dns_name(world.programmed("httproutes", "inventory")) == name
    world.answers(name, "inventory-ver1 handler pod")


@pytest.fixture
def class_is_made_again(world: World) -> Iterator[None]:
    """The class of the whole run is there again afterwards, and known to the functions."""
    yield
    world.one.kubectl("apply", "-f", str(EXAMPLES / "gatewayclass.yaml"))
    world.quiet()


@pytest.mark.usefixtures("class_is_made_again")
def test_a_gateway_and_its_route_can_be_deleted_after_their_class_and_leave_nothing(world: World) -> None:
    name = world.inventory()
    world.one.kubectl("delete", "-f", str(EXAMPLES / "gatewayclass.yaml"), GONE)
    world.quiet()
    # The class alone takes nothing away.
    world.answers(name, "inventory-ver1 handler pod")
    world.kubectl("delete", "gateway", "my-hotel", GONE)
    world.kubectl("delete", "httproute", "inventory", GONE)
    wait_for("nothing of the route in VPC Lattice", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)


def test_a_service_of_another_namespace_is_reached_only_while_a_grant_stands(world: World) -> None:
    other = World(world.stack, f"{world.namespace}-o")
    other.create()
    try:
        other.roll_out("inventory-ver1")
        world.gateway()
        item = example("inventory-route")
        item["spec"]["rules"][0]["backendRefs"][0]["namespace"] = other.namespace
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))
        name = dns_name(world.programmed("httproutes", "inventory"))
        assert refs_reason(world, "inventory") == "RefNotPermitted"
        assert world.target_groups("inventory") == []
        grant = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
                 "metadata": {"name": "routes", "namespace": other.namespace},
                 "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": world.namespace}],
                          "to": [{"group": "", "kind": "Service"}]}}
        world.one.apply([grant])
        world.answers(name, "inventory-ver1 handler pod")
        other.kubectl("delete", "referencegrant", "routes", GONE)
        wait_for("the reference to be refused again", lambda: refs_reason(world, "inventory"), within=PROGRAMMED_SECONDS,
                 until=lambda reason: reason == "RefNotPermitted")
        wait_for("no target group", lambda: world.target_groups("inventory"), within=PROGRAMMED_SECONDS, until=lambda groups: groups == [])
    finally:
        other.delete()


def test_a_gateway_named_like_a_network_of_others_joins_nothing_and_says_so(world: World) -> None:
    lattice = world.stack.aws("vpc-lattice")
    name = f"others-{world.namespace}"
    network = lattice.create_service_network(name=name, tags={"team": "somebody"})
    item = example("my-hotel-gateway")
    item["metadata"]["name"] = name
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))

    def told() -> str:
        found = [c for c in conditions(world.get("gateways", name)) if c["type"] == "Programmed"]
        return f"{found[0]['status']} {found[0]['message']}" if found else ""

    text = wait_for("a condition that names the parameter", told, within=PROGRAMMED_SECONDS, until=lambda found: "AllowedNetworks" in found)
    assert text.startswith("False ")
    assert network["arn"] in text
    world.kubectl("delete", "gateway", name, GONE)
    world.quiet()
    assert lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=network["id"])["items"] == []
    assert lattice.list_tags_for_resource(resourceArn=network["arn"])["tags"] == {"team": "somebody"}
    lattice.delete_service_network(serviceNetworkIdentifier=network["id"])
