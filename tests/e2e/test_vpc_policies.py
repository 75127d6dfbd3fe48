"""VpcAssociationPolicy: the security groups of the VPC's association, and whether there is one.

In the second cluster, whose VPC no other Gateway keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stack.objects import conditions
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

LATTICE_API = "application-networking.k8s.aws/v1alpha1"
VPC_ASSOCIATED = "application-networking.k8s.aws/VpcAssociated"
SECOND_VPC = "vpc-0a1b2c3d4e5f60002"
ONE, TWO = "sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"


@pytest.fixture
def hotel(world: World) -> Iterator[World]:
    """The Gateway my-hotel in the second cluster, its VPC associated."""
    world.apply("gatewayclass", "my-hotel-gateway", cluster=world.two)
    tells(world, "gateways", "my-hotel", VPC_ASSOCIATED, "Associated")
    yield world
    world.kubectl("delete", "gateway", "my-hotel", "--ignore-not-found", GONE, cluster=world.two)
    world.two.kubectl("delete", "gatewayclass", "amazon-vpc-lattice")


def apply(world: World, **spec: Any) -> None:
    """Applies a policy of the Gateway my-hotel as the documentation of the AWS Gateway API Controller has it."""
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"}
    item = {"apiVersion": LATTICE_API, "kind": "VpcAssociationPolicy", "metadata": {"name": "vpc"}, "spec": {"targetRef": target, **spec}}
    world.kubectl("apply", "--validate=strict", "-f", "-", cluster=world.two, stdin=yaml.safe_dump(item))


def tells(world: World, kind: str, name: str, wanted: str, reason: str, *, text: str = "", within: float = PROGRAMMED_SECONDS) -> None:
    """Waits until an object's condition of its present generation has this reason, and this text in its message."""

    def look() -> dict[str, Any]:
        item = world.get(kind, name, world.two)
        found = [c for c in conditions(item) if c["type"] == wanted and c.get("observedGeneration") == item["metadata"]["generation"]]
        return found[0] if found else {}

    wait_for(f"{kind}/{name} to say {wanted} {reason} {text}", look, within=within,
             until=lambda found: found.get("reason") == reason and text in found.get("message", ""))


def programmed(world: World, *, within: float = PROGRAMMED_SECONDS) -> None:
    """Waits until the policy is."""
    tells(world, "vpcassociationpolicies", "vpc", "Programmed", "Programmed", within=within)


def association(world: World) -> dict[str, Any]:
    """The association of the second cluster's VPC; empty if there is none."""
    lattice = world.stack.aws("vpc-lattice")
    network = next(item for item in lattice.list_service_networks()["items"] if item["name"] == "my-hotel")
    listed = lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=network["id"])["items"]
    for item in listed:
        if item["vpcId"] == SECOND_VPC:
            found: dict[str, Any] = lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=item["id"])
            return found
    return {}


def groups(world: World) -> list[str]:
    """The association's security groups."""
    return sorted(association(world).get("securityGroupIds", []))


def test_a_policys_security_groups_are_set_change_and_stay_when_it_is_deleted(hotel: World) -> None:
    apply(hotel, securityGroupIds=[ONE, TWO], associateWithVpc=True)
    programmed(hotel)
    before = association(hotel)
    assert groups(hotel) == [ONE, TWO]
    apply(hotel, securityGroupIds=[TWO], privateDnsEnabled=True)
    programmed(hotel)
    assert groups(hotel) == [TWO]
    assert association(hotel)["privateDnsEnabled"] is True
    hotel.kubectl("delete", "vpcassociationpolicy", "vpc", GONE, cluster=hotel.two)
    tells(hotel, "gateways", "my-hotel", VPC_ASSOCIATED, "Associated", text=TWO)
    assert groups(hotel) == [TWO]
    assert association(hotel)["id"] == before["id"]


def test_a_policy_whose_gateway_is_gone_says_so_and_can_be_deleted(hotel: World) -> None:
    apply(hotel, securityGroupIds=[ONE])
    programmed(hotel)
    hotel.kubectl("delete", "gateway", "my-hotel", GONE, cluster=hotel.two)
    tells(hotel, "vpcassociationpolicies", "vpc", "Accepted", "TargetNotFound")
    hotel.kubectl("delete", "vpcassociationpolicy", "vpc", GONE, cluster=hotel.two)


def test_a_vpc_that_is_not_to_be_associated_leaves(hotel: World) -> None:
    apply(hotel, associateWithVpc=False)
    # After the grace.
    programmed(hotel, within=SCHEDULED_SECONDS)
    assert association(hotel).get("status", "DELETE_IN_PROGRESS") == "DELETE_IN_PROGRESS"
    tells(hotel, "gateways", "my-hotel", VPC_ASSOCIATED, "NotWanted")
