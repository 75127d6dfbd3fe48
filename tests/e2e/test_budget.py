"""What one route may cost: the figures of the AWS controller for the same are 40 calls and 12.5 s."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from stack.objects import Observer, path
from stack.stack import Stack
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

#: Of VPC Lattice.
CALLS_MAX = 18
DNS_NAME_SECONDS_MAX = 7.0
#: A webhook tells the queue twice of what it may have missed, the second time in the next minute but a clock's skew.
LOOK_OWED_SECONDS = 130.0
#: Pods of the test before have half a minute to end, and each that goes is told to its route, which is looked at.
NAMESPACE_GONE_SECONDS = 90.0


def leaving(stack: Stack) -> list[str]:
    """The namespaces that are being deleted."""
    all_of = [json.loads(cluster.kubectl("get", "namespaces", "--output=json"))["items"] for cluster in stack.clusters]
    return [one["metadata"]["name"] for items in all_of for one in items if one["status"].get("phase") == "Terminating"]


@pytest.fixture
def real_delays(stack: Stack) -> Iterator[None]:
    """50 ms a call and an association that takes 5 s; nothing whose calls would be counted with the route's: no scheduled pass, no look
    that a webhook asks for after its start, and no end of what another test has made."""
    for webhook in stack.webhooks:
        wait_for("a webhook to owe no look", webhook.owes_a_look, within=LOOK_OWED_SECONDS, until=lambda owed: not owed)
    wait_for("the namespaces of other tests to be gone", lambda: leaving(stack), within=NAMESPACE_GONE_SECONDS, every=1.0,
             until=lambda left: not left)
    with stack.delays(latency="50ms", association="5s"), stack.no_schedule():
        yield


@pytest.mark.usefixtures("real_delays")
def test_a_route_needs_at_most_18_calls_and_has_its_dns_name_within_7_seconds(world: World) -> None:
    world.gateway()
    world.roll_out("inventory-ver1")
    world.quiet()
    before = world.stack.emulator.mark()
    with Observer(world.one, path("httproutes", "inventory", world.namespace)) as seen:
        world.apply("inventory-route")
        wait_for("the route to be Programmed", lambda: seen.times.programmed, within=PROGRAMMED_SECONDS)
    world.quiet()
    calls = world.stack.emulator.operations(before)
    assert seen.times.dns_name is not None
    print(f"{calls.total()} calls: {dict(sorted(calls.items()))}; DNS name after {seen.times.dns_name:.1f} s,"
          f" Programmed after {seen.times.programmed:.1f} s")
    assert calls.total() <= CALLS_MAX, dict(calls)
    assert seen.times.dns_name <= DNS_NAME_SECONDS_MAX
