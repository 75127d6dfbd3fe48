"""A second Gateway in one VPC: it comes into its own service network by a VPC endpoint, where the Gateway asks for one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stack.externaldns import ZONE, install
from stack.objects import conditions, dns_name
from stack.settings import ACCOUNT, REGION
from stack.waiting import wait_for
from stack.world import EXAMPLES, PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "annex"
ACCESS = "application-networking.k8s.aws/vpc-access"
VPC_ASSOCIATED = "application-networking.k8s.aws/VpcAssociated"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"


@pytest.fixture
def annex(world: World) -> Iterator[World]:
    """Whatever a test leaves is taken away, so that the next one begins with the VPC's association alone."""
    yield world
    world.kubectl("delete", "gateway", NAME, "--ignore-not-found", GONE)
    ec2 = world.stack.aws("ec2")
    strangers = [one["VpcEndpointId"] for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if not one.get("Tags")]
    if strangers:
        ec2.delete_vpc_endpoints(VpcEndpointIds=strangers)
        wait_for("the strangers' endpoints to go", lambda: [one for one in endpoints(world) if one["id"] in strangers],
                 within=PROGRAMMED_SECONDS, until=lambda left: not left)
    wait_for("the network to go", lambda: network(world), within=2 * SCHEDULED_SECONDS, until=lambda left: not left)


def apply_gateway(world: World, **annotations: str) -> None:
    """A second Gateway beside the guide's, in the same cluster and so in the same VPC."""
    item = yaml.safe_load((EXAMPLES / "my-hotel-gateway.yaml").read_text())
    item["metadata"] |= {"name": NAME, "annotations": annotations}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))


def apply_route(world: World, *hostnames: str) -> None:
    """The guide's route of the inventory, under another name and with the second Gateway as its parent."""
    item = yaml.safe_load((EXAMPLES / "inventory-route.yaml").read_text())
    item["metadata"]["name"] = "stock"
    item["spec"] |= {"parentRefs": [{"name": NAME}], "hostnames": list(hostnames)}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))


def gateway_says(world: World, reason: str) -> str:
    """Waits until the Gateway's condition VpcAssociated has this reason, and returns its message."""

    def look() -> dict[str, Any]:
        return next((one for one in conditions(world.get("gateways", NAME)) if one["type"] == VPC_ASSOCIATED), {})

    found = wait_for(f"the Gateway to say {reason}", look, within=PROGRAMMED_SECONDS, until=lambda found: found.get("reason") == reason)
    message: str = found["message"]
    return message


def addresses(world: World) -> list[str]:
    """The Gateway's addresses."""
    return [one["value"] for one in world.get("gateways", NAME).get("status", {}).get("addresses", [])]


def network(world: World) -> dict[str, Any]:
    """The second Gateway's network as VPC Lattice has it; empty if there is none."""
    listed = world.stack.aws("vpc-lattice").list_service_networks()["items"]
    return next((item for item in listed if item["name"] == NAME), {})


def endpoints(world: World) -> list[dict[str, Any]]:
    """All VPC endpoints."""
    found: list[dict[str, Any]] = world.stack.emulator.state()["vpcEndpoints"]
    return found


def ours(world: World) -> list[dict[str, Any]]:
    """Those of the second Gateway's unit."""
    key = f"gateway/{ACCOUNT}/{REGION}/{NAME}"
    return [one for one in endpoints(world) if one["tags"].get("trellis:key") == key]


def test_a_second_gateway_in_a_vpc_is_reached_by_an_endpoint_that_goes_with_it_and_a_strangers_stays(annex: World) -> None:
    first = annex.inventory()
    apply_gateway(annex)
    refusal = gateway_says(annex, "AssociatedElsewhere")
    assert f"{ACCESS}: endpoint" in refusal, refusal
    apply_gateway(annex, **{ACCESS: "endpoint"})
    message = gateway_says(annex, "ByEndpoint")
    (endpoint,) = ours(annex)
    spec = annex.one.spec
    assert endpoint["id"] in message
    assert endpoint["subnetIds"] == sorted(subnet for subnet in spec.subnets if not subnet.endswith("c")), "one for each zone"
    assert endpoint["securityGroupIds"] == [spec.security_group]
    apply_route(annex)
    second = dns_name(annex.programmed("httproutes", "stock"))
    (address,) = wait_for("the Gateway's address", lambda: addresses(annex), within=PROGRAMMED_SECONDS)
    assert address.startswith(f"{endpoint['id']}-snsa-"), address
    # What each network answers to: the associated one by the service's own name, the other one by the endpoint's.
    annex.answers(f"{first}/inventory", "inventory-ver1 handler pod")
    annex.answers(f"{address}/inventory", "inventory-ver1 handler pod")
    assert "Non Existent Service" in annex.stack.fetch(f"http://{second}/inventory"), "the VPC is not associated"
    stranger = annex.stack.aws("ec2").create_vpc_endpoint(
        VpcEndpointType="ServiceNetwork", VpcId=spec.vpc, ServiceNetworkArn=network(annex)["arn"],
        SubnetIds=sorted(spec.subnets)[:1])["VpcEndpoint"]["VpcEndpointId"]
    # A network that cannot go is tried three times within a minute, and again after each pass: without passes it is quiet in the end.
    with annex.stack.no_schedule():
        annex.kubectl("delete", "httproute", "stock", GONE)
        annex.kubectl("delete", "gateway", NAME, GONE)
        wait_for("the endpoint to go", lambda: ours(annex), within=SCHEDULED_SECONDS, until=lambda left: not left)
        annex.quiet(within=SCHEDULED_SECONDS)
    assert [one["id"] for one in endpoints(annex)] == [stranger]
    assert network(annex), "a stranger's endpoint keeps the network"
    annex.answers(f"{first}/inventory", "inventory-ver1 handler pod")


def test_an_endpoint_that_somebody_deletes_is_made_anew_by_the_next_pass_and_the_address_follows(annex: World) -> None:
    annex.roll_out("inventory-ver1")
    apply_gateway(annex, **{ACCESS: "endpoint"})
    gateway_says(annex, "ByEndpoint")
    apply_route(annex)
    annex.programmed("httproutes", "stock")
    (before,) = wait_for("the Gateway's address", lambda: addresses(annex), within=PROGRAMMED_SECONDS)
    (lost,) = ours(annex)
    annex.stack.aws("ec2").delete_vpc_endpoints(VpcEndpointIds=[lost["id"]])
    wait_for("the endpoint to go", lambda: [one["id"] for one in endpoints(annex)], within=PROGRAMMED_SECONDS,
             until=lambda left: lost["id"] not in left)
    annex.look_at_everything()
    (after,) = wait_for("another address", lambda: addresses(annex), within=PROGRAMMED_SECONDS,
                        until=lambda told: bool(told) and told != [before])
    annex.answers(f"{after}/inventory", "inventory-ver1 handler pod")


def test_the_record_of_a_hostname_leads_to_the_endpoint(annex: World) -> None:
    install(annex.one)
    annex.roll_out("inventory-ver1")
    apply_gateway(annex, **{ACCESS: "endpoint"})
    gateway_says(annex, "ByEndpoint")
    hostname = f"stock-{annex.namespace}.{ZONE}"
    apply_route(annex, hostname)
    annex.programmed("httproutes", "stock")

    def records() -> list[dict[str, Any]]:
        found = annex.kubectl("get", "dnsendpoints", "--output=json")
        return [record for item in json.loads(found)["items"] for record in item["spec"]["endpoints"]]

    (record,) = wait_for("a record of the hostname", records, within=PROGRAMMED_SECONDS)
    (endpoint,) = ours(annex)
    assert record["dnsName"] == hostname
    assert record["targets"] == addresses(annex)
    assert record["targets"][0].startswith(f"{endpoint['id']}-snsa-"), record
