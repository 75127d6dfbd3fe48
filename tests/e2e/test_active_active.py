"""One folder applied to two clusters is one service: each has half of the requests, keeps it while it hangs, and gives it up when it
leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from stack.objects import dns_name, is_true
from stack.pollers import Pollers, pollers
from stack.settings import SCOPE
from stack.stack import Stack
from stack.traffic import Traffic
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

REQUESTS = 2_000
REQUESTS_SECONDS = 120.0
#: Half, with a standard deviation of sqrt(2,000 * 0.5 * 0.5) = 22; five of them are left in one run of 1.7 million.
SHARE = range(890, 1_111)
POLLERS = 4
#: What the Pods of each cluster say: the folder is the same, but for what tells them apart here.
ANSWERS = ("pods of one handler pod", "pods of two handler pod")
TAG = "trellis:registered"
MERGED = "application-networking.k8s.aws/MergedRoutes"
API = "gateway.networking.k8s.io/v1"


def folder(answer: str) -> list[dict[str, Any]]:
    """The Gateway whose routes are merged, the route, and its Service with two Pods that answer so."""
    gateway = {"apiVersion": API, "kind": "Gateway",
               "metadata": {"name": "my-hotel", "annotations": {"application-networking.k8s.aws/merge-routes": "true"}},
               "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [{"name": "shop", "port": 80}]}
    route = {"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": "shop"},
             "spec": {"parentRefs": [{"name": "my-hotel"}], "rules": [rule]}}
    container = {"name": "shop", "image": "public.ecr.aws/x2j8p8w7/http-server:latest", "ports": [{"containerPort": 8090}],
                 "env": [{"name": "PodName", "value": answer}]}
    labels = {"app": "shop"}
    pods = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
               "spec": {"selector": labels, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8090}]}}
    return [gateway, route, pods, service]


@dataclass
class Shop:
    """The merged route under traffic."""

    world: World
    traffic: Traffic
    pollers: Pollers

    def is_shared(self, what: str) -> None:
        """Holds that each cluster answers half of the requests from now on, and none fails."""
        counts = self.traffic.at_least(REQUESTS, since=self.traffic.sent(), within=REQUESTS_SECONDS)
        print(f"{what}: {dict(counts)} of {REQUESTS}")
        one, two = (counts[answer] for answer in ANSWERS)
        assert one + two == REQUESTS, counts
        assert two in SHARE

    @contextmanager
    def registered_as(self, value: str) -> Iterator[None]:
        """With another value of the second cluster's registration tag. The functions start cold, so that they see it at once."""
        eks, arn = self.world.stack.aws("eks"), self.world.two.spec.arn
        eks.tag_resource(resourceArn=arn, tags={TAG: value})
        self.pollers.start_cold()
        yield
        eks.tag_resource(resourceArn=arn, tags={TAG: "true"})
        self.pollers.start_cold()


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Shop]:
    world = World(stack, "active")
    world.create()
    with stack.no_schedule(), pollers(stack, POLLERS) as working:
        world.apply("gatewayclass", cluster=world.two)
        for cluster, answer in zip(stack.clusters, ANSWERS, strict=True):
            items = {"apiVersion": "v1", "kind": "List", "items": folder(answer)}
            world.kubectl("apply", "-f", "-", stdin=json.dumps(items), cluster=cluster)
            world.kubectl("rollout", "status", "deployment/shop", "--timeout=60s", cluster=cluster)
        name = dns_name(world.programmed("httproutes", "shop"))
        wait_for("the second cluster's route", lambda: is_true(world.get("httproutes", "shop", world.two), "Programmed"),
                 within=PROGRAMMED_SECONDS)
        for cluster in stack.clusters:
            wait_for(f"targets of {cluster.spec.name}", partial(targets, world, cluster.spec.arn), within=PROGRAMMED_SECONDS,
                     until=lambda found: found == 2)
        world.quiet()
        for answer in ANSWERS:
            world.answers(name, answer)
        with Traffic(stack, name) as traffic:
            yield Shop(world, traffic, working)
    world.delete()
    world.two.kubectl("delete", "gatewayclass", "amazon-vpc-lattice")


def groups(world: World, cluster: str) -> list[dict[str, Any]]:
    """The target groups of the merged route that lead to a cluster's Pods."""
    merged = f"merged/{SCOPE}/HTTPRoute/{world.namespace}/shop"
    tagged = [(group, group.get("tags", {})) for group in world.stack.emulator.state()["targetGroups"]]
    return [group for group, tags in tagged if (tags.get("trellis:key"), tags.get("trellis:source")) == (merged, cluster)]


def targets(world: World, cluster: str) -> int:
    """How many targets these groups have."""
    return sum(target["status"] != "DRAINING" for group in groups(world, cluster) for target in group["targets"])


def test_one_folder_in_two_clusters_is_one_service_of_which_each_has_half(shop: Shop) -> None:
    world = shop.world
    names = {dns_name(world.get("httproutes", "shop", cluster)) for cluster in world.stack.clusters}
    assert len(names) == 1
    assert [name for name in world.remains() if not name.startswith("k8s-")] == [f"shop-{world.namespace}"]
    for cluster in world.stack.clusters:
        assert is_true(world.get("httproutes", "shop", cluster), MERGED)
    shop.is_shared("all is well")


def test_the_access_log_that_two_clusters_ask_for_is_one_and_stays_as_long_as_one_asks(shop: Shop) -> None:
    world, log_group = shop.world, "arn:aws:logs:us-west-2:000000000000:log-group:shop:*"
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "shop"}
    policy = {"apiVersion": "application-networking.k8s.aws/v1alpha1", "kind": "AccessLogPolicy", "metadata": {"name": "logs"},
              "spec": {"targetRef": target, "destinationArn": log_group}}

    def destinations() -> list[str]:
        lattice = world.stack.aws("vpc-lattice")
        found = lattice.list_access_log_subscriptions(resourceIdentifier=world.service("shop")["id"])["items"]
        return [item["destinationArn"] for item in found]

    for cluster in world.stack.clusters:
        world.kubectl("apply", "-f", "-", stdin=json.dumps(policy), cluster=cluster)
    policies = partial(map, partial(world.get, "accesslogpolicies", "logs"), world.stack.clusters)
    wait_for("the policies", lambda: all(is_true(policy, "Programmed") for policy in policies()), within=PROGRAMMED_SECONDS)
    assert destinations() == [log_group]
    world.kubectl("delete", "accesslogpolicy", "logs")
    world.quiet()
    assert destinations() == [log_group]
    world.kubectl("delete", "accesslogpolicy", "logs", cluster=world.two)
    wait_for("no access log", destinations, within=PROGRAMMED_SECONDS, until=lambda found: found == [])


def test_a_cluster_that_hangs_keeps_its_share_and_the_other_one_follows_its_pods(shop: Shop) -> None:
    world, one = shop.world, shop.world.one.spec.arn
    since = shop.traffic.sent()
    with world.stack.doors[1].hanging():
        world.kubectl("scale", "deployment/shop", "--replicas=3")
        wait_for("the new Pod's target", partial(targets, world, one), within=PROGRAMMED_SECONDS, until=lambda found: found == 3)
        shop.world.look_at_everything()
        shop.is_shared("the second cluster hangs")
        assert targets(world, world.two.spec.arn) == 2
    assert set(shop.traffic.answers[since:]) == set(ANSWERS)


def test_a_cluster_that_leaves_gives_its_share_up_without_a_failed_request_and_has_it_again(shop: Shop) -> None:
    world, two = shop.world, shop.world.two.spec.arn
    name = dns_name(world.get("httproutes", "shop"))
    since = shop.traffic.sent()
    with shop.registered_as("leaving"):
        shop.world.look_at_everything()
        wait_for("nothing that leads to the second cluster", partial(groups, world, two), within=PROGRAMMED_SECONDS,
                 until=lambda left: not left)
        drained = shop.traffic.sent()
        shop.traffic.at_least(500, since=drained, within=REQUESTS_SECONDS)
    answers = shop.traffic.answers
    assert set(answers[since:]) == set(ANSWERS)
    assert set(answers[drained:drained + 500]) == {ANSWERS[0]}
    shop.world.look_at_everything()
    wait_for("the second cluster's answers", lambda: answers[-1], within=PROGRAMMED_SECONDS, until=lambda text: text == ANSWERS[1])
    shop.is_shared("it is registered again")
    assert dns_name(world.programmed("httproutes", "shop")) == name
