"""From the AWS Gateway API Controller to Trellis and back: no request fails, and every domain name stays."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stack.peer import CONTROLLER_SECONDS, PREFIX, Controller, Peer, Route
from stack.pollers import Pollers, pollers
from stack.processes import run
from stack.settings import ROOT
from stack.traffic import Traffic
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

REGISTERED = "trellis:registered"
POLLERS = 4
#: The program of the real controller, if there is one.
CONTROLLER = os.environ.get("TRELLIS_PEER_CONTROLLER", "")
ROUTES = (
    Route("inventory", [("inventory-ver1", 10)]),
    Route("a-route-with-a-long-name", [("inventory-ver1", 1)]),
    Route("shop", [("parking", 1)], hostname="shop.example.com"),
    Route("rates", [("parking", 90), ("review", 10)]),
    Route("old", [("review", 1)], is_old=True),
)
#: What each process of the way is shown under.
PODS = {"inventory-ver1 handler pod", "parking handler pod", "review handler pod"}


def migrate(world: World, what: str, *arguments: str) -> dict[str, Any]:
    """Runs the command as a person does, with a person's credentials."""
    argv = [sys.executable, "-m", "migrate", what, "--cluster", world.one.spec.name, "--context", world.one.spec.name, "--output", "json"]
    said: dict[str, Any] = json.loads(run([*argv, *arguments], env=world.stack.environment(), cwd=ROOT))
    return said


@contextmanager
def unregistered(world: World, functions: Pollers) -> Iterator[None]:
    """The cluster as it is before Trellis: nobody has registered it. It is registered in the end."""
    eks, arn = world.stack.aws("eks"), world.one.spec.arn
    eks.untag_resource(resourceArn=arn, tagKeys=[REGISTERED])
    functions.start_cold()
    try:
        yield
    finally:
        eks.tag_resource(resourceArn=arn, tags={REGISTERED: "true"})
        functions.start_cold()


def owned(world: World) -> list[dict[str, Any]]:
    """Services, listeners, rules, associations and target groups of the namespace that are Trellis', and those that are not."""
    state = world.stack.emulator.state()
    return [one for one in state["services"] + state["targetGroups"] if world.namespace in json.dumps(one.get("tags", {}))]


def of_trellis(world: World) -> set[str]:
    return {one["id"] for one in owned(world) if "trellis:owner" in one["tags"]}


def test_a_cluster_moves_to_trellis_and_back_without_a_failed_request(world: World) -> None:
    peer = Peer(world)
    with ExitStack() as scene:
        functions = scene.enter_context(pollers(world.stack, POLLERS))
        with unregistered(world, functions):
            prepare(world)
            services = {route.name: peer.route(route) for route in ROUTES}
            export = peer.target_group("inventory-ver1", SourceTypeKey="ServiceExport")
            traffic = clients(world, services, scene)
            said = adopt(world)
            assert [one["why"] for one in said["left"] if one["arn"].endswith(export)] \
                == ["its export is not there any more: the controller left it behind"]
        taken_over(world, services)
        # And back.
        with unregistered(world, functions):
            migrate(world, "release", "--yes")
            assert of_trellis(world) == set()
            found = owned(world)
            assert all(one["tags"].get(f"{PREFIX}ManagedBy") == peer.managed_by for one in found), found
            nobody_noticed(traffic)
            world.kubectl("delete", "httproutes", "--all")
            remove(world)


@pytest.mark.skipif(not CONTROLLER, reason="make migration CONTROLLER=<program> runs it beside the real controller")
def test_the_real_controller_hands_over_and_takes_back_without_a_failed_request(world: World) -> None:
    controller = Controller(world, Path(CONTROLLER))
    with ExitStack() as scene:
        functions = scene.enter_context(pollers(world.stack, POLLERS))
        scene.callback(controller.stop)
        with unregistered(world, functions):
            prepare(world)
            controller.start()
            services = {route.name: controller.route(route) for route in ROUTES}
            traffic = clients(world, services, scene)
            controller.stop()
            adopt(world)
        taken_over(world, services)
        with unregistered(world, functions):
            migrate(world, "release", "--yes")
            assert of_trellis(world) == set()
            controller.start()
            # It is at work again when each route bears its finalizer, and a new Pod is a target of what answers.
            wait_for("the controller to take every route up", lambda: [route.name for route in ROUTES if not finalizers(world, route.name)],
                     within=CONTROLLER_SECONDS, until=lambda left: not left)
            had = len(targets(world))
            world.kubectl("scale", "deployment/inventory-ver1", "--replicas=3")
            wait_for("the controller to register the new Pod", lambda: len(targets(world)), within=CONTROLLER_SECONDS,
                     until=lambda now: now > had)
            for name, service in services.items():
                now = world.stack.aws("vpc-lattice").get_service(serviceIdentifier=service["id"])
                assert now["dnsEntry"] == service["dnsEntry"], name
            nobody_noticed(traffic)
            world.kubectl("delete", "httproutes", "--all", f"--timeout={int(CONTROLLER_SECONDS)}s")
            wait_for("the controller to delete what it had", lambda: owned(world), within=CONTROLLER_SECONDS, until=lambda left: not left)


def prepare(world: World) -> None:
    """What stands before anybody makes a route."""
    world.apply("my-hotel-gateway")
    world.roll_out("inventory-ver1", "parking", "review")


def clients(world: World, services: dict[str, dict[str, Any]], scene: ExitStack) -> dict[str, Traffic]:
    """Clients of each route, who have had an answer."""
    hosts = {route.name: route.hostname or services[route.name]["dnsEntry"]["domainName"] for route in ROUTES}
    for host in hosts.values():
        world.answers(host, "handler pod")
    return {name: scene.enter_context(Traffic(world.stack, host)) for name, host in hosts.items()}


def adopt(world: World) -> dict[str, Any]:
    """Gives all of the routes to Trellis, and holds that nothing more is left to give."""
    said = migrate(world, "adopt", "--yes")
    assert said["inTheWay"] == []
    strange = {one["arn"] for one in said["left"]}
    assert {one["arn"] for one in owned(world)} - strange == {one["arn"] for one in owned(world) if one["id"] in of_trellis(world)}
    assert migrate(world, "scan")["adopt"] == []
    return said


def taken_over(world: World, services: dict[str, dict[str, Any]]) -> None:
    """Holds that the cluster, registered now, is all Trellis', under the same names, and that its objects can be deleted."""
    world.drift_pass()
    for route in ROUTES:
        world.programmed("httproutes", route.name)
    wait_for("the controller's target groups to go", lambda: of_the_controller(world), within=PROGRAMMED_SECONDS,
             until=lambda left: not left)
    lattice = world.stack.aws("vpc-lattice")
    for name, service in services.items():
        now = lattice.get_service(serviceIdentifier=service["id"])
        assert (now["name"], now["dnsEntry"]["domainName"]) == (service["name"], service["dnsEntry"]["domainName"]), name
    assert finalizers(world, "inventory") == ["httproute.k8s.aws/resources"]
    migrate(world, "finalizers", "--yes")
    assert [finalizers(world, route.name) for route in ROUTES] == [[] for _ in ROUTES]


def finalizers(world: World, route: str) -> list[str]:
    return list(world.get("httproutes", route)["metadata"].get("finalizers", []))


def nobody_noticed(traffic: dict[str, Traffic]) -> None:
    for name, one in traffic.items():
        one.at_least(100, since=one.sent(), within=PROGRAMMED_SECONDS)
        strange = [answer for answer in one.answers if answer not in PODS]
        assert not strange, f"{name}: {len(strange)} of {one.sent()} requests failed: {strange[:3]}"
    print({name: one.sent() for name, one in traffic.items()})


def targets(world: World) -> set[str]:
    """Addresses that the services' target groups have."""
    return {target["id"] for one in owned(world) for target in one.get("targets", []) if target["status"] != "DRAINING"}


def of_the_controller(world: World) -> list[str]:
    """Target groups with the controller's names that are Trellis' now: they end in letters, Trellis' in a hash."""
    return [one["name"] for one in owned(world) if one["id"] in of_trellis(world) and one["id"].startswith("tg-")
            and re.fullmatch("[a-z]{10}", one["name"].rpartition("-")[2])]


def remove(world: World) -> None:
    """What was given back is nobody's here: the controller would delete it."""
    lattice, found = world.stack.aws("vpc-lattice"), [one["id"] for one in owned(world)]

    def gone(what: str, left: Callable[[], Any]) -> None:
        wait_for(what, left, within=PROGRAMMED_SECONDS, until=lambda left: not left)

    for service in [one for one in found if one.startswith("svc-")]:
        associations = partial(lattice.list_service_network_service_associations, serviceIdentifier=service)
        for one in associations()["items"]:
            lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=one["id"])
        gone("the association to go", partial(items, associations))
        lattice.delete_service(serviceIdentifier=service)
    for group in [one for one in found if one.startswith("tg-")]:
        gone("the target group to be free", partial(users, lattice, group))
        targets = partial(lattice.list_targets, targetGroupIdentifier=group)
        registered = [{"id": one["id"], "port": one["port"]} for one in items(targets)]
        if registered:
            lattice.deregister_targets(targetGroupIdentifier=group, targets=registered)
        gone("the targets to drain", partial(items, targets))
        lattice.delete_target_group(targetGroupIdentifier=group)


def items(listed: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = listed()["items"]
    return found


def users(lattice: Any, group: str) -> list[str]:
    return [arn for one in lattice.list_target_groups()["items"] if one["id"] == group for arn in one.get("serviceArns", [])]
