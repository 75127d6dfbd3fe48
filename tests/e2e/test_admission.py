"""What `kubectl apply` prints at once, before anything was reconciled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
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
    return [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]


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
