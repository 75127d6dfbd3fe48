"""Routes that share a hostname, and so a service: what one of them does wrong, and what becomes of the others when it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event
from typing import Any, TypeVar

import pytest
import yaml

from stack.objects import dns_name
from stack.settings import ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

#: As it stands, or whoever knows it.
Url = TypeVar("Url", bound=str | Callable[[], str])

#: Of all clients together.
REQUESTS_A_SECOND = 100
#: Enough that none waits for the answer to another's request.
CLIENTS = 8
#: A deletion of what nobody wants any more: the grace of samconfig.toml's local deployment, and the calls.
GONE_SECONDS = 5.0 + PROGRAMMED_SECONDS
#: A rollout of two Pods one after the other, each ready for `minReadySeconds` before an old one goes.
ROLLOUT_SECONDS = 90
#: As OPERATIONS.md advises: an old Pod serves on while VPC Lattice learns to leave it. Shorter here, where it learns sooner.
CALM = {"spec": {"minReadySeconds": 3, "template": {"spec": {
    "terminationGracePeriodSeconds": 15, "containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": 8}}}}]}}}}
#: What VPC Lattice cannot do.
BAD = [{"op": "add", "path": "/spec/rules/0/matches/0/path/type", "value": "RegularExpression"}]


def route(name: str, hostname: str, path: str, service: str) -> str:
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [{"name": service, "port": 80}]}
    return yaml.safe_dump({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "my-hotel"}], "hostnames": [hostname], "rules": [rule]}})


def deployed(world: World, *names: str) -> None:
    """Deployments whose Pods are replaced calmly."""
    for name in names:
        first, *others = yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text())
        calm: dict[str, Any] = CALM["spec"]
        first["spec"]["minReadySeconds"] = calm["minReadySeconds"]
        pod = first["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = calm["template"]["spec"]["terminationGracePeriodSeconds"]
        pod["containers"][0] |= calm["template"]["spec"]["containers"][0]
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([first, *others]))
    for name in names:
        world.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={ROLLOUT_SECONDS}s")


def shop_and_cart(world: World) -> str:
    """A shop that leads a hostname, and its cart that follows; gives the hostname."""
    hostname = f"shop.{world.namespace}.example.test"
    world.gateway()
    deployed(world, "inventory-ver1", "parking")
    world.kubectl("apply", "-f", "-", stdin=route("a-shop", hostname, "/", "inventory-ver1"))
    world.programmed("httproutes", "a-shop")
    world.kubectl("apply", "-f", "-", stdin=route("cart", hostname, "/cart", "parking"))
    world.programmed("httproutes", "cart")
    world.answers(f"{hostname}/cart", "parking handler pod")
    world.answers(f"{hostname}/", "inventory-ver1 handler pod")
    world.quiet()
    return hostname


@contextmanager
def no_failed_request(world: World, expected: Mapping[Url, str]) -> Iterator[None]:
    """Sends so many requests a second meanwhile, to these URLs in turn; each must be answered with its text. One that is asked for
    is asked for before each request."""
    urls, numbers, over, failed = list(expected), count(), Event(), []

    def send() -> int:
        sent = 0
        while not over.wait(CLIENTS / REQUESTS_A_SECOND):
            url = urls[next(numbers) % len(urls)]
            try:
                answer = world.stack.fetch(f"http://{url if isinstance(url, str) else url()}")
            except OSError as error:
                answer = repr(error)
            sent += 1
            if expected[url] not in answer:
                failed.append(f"{url}: {answer}")
        return sent

    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(send) for _ in range(CLIENTS)]
        try:
            yield
        finally:
            over.set()
        sent = sum(each.result() for each in running)
    assert sent, "nothing was sent"
    assert not failed, f"{len(failed)} of {sent} requests failed: {failed[:3]}"


def pods(world: World, app: str) -> set[str]:
    """The addresses of the Pods that are not on their way out."""
    found = yaml.safe_load(world.kubectl("get", "pods", f"--selector=app={app}", "--output=yaml"))["items"]
    return {pod["status"].get("podIP", "") for pod in found if "deletionTimestamp" not in pod["metadata"]}


def targets(world: World, service: str) -> set[str]:
    """The addresses that serve in the target groups of a Service, whichever of the two routes' units has them."""
    groups = [group for route in ("a-shop", "cart") for group in world.groups_made_for(route)]
    of_service = [group for group in groups if group["tags"]["application-networking.k8s.aws/ServiceName"] == service]
    return {target["id"] for group in of_service for target in group["targets"] if target["status"] != "DRAINING"}


@pytest.mark.parametrize(("edited", "service"), [("a-shop", "inventory-ver1"), ("cart", "parking")], ids=["leader", "follower"])
def test_a_bad_edit_and_a_rollout_of_what_is_kept_fail_no_request(world: World, edited: str, service: str) -> None:
    hostname = shop_and_cart(world)
    name = dns_name(world.get("httproutes", "cart"))
    before = pods(world, service)
    answers = {f"{hostname}/": "inventory-ver1 handler pod", f"{hostname}/cart": "parking handler pod"}
    with no_failed_request(world, answers):
        world.kubectl("patch", "httproute", edited, "--type=json", "--patch", json.dumps(BAD))
        wait_for("the edit to be refused", lambda: world.accepted(edited), within=PROGRAMMED_SECONDS,
                 until=lambda reason: reason == "UnsupportedValue")
        world.kubectl("rollout", "restart", f"deployment/{service}")
        world.kubectl("rollout", "status", f"deployment/{service}", f"--timeout={ROLLOUT_SECONDS}s")
        now = pods(world, service)
        assert not now & before
        wait_for("the targets to be the new Pods", lambda: targets(world, service), within=PROGRAMMED_SECONDS,
                 until=lambda found: found == now)
        world.quiet(within=GONE_SECONDS)
    innocent = {"a-shop", "cart"} - {edited}
    assert dns_name(world.programmed("httproutes", *innocent)) == name


def test_the_deletion_of_the_leader_fails_no_request_of_the_follower_and_keeps_its_domain_name(world: World) -> None:
    hostname = shop_and_cart(world)
    name = dns_name(world.get("httproutes", "cart"))
    with no_failed_request(world, {f"{hostname}/cart": "parking handler pod", f"{name}/cart": "parking handler pod"}):
        world.kubectl("delete", "httproute", "a-shop")
        wait_for("what the leader alone had to go", lambda: world.groups_made_for("a-shop"), within=GONE_SECONDS,
                 until=lambda groups: not groups)
        world.quiet(within=GONE_SECONDS)
        assert dns_name(world.programmed("httproutes", "cart")) == name
    # Nobody has the other paths any more.
    wait_for("the leader's paths to be nobody's", lambda: world.stack.fetch(f"http://{hostname}/"), within=PROGRAMMED_SECONDS,
             until=lambda body: "handler pod" not in body)


@pytest.mark.parametrize("replaced", [("cart",), ("a-shop",), ("a-shop", "cart")])
def test_routes_that_are_replaced_by_force_fail_no_request_and_keep_their_domain_name(
    world: World, replaced: tuple[str, ...]
) -> None:
    hostname = shop_and_cart(world)
    routes = {
        "a-shop": route("a-shop", hostname, "/", "inventory-ver1"), "cart": route("cart", hostname, "/cart", "parking")}
    before = dns_name(world.get("httproutes", "cart"))
    expected = {f"{hostname}/cart": "parking handler pod", f"{hostname}/": "inventory-ver1 handler pod"}
    with no_failed_request(world, expected):
        files = "---\n".join(routes[name] for name in replaced)
        world.kubectl("replace", "--force", "-f", "-", stdin=files)
        for name in routes:
            world.programmed("httproutes", name)
        world.quiet(within=GONE_SECONDS)
    assert [dns_name(world.get("httproutes", name)) for name in routes] == [before, before]


def test_the_rules_of_a_route_that_is_deleted_answer_no_longer_than_the_grace(world: World) -> None:
    hostname = shop_and_cart(world)
    world.kubectl("delete", "httproute/cart")
    world.answers(f"{hostname}/cart", "inventory-ver1 handler pod", within=GONE_SECONDS)
    world.quiet(within=GONE_SECONDS)
    wait_for("its target group to go", lambda: len(world.groups_made_for("a-shop")), within=GONE_SECONDS, until=lambda left: left == 1)
