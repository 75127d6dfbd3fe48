"""VpcAssociationPolicy: the security groups of the VPC's association, and whether there is one."""

from __future__ import annotations

from typing import Any

import yaml

from stack.objects import conditions
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

LATTICE_API = "application-networking.k8s.aws/v1alpha1"
ONE, TWO = "sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"


def apply(world: World, **spec: Any) -> None:
    """Applies a policy of the Gateway my-hotel as the documentation of the AWS Gateway API Controller has it."""
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"}
    item = {"apiVersion": LATTICE_API, "kind": "VpcAssociationPolicy", "metadata": {"name": "vpc"}, "spec": {"targetRef": target, **spec}}
    world.kubectl("apply", "--validate=strict", "-f", "-", stdin=yaml.safe_dump(item))


def association(world: World) -> dict[str, Any]:
    """The association of the cluster's VPC with the network my-hotel; empty if there is none."""
    lattice = world.stack.aws("vpc-lattice")
    for network in lattice.list_service_networks()["items"]:
        if network["name"] != "my-hotel":
            continue
        for item in lattice.list_service_network_vpc_associations(serviceNetworkIdentifier=network["id"])["items"]:
            found: dict[str, Any] = lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=item["id"])
            return found
    return {}


def groups(world: World) -> list[str]:
    """The association's security groups."""
    return sorted(association(world).get("securityGroupIds", []))


def condition(world: World, kind: str, name: str, wanted: str) -> dict[str, Any]:
    """An object's condition of that type; of its present generation."""
    item = world.get(kind, name)
    found = [c for c in conditions(item) if c["type"] == wanted]
    return found[0] if found and found[0].get("observedGeneration") == item["metadata"]["generation"] else {}


def told(world: World) -> str:
    """What the Gateway says of its VPC."""
    text: str = condition(world, "gateways", "my-hotel", "application-networking.k8s.aws/VpcAssociated").get("message", "")
    return text


def test_a_policys_security_groups_are_set_change_and_stay_when_it_is_deleted(world: World) -> None:
    world.inventory()
    apply(world, securityGroupIds=[ONE, TWO], associateWithVpc=True)
    world.programmed("vpcassociationpolicies", "vpc")
    before = association(world)
    assert groups(world) == [ONE, TWO]
    apply(world, securityGroupIds=[TWO], privateDnsEnabled=True)
    world.programmed("vpcassociationpolicies", "vpc", generation=2)
    assert groups(world) == [TWO]
    assert association(world)["privateDnsEnabled"] is True
    world.kubectl("delete", "vpcassociationpolicy", "vpc", GONE)
    wait_for("the Gateway to tell of the group", lambda: told(world), within=PROGRAMMED_SECONDS, until=lambda text: TWO in text)
    assert groups(world) == [TWO]
    assert association(world)["id"] == before["id"]


def test_a_vpc_that_is_not_to_be_associated_leaves_and_comes_back_without_groups(world: World) -> None:
    world.inventory()
    apply(world, securityGroupIds=[ONE])
    world.programmed("vpcassociationpolicies", "vpc")
    apply(world, associateWithVpc=False)
    # After the grace.
    world.programmed("vpcassociationpolicies", "vpc", generation=2, within=SCHEDULED_SECONDS)
    assert association(world).get("status", "DELETE_IN_PROGRESS") == "DELETE_IN_PROGRESS"
    assert "keeps the VPC" in told(world)
    apply(world, associateWithVpc=True)
    # Once the association has ended.
    world.programmed("vpcassociationpolicies", "vpc", generation=3, within=SCHEDULED_SECONDS)
    assert groups(world) == []
    world.programmed("gateways", "my-hotel")


def test_a_policy_whose_gateway_is_gone_says_so_and_can_be_deleted(world: World) -> None:
    world.inventory()
    apply(world, securityGroupIds=[ONE])
    world.programmed("vpcassociationpolicies", "vpc")
    world.kubectl("delete", "gateway", "my-hotel", GONE)
    wait_for("TargetNotFound", lambda: condition(world, "vpcassociationpolicies", "vpc", "Accepted").get("reason", ""),
             within=PROGRAMMED_SECONDS, until=lambda reason: reason == "TargetNotFound")
    world.kubectl("delete", "vpcassociationpolicy", "vpc", GONE)
