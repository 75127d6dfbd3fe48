"""A Gateway whose routes have a VPC Lattice service together: how they come into it, stay there and leave it again."""

from __future__ import annotations

import yaml

from stack.objects import dns_name
from stack.waiting import wait_for
from stack.world import World

from .test_shared_hostname import GONE_SECONDS, no_failed_request

ANNOTATION = "application-networking.k8s.aws/service-per"
SHOP, CART = "inventory-ver1 handler pod", "parking handler pod"
#: Two services come and two go, each after the grace.
MOVED_SECONDS = 2 * GONE_SECONDS


def route(name: str, path: str, service: str) -> str:
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [{"name": service, "port": 80}]}
    return yaml.safe_dump({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "my-hotel"}], "rules": [rule]}})


def shop_and_cart(world: World, *annotate: str) -> tuple[str, str]:
    """An older route for all paths and a younger one for some, both without a hostname; gives their domain names."""
    world.gateway()
    for annotation in annotate:
        world.kubectl("annotate", "gateway", "my-hotel", annotation)
    world.roll_out("inventory-ver1", "parking")
    world.kubectl("apply", "-f", "-", stdin=route("a-shop", "/", "inventory-ver1"))
    shop = dns_name(world.programmed("httproutes", "a-shop"))
    world.kubectl("apply", "-f", "-", stdin=route("cart", "/cart", "parking"))
    cart = dns_name(world.programmed("httproutes", "cart"))
    world.answers(f"{shop}/", SHOP)
    world.answers(f"{cart}/cart", CART)
    world.quiet()
    return shop, cart


def services(world: World) -> set[str]:
    state = world.stack.emulator.state()["services"]
    return {one["name"] for one in state if f"/{world.namespace}/" in one.get("tags", {}).get("trellis:key", "")}


def told(world: World) -> dict[str, str]:
    """The domain name that the status of each route tells first."""
    return {name: dns_name(world.get("httproutes", name)) for name in ("a-shop", "cart")}


def test_a_gateway_that_is_told_to_have_one_service_and_then_none_fails_no_request(world: World) -> None:
    shop, cart = shop_and_cart(world)
    assert shop != cart
    follow = {lambda: f"{told(world)['a-shop']}/": SHOP, lambda: f"{told(world)['cart']}/cart": CART}
    with no_failed_request(world, follow):
        world.kubectl("annotate", "gateway", "my-hotel", f"{ANNOTATION}=gateway")
        names = wait_for("one domain name that is neither's own", lambda: told(world), within=MOVED_SECONDS,
                         until=lambda now: len(set(now.values())) == 1 and not set(now.values()) & {shop, cart})
        wait_for("the routes' own services to go", lambda: services(world), within=MOVED_SECONDS, until=lambda left: len(left) == 1)
        shared = names["cart"]
        # For routes without a hostname the two are the same.
        world.kubectl("annotate", "--overwrite", "gateway", "my-hotel", f"{ANNOTATION}=hostname")
        world.quiet(within=GONE_SECONDS)
        assert set(told(world).values()) == {shared}
        for name in ("a-shop", "cart"):
            world.programmed("httproutes", name)
        world.kubectl("annotate", "gateway", "my-hotel", f"{ANNOTATION}-")
        wait_for("two domain names", lambda: told(world), within=MOVED_SECONDS,
                 until=lambda now: len(set(now.values())) == 2 and shared not in now.values())
        wait_for("the Gateway's service to go", lambda: services(world), within=MOVED_SECONDS,
                 until=lambda left: len(left) == 2 and not any(shared.startswith(name + "-0") for name in left))
        world.quiet(within=GONE_SECONDS)
    for name in ("a-shop", "cart"):
        world.programmed("httproutes", name)


def test_the_service_of_a_gateway_outlives_its_leader_and_an_edit_of_the_gateway(world: World) -> None:
    shop, cart = shop_and_cart(world, f"{ANNOTATION}=gateway")
    assert shop == cart
    with no_failed_request(world, {f"{cart}/cart": CART}):
        world.kubectl("annotate", "gateway", "my-hotel", "application-networking.k8s.aws/tags=team=shop")
        world.kubectl("delete", "httproute", "a-shop")
        wait_for("what the leader alone had to go", lambda: world.groups_made_for("a-shop"), within=GONE_SECONDS,
                 until=lambda groups: not groups)
        world.quiet(within=GONE_SECONDS)
        assert dns_name(world.programmed("httproutes", "cart")) == cart
    assert len(services(world)) == 1
