"""ServiceNetwork: a network that stands with a Gateway or without, and goes with the last one that asks for it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stack.environment import inherited
from stack.objects import LATTICE_API, is_true
from stack.waiting import wait_for
from stack.world import EXAMPLES, PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.cluster import Cluster

#: Of a network that no other test has.
NAME = "cellar"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"
KUBECTL_SECONDS = 30

#: As the documentation of the AWS Gateway API Controller has it, but for the name.
DOCUMENTED = f"""\
apiVersion: application-networking.k8s.aws/v1alpha1
kind: ServiceNetwork
metadata:
  name: {NAME}
  annotations:
    application-networking.k8s.aws/tags: "Environment=Dev,Team=Platform"
"""


@pytest.fixture
def cellar(world: World) -> Iterator[World]:
    """The second cluster's VPC is with no network, and the class stands there."""
    world.apply("gatewayclass", cluster=world.two)
    yield world
    world.kubectl("delete", "gateway", "--all", GONE, cluster=world.two)
    for cluster in (world.one, world.two):
        cluster.kubectl("delete", "servicenetworks", "--all", GONE)
    world.two.kubectl("delete", "gatewayclass", "amazon-vpc-lattice")
    wait_for("no network to be left", lambda: network(world), within=SCHEDULED_SECONDS, until=lambda left: not left)


def network(world: World) -> dict[str, Any]:
    """The network as VPC Lattice has it; empty if there is none."""
    listed = world.stack.aws("vpc-lattice").list_service_networks()["items"]
    return next((item for item in listed if item["name"] == NAME), {})


def apply(world: World, cluster: Cluster) -> None:
    """Applies the documented object."""
    world.kubectl("apply", "--validate=strict", "-f", "-", cluster=cluster, stdin=DOCUMENTED)


def apply_gateway(world: World) -> None:
    """A Gateway of the network's name, in the second cluster."""
    item = yaml.safe_load((EXAMPLES / "my-hotel-gateway.yaml").read_text())
    item["metadata"]["name"] = NAME
    world.kubectl("apply", "-f", "-", cluster=world.two, stdin=yaml.safe_dump(item))
    wait_for("the Gateway to be programmed", lambda: world.get("gateways", NAME, world.two), within=PROGRAMMED_SECONDS,
             until=lambda gateway: is_true(gateway, "Programmed"))


def status(cluster: Cluster) -> dict[str, Any]:
    """The status of the object, once it is programmed."""
    found = wait_for("the ServiceNetwork to be programmed", lambda: cluster.get(f"{LATTICE_API}/servicenetworks/{NAME}"),
                     within=PROGRAMMED_SECONDS, until=lambda item: is_true(item, "Programmed"))
    told: dict[str, Any] = found["status"]
    return told


def used_by(cluster: Cluster, gateways: list[str]) -> None:
    """Waits until the object names these Gateways."""
    wait_for(f"the Gateways {gateways}", lambda: status(cluster).get("gateways", []), within=PROGRAMMED_SECONDS,
             until=lambda told: told == gateways)


def deleted(cluster: Cluster) -> list[str]:
    """Deletes the object as a person does and returns the warnings that kubectl prints."""
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "delete", "servicenetwork", NAME, GONE]
    done = subprocess.run(argv, env=inherited(), capture_output=True, text=True, check=False, timeout=KUBECTL_SECONDS)
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]


def test_two_clusters_share_a_network_that_goes_with_the_last_gateway_and_who_deletes_it_is_told_which(cellar: World) -> None:
    apply(cellar, cellar.one)
    first = status(cellar.one)
    assert first["serviceNetworkARN"] == network(cellar)["arn"]
    assert first["serviceNetworkID"] == network(cellar)["id"]
    tags = cellar.stack.aws("vpc-lattice").list_tags_for_resource(resourceArn=first["serviceNetworkARN"])["tags"]
    assert (tags["Environment"], tags["Team"]) == ("Dev", "Platform")
    apply(cellar, cellar.two)
    assert status(cellar.two)["serviceNetworkARN"] == first["serviceNetworkARN"]
    apply_gateway(cellar)
    gateway = f"trellis-two/{cellar.namespace}/{NAME}"
    used_by(cellar.one, [gateway])
    used_by(cellar.two, [gateway])
    assert gateway in cellar.one.kubectl("get", "sn", NAME)
    for cluster in (cellar.one, cellar.two):
        (warning,) = deleted(cluster)
        assert gateway in warning, warning
    assert network(cellar)["arn"] == first["serviceNetworkARN"]
    assert is_true(cellar.get("gateways", NAME, cellar.two), "Programmed")
    cellar.kubectl("delete", "gateway", NAME, GONE, cluster=cellar.two)
    wait_for("the network to go", lambda: network(cellar), within=SCHEDULED_SECONDS, until=lambda left: not left)


def test_a_network_outlives_its_gateways_as_long_as_one_of_two_clusters_asks_for_it(cellar: World) -> None:
    apply_gateway(cellar)
    apply(cellar, cellar.one)
    apply(cellar, cellar.two)
    arn = status(cellar.one)["serviceNetworkARN"]
    used_by(cellar.two, [f"trellis-two/{cellar.namespace}/{NAME}"])
    cellar.kubectl("delete", "gateway", NAME, GONE, cluster=cellar.two)
    used_by(cellar.two, [])
    associations = cellar.stack.aws("vpc-lattice").list_service_network_vpc_associations
    wait_for("the VPC to leave", lambda: associations(serviceNetworkIdentifier=arn)["items"], within=SCHEDULED_SECONDS,
             until=lambda left: not left)
    assert deleted(cellar.two) == []
    cellar.quiet()
    assert status(cellar.one)["serviceNetworkARN"] == network(cellar)["arn"] == arn
    assert deleted(cellar.one) == []
    wait_for("the network to go", lambda: network(cellar), within=SCHEDULED_SECONDS, until=lambda left: not left)
