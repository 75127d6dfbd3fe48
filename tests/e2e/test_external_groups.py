"""A target group that a customer made, named by an import's annotation: requests shift to it and back, and it stays as it is."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import pytest
import yaml

from stack.objects import conditions, describe, dns_name, is_true
from stack.traffic import Traffic
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

ANNOTATION = "application-networking.k8s.aws/target-group-arn"
#: Between two looks at what is not there: 5 s at first, and the queue and the calls beside it.
FOUND_SECONDS = 5.0 + PROGRAMMED_SECONDS
#: Enough for shares of a tenth to show: the chance that none of 300 requests is among a tenth is 2e-14.
REQUESTS = 300
OLD, NEW = "parking handler pod", "inventory-ver1 handler pod"


def customers_group(world: World, name: str) -> str:
    """A group with the Pods of inventory-ver1, made and tagged by a customer: its ARN."""
    lattice = world.stack.aws("vpc-lattice")
    config = {"port": 8090, "protocol": "HTTP", "protocolVersion": "HTTP1", "vpcIdentifier": world.one.spec.vpc}
    group = lattice.create_target_group(name=name, type="IP", config=config, tags={"team": "rooms"})
    wait_for("the group to be made", lambda: lattice.get_target_group(targetGroupIdentifier=group["id"])["status"],
             within=PROGRAMMED_SECONDS, until=partial(operator.eq, "ACTIVE"))
    targets = [{"id": endpoint["addresses"][0], "port": 8090} for endpoint in world.endpoints("inventory-ver1")]
    lattice.register_targets(targetGroupIdentifier=group["id"], targets=targets)
    return str(group["arn"])


def shown(world: World, arn: str) -> dict[str, Any]:
    """All that its maker can see of a group, but for what follows from its use: which services have it, and their checks."""
    lattice = world.stack.aws("vpc-lattice")
    identifier = arn.rpartition("/")[2]
    group = lattice.get_target_group(targetGroupIdentifier=identifier)
    targets = lattice.list_targets(targetGroupIdentifier=identifier)["items"]
    tags = lattice.list_tags_for_resource(resourceArn=arn)["tags"]
    left_out = {"ResponseMetadata", "serviceArns"}
    return {"group": {key: value for key, value in group.items() if key not in left_out},
            "targets": sorted((target["id"], target["port"]) for target in targets), "tags": tags}


def throw_away(world: World, arn: str) -> None:
    """Deletes a group, as its maker can once nobody uses it."""
    lattice, identifier = world.stack.aws("vpc-lattice"), arn.rpartition("/")[2]
    targets = [{"id": target["id"], "port": target["port"]} for target in lattice.list_targets(targetGroupIdentifier=identifier)["items"]]
    lattice.deregister_targets(targetGroupIdentifier=identifier, targets=targets)
    wait_for("the group to be empty", lambda: lattice.list_targets(targetGroupIdentifier=identifier)["items"], within=PROGRAMMED_SECONDS,
             until=lambda left: not left)
    lattice.delete_target_group(targetGroupIdentifier=identifier)


def weigh(world: World, service: int, group: int) -> None:
    """Shares the requests between the Service and the group."""
    refs = [{"name": "parking", "port": 80, "weight": service},
            {"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "rooms-blue", "weight": group}]
    spec = {"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": refs}]}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "rooms"}, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(route))


def name_group(world: World, arn: str) -> str:
    """Applies the import of a group, and gives what kubectl says."""
    imported = {"apiVersion": "application-networking.k8s.aws/v1alpha1", "kind": "ServiceImport",
                "metadata": {"name": "rooms-blue", "annotations": {ANNOTATION: arn}},
                "spec": {"type": "ClusterSetIP", "ports": [{"port": 80}]}}
    return world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(imported))


def reason(world: World, expected: str, within: float) -> None:
    """Waits until the route says that of its references."""
    def said() -> str:
        return next((str(one["reason"]) for one in conditions(world.get("httproutes", "rooms")) if one["type"] == "ResolvedRefs"), "")

    wait_for(f"ResolvedRefs {expected}", said, within=within, until=lambda reason: reason == expected)


def answering(traffic: Traffic) -> set[str]:
    """Who answers the next requests."""
    return set(traffic.at_least(REQUESTS, since=traffic.sent(), within=PROGRAMMED_SECONDS))


@pytest.fixture
def hotel(world: World) -> World:
    world.gateway()
    world.roll_out("parking", "inventory-ver1")
    return world


def test_a_route_shifts_to_a_customers_group_and_back_under_traffic_and_leaves_it_as_it_was(hotel: World) -> None:
    arn = customers_group(hotel, f"{hotel.namespace}-blue")
    before = shown(hotel, arn)
    name_group(hotel, arn)
    weigh(hotel, 100, 0)
    name = dns_name(hotel.programmed("httproutes", "rooms"))
    hotel.answers(name, OLD)
    with Traffic(hotel.stack, name) as traffic:
        for generation, (service, group) in enumerate([(90, 10), (0, 100), (90, 10), (100, 0)], 2):
            weigh(hotel, service, group)
            hotel.programmed("httproutes", "rooms", generation=generation)
            expected = {text for text, weight in ((OLD, service), (NEW, group)) if weight}
            # The data plane follows a moment after its API.
            wait_for(f"answers of {expected} alone", partial(answering, traffic), within=PROGRAMMED_SECONDS,
                     until=partial(operator.eq, expected))
            assert shown(hotel, arn) == before
    failed = [answer for answer in traffic.answers if answer not in {OLD, NEW}]
    assert not failed, f"{len(failed)} of {len(traffic.answers)} requests failed: {failed[:3]}"
    print(f"{len(traffic.answers)} requests, none failed")
    told = hotel.get("serviceimports", "rooms-blue")
    assert is_true(told, "application-networking.k8s.aws/TargetGroup"), describe(told)
    assert "It was not made by Trellis" in describe(told), describe(told)
    hotel.kubectl("delete", "httproute,serviceimport", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    assert shown(hotel, arn) == before
    throw_away(hotel, arn)


def test_a_group_that_is_not_there_is_told_and_takes_its_share_when_it_comes(hotel: World) -> None:
    weigh(hotel, 90, 10)
    name_group(hotel, "arn:aws:vpc-lattice:us-west-2:000000000000:targetgroup/blue")
    reason(hotel, "InvalidExternalTargetGroup", PROGRAMMED_SECONDS)
    name_group(hotel, "arn:aws:vpc-lattice:us-west-2:000000000000:targetgroup/tg-0123456789abcdef0")
    reason(hotel, "ExternalTargetGroupNotFound", PROGRAMMED_SECONDS)
    name = dns_name(hotel.programmed("httproutes", "rooms"))
    hotel.answers(name, OLD)
    arn = customers_group(hotel, f"{hotel.namespace}-blue")
    name_group(hotel, arn)
    reason(hotel, "ResolvedRefs", FOUND_SECONDS)
    hotel.answers(name, NEW)
    hotel.kubectl("delete", "httproute,serviceimport", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    throw_away(hotel, arn)
