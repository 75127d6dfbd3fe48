"""What is replaced is first deleted; clients notice nothing of it. What is really gone is gone soon after the grace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import yaml

from stack.settings import ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

from .test_traffic import no_failed_request

#: GraceSeconds of samconfig.toml's local deployment, and what a deletion takes then.
GONE_SECONDS = 5.0 + PROGRAMMED_SECONDS

#: Of examples/: what `kubectl replace --force` deletes and makes anew.
REPLACED = {
    "the Gateway": ["my-hotel-gateway"],
    "the route": ["inventory-route"],
    "all of it": ["my-hotel-gateway", "inventory-route"],
}


def files(names: Sequence[str]) -> list[str]:
    return [argument for name in names for argument in ("-f", str(ROOT / "examples" / f"{name}.yaml"))]


def uid(world: World, kind: str, name: str) -> str:
    return str(world.get(kind, name).get("metadata", {}).get("uid", ""))


@pytest.mark.parametrize("what", ["the Gateway", "the route", "all of it"])
def test_what_is_replaced_by_force_fails_no_request_and_keeps_its_domain_name(world: World, what: str) -> None:
    name = world.inventory()
    world.answers(name, "inventory-ver1 handler pod")
    before = [uid(world, "gateways", "my-hotel"), uid(world, "httproutes", "inventory")]
    with no_failed_request(world, name) as answers:
        sent = len(answers)
        world.kubectl("replace", "--force", *files(REPLACED[what]))
        assert [uid(world, "gateways", "my-hotel"), uid(world, "httproutes", "inventory")] != before
        world.programmed("gateways", "my-hotel")
        world.programmed("httproutes", "inventory")
        world.quiet(within=GONE_SECONDS)
        assert len(answers) > sent
    assert world.inventory() == name


def test_a_service_that_is_replaced_by_force_fails_no_request(world: World) -> None:
    """Its EndpointSlices go with it, and the new ones come after it."""
    name = world.inventory()
    world.answers(name, "inventory-ver1 handler pod")
    documents = yaml.safe_load_all((ROOT / "examples" / "inventory-ver1.yaml").read_text())
    (service,) = [item for item in documents if item["kind"] == "Service"]

    def made() -> str:
        return world.kubectl("get", "service", "inventory-ver1", "-o", "jsonpath={.metadata.uid}")

    before = made()
    with no_failed_request(world, name) as answers:
        sent = len(answers)
        world.kubectl("replace", "--force", "-f", "-", stdin=yaml.safe_dump(service))
        assert before and made() not in ("", before)
        wait_for("the new Service's endpoints", lambda: world.ready_endpoints("inventory-ver1"), within=PROGRAMMED_SECONDS)
        world.quiet(within=GONE_SECONDS)
        assert len(answers) > sent


def test_a_tool_that_prunes_before_it_applies_fails_no_request(world: World) -> None:
    name = world.inventory()
    world.answers(name, "inventory-ver1 handler pod")
    with no_failed_request(world, name):
        world.kubectl("delete", "service/inventory-ver1", "httproute/inventory", "gateway/my-hotel", "--wait=false")
        world.apply("my-hotel-gateway", "inventory-ver1", "inventory-route")
        world.programmed("httproutes", "inventory")
        world.quiet(within=GONE_SECONDS)
    assert world.inventory() == name


def test_what_is_deleted_answers_no_longer_than_the_grace_and_leaves_nothing(world: World) -> None:
    name = world.inventory()
    world.answers(name, "inventory-ver1 handler pod")
    world.kubectl("delete", "httproute/inventory")
    wait_for("the service to go", lambda: world.groups_made_for("inventory"), within=GONE_SECONDS, until=lambda groups: not groups)
