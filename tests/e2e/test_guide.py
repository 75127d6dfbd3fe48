"""The guide in short: from `kubectl apply` to an answer, in one cluster and across two."""

from __future__ import annotations

from functools import partial

from stack.objects import gateway_arn
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World


def test_a_gateway_says_its_service_networks_arn(world: World) -> None:
    arn = gateway_arn(world.gateway())
    networks = world.stack.aws("vpc-lattice").list_service_networks()["items"]
    assert arn in [network["arn"] for network in networks if network["name"] == "my-hotel"]


def test_a_route_answers_by_path_under_the_name_in_its_status(world: World) -> None:
    name = world.rates()
    world.answers(f"{name}/parking", "parking handler pod")
    world.answers(f"{name}/review", "review handler pod")


def test_blue_green_reaches_both_clusters_though_their_pods_have_equal_addresses(world: World) -> None:
    name = world.inventory()
    world.roll_out("inventory-ver2", cluster=world.two)
    world.apply("inventory-ver2-export", cluster=world.two)
    world.apply("inventory-ver2-import", "inventory-route-bluegreen")
    world.programmed("httproutes", "inventory", generation=2)
    world.answers(name, "Inventory-ver2 handler pod")
    counts = world.tally(name, 200)
    assert counts.total() == counts["inventory-ver1 handler pod"] + counts["inventory-ver2 handler pod"] == 200, counts
    assert 5 <= counts["inventory-ver1 handler pod"] <= 37, counts


def test_pods_that_come_and_go_change_the_targets(world: World) -> None:
    world.inventory()
    lattice = world.stack.aws("vpc-lattice")

    def targets() -> list[str]:
        (group,) = world.target_groups("inventory")
        items = lattice.list_targets(targetGroupIdentifier=group["id"])["items"]
        return sorted(item["id"] for item in items if item["status"] != "DRAINING")

    def are(wanted: int, found: list[str]) -> bool:
        return len(found) == wanted

    assert len(targets()) == 2
    for replicas in (4, 1):
        world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={replicas}")
        wait_for(f"{replicas} targets", targets, within=PROGRAMMED_SECONDS, until=partial(are, replicas))


def test_a_deleted_route_leaves_nothing_in_vpc_lattice(world: World) -> None:
    world.rates()
    assert world.remains()
    world.kubectl("delete", "httproute", "rates")
    wait_for("nothing of the route", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
