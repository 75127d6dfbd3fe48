"""What `kubectl apply` prints at once, before anything was reconciled."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from stack.environment import inherited
from stack.objects import conditions
from stack.waiting import wait_for
from stack.world import EXAMPLES, World

#: kubectl waits for one review of at most a second; the rest is for a loaded machine.
APPLY_SECONDS = 30
#: Two hints, two reads.
REFUSED_SECONDS = 40.0
#: What a warning begins with: the code of what it is about.
CODE = re.compile(r"^TRL[0-9]{4} ")


@pytest.fixture(autouse=True)
def nothing_is_under_way_afterwards(world: World) -> Iterator[None]:
    """The namespace ends seconds later, in the midst of the next test, which may count the calls that this costs."""
    yield
    world.kubectl("delete", "httproutes,gateways", "--all")
    world.quiet()


def warnings(world: World, item: dict[str, Any]) -> list[str]:
    """Applies an object as a person does and returns the warnings that kubectl prints."""
    argv = ["kubectl", "--kubeconfig", str(world.one.kubeconfig), "--namespace", world.namespace, "apply", "-f", "-"]
    done = subprocess.run(argv, env=inherited(), input=yaml.safe_dump(item), capture_output=True, text=True, check=False,
                          timeout=APPLY_SECONDS)
    assert done.returncode == 0, done.stderr
    told = [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    # The API server has words of its own for FQDN endpoints.
    told = [line for line in told if not line.endswith("endpoints are deprecated")]
    assert all(CODE.match(warning) for warning in told), told
    return [CODE.sub("", warning) for warning in told]


def inventory(**rule: Any) -> dict[str, Any]:
    """The guide's route with other members in its only rule."""
    item: dict[str, Any] = yaml.safe_load((EXAMPLES / "inventory-route.yaml").read_text())
    item["spec"]["rules"][0].update(rule)
    return item


QUERY = {"matches": [{"queryParams": [{"name": "color", "value": "red"}]}]}
FILTER = {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "1"}]}}]}
TIMEOUT = {"timeouts": {"request": "10s"}}


@pytest.mark.parametrize(("rule", "field"), [
    (QUERY, "spec.rules[0].matches[0].queryParams: "), (FILTER, "spec.rules[0].filters[0]: "), (TIMEOUT, "spec.rules[0].timeouts: "),
], ids=["query", "filter", "timeout"])
def test_a_rule_that_vpc_lattice_cannot_do_is_warned_of_by_its_field(world: World, rule: dict[str, Any], field: str) -> None:
    (warning,) = warnings(world, inventory(**rule))
    assert warning.startswith(field)


def test_a_route_without_fault_is_applied_without_a_warning(world: World) -> None:
    assert warnings(world, inventory()) == []


def test_the_status_says_the_same_as_the_warning(world: World) -> None:
    world.gateway()
    (warning,) = warnings(world, inventory(**QUERY))

    def accepted() -> list[str]:
        found = conditions(world.get("httproutes", "inventory"))
        return [each["message"] for each in found if (each["type"], each["status"]) == ("Accepted", "False")]

    wait_for("the route to be refused", accepted, within=REFUSED_SECONDS, until=lambda found: found == [warning])


def route(name: str, **spec: Any) -> dict[str, Any]:
    """A route on the Gateway of the test."""
    parent = {"name": "my-hotel", **spec.pop("parent", {})}
    rules = [{"backendRefs": [{"name": "inventory-ver1", "port": 80}]}]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
            "spec": {"parentRefs": [parent], "rules": rules, **spec}}


def listener(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "protocol": "HTTP", "port": 80, **more}


def gateway(world: World, *listeners: dict[str, Any]) -> None:
    """A Gateway with these listeners, that the webhook has seen: its watch is a moment behind, and the status was written after."""
    found = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "my-hotel"},
             "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": list(listeners)}}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(found))
    world.programmed("gateways", "my-hotel")


def slice_by_hand(address: str, kind: str) -> dict[str, Any]:
    """Loopback and link-local addresses an API server refuses by itself, so what is left is a name."""
    labels = {"kubernetes.io/service-name": "inventory-ver1", "endpointslice.kubernetes.io/managed-by": "a-person"}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": f"by-hand-{kind.lower()}", "labels": labels},
            "addressType": kind, "endpoints": [{"addresses": [address]}], "ports": [{"name": "http", "port": 8090}]}


def test_a_route_that_an_older_one_shadows_is_warned_of_by_its_name(world: World) -> None:
    gateway(world, listener("http"))
    hostnames = [f"shop.{world.namespace}.example.test"]
    assert warnings(world, route("older", hostnames=hostnames)) == []
    # Times of creation are whole seconds, and of two of one second the name decides: the next one is made in another.
    made = datetime.fromisoformat(world.get("httproutes", "older")["metadata"]["creationTimestamp"])
    wait_for("the second to be over", lambda: datetime.now(UTC) - made >= timedelta(seconds=1), within=REFUSED_SECONDS)
    wait_for("the older route's status", lambda: world.accepted("older"), within=REFUSED_SECONDS)
    (warning,) = warnings(world, route("shadowed", hostnames=hostnames))
    assert warning.startswith(f"spec.rules[0]: HTTPRoute {world.namespace}/older is older and matches the same requests")
    # What takes nothing of what the older one has is not warned of.
    rules = [{"matches": [{"path": {"type": "PathPrefix", "value": "/own"}}], "backendRefs": [{"name": "inventory-ver1", "port": 80}]}]
    assert warnings(world, route("shadowed", hostnames=hostnames, rules=rules)) == []


def test_a_parent_that_refuses_a_route_is_warned_of(world: World) -> None:
    selector = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"guests": "welcome"}}}}
    gateway(world, listener("http", hostname="*.example.test"), listener("guests", port=81, allowedRoutes=selector))
    refused = {
        "has no listener of that sectionName and port": route("r", parent={"sectionName": "https"}),
        "No listener of Gateway": route("r", parent={"sectionName": "guests"}),
        "None is within a hostname of a listener": route("r", parent={"sectionName": "http"}, hostnames=["a.example.com"]),
    }
    for sentence, item in refused.items():
        (warning,) = warnings(world, item)
        assert sentence in warning and f"{world.namespace}/my-hotel" in warning


def test_a_parent_that_does_not_give_all_is_warned_of(world: World) -> None:
    pay = f"pay.{world.namespace}.example.test"
    gateway(world, listener("all"), listener("pay", hostname=pay))
    (warning,) = warnings(world, route("r", parent={"sectionName": "all"}, hostnames=[pay, f"shop.{world.namespace}.example.test"]))
    assert warning.startswith(f'spec.hostnames: Requests for "{pay}" come to the listener "pay"')


def test_a_tag_that_is_left_out_is_warned_of(world: World) -> None:
    item = route("r")
    item["metadata"]["annotations"] = {"application-networking.k8s.aws/tags": "AWS:team=web,team=web"}
    (warning,) = warnings(world, item)
    assert 'The tag "AWS:team=web" is left out' in warning


def test_an_endpoint_that_gets_no_requests_is_warned_of_at_its_slice_and_at_the_route_that_leads_there(world: World) -> None:
    gateway(world, listener("http"))
    world.apply("inventory-ver1")
    # An API server has a word of its own on this type of address.
    told = warnings(world, slice_by_hand("build-7.example.test", "FQDN"))
    assert any('"build-7.example.test" is no address of a VPC' in warning for warning in told)

    def of_route() -> list[str]:
        world.kubectl("delete", "httproute", "r", "--ignore-not-found")
        return warnings(world, route("r"))

    # The watch shows the slice a moment later.
    (warning,) = wait_for("the slice to be seen", of_route, within=REFUSED_SECONDS)
    assert 'Service "inventory-ver1" has the endpoint "build-7.example.test"' in warning
    assert warnings(world, slice_by_hand("10.0.0.9", "IPv4")) == []
