"""The annotations that tell a route's domain name and service: written where a role allows it, once, and by no other change."""

from __future__ import annotations

from typing import Any

from stack.objects import dns_name
from stack.settings import ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

PREFIX = "application-networking.k8s.aws/lattice-"


def annotations(world: World) -> dict[str, str]:
    """The annotations of the route inventory that Trellis writes."""
    found: dict[str, Any] = world.get("httproutes", "inventory")["metadata"].get("annotations", {})
    return {name: value for name, value in found.items() if name.startswith(PREFIX)}


def test_a_route_is_annotated_once_the_role_is_there(world: World) -> None:
    role = str(ROOT / "deploy" / "route-annotations" / "rbac.yaml")
    world.one.kubectl("apply", "-f", role)
    try:
        name = world.inventory()
        wanted = {f"{PREFIX}assigned-domain-name": name, f"{PREFIX}service-arn": world.service("inventory")["arn"]}
        wait_for("the annotations", lambda: annotations(world), within=PROGRAMMED_SECONDS, until=lambda seen: seen == wanted)

        # Our own change wakes nobody, and a pass finds nothing to do.
        world.quiet()
        version = world.get("httproutes", "inventory")["metadata"]["resourceVersion"]
        world.drift_pass()
        assert world.get("httproutes", "inventory")["metadata"]["resourceVersion"] == version

        # Somebody else's is answered.
        world.kubectl("annotate", "httproute", "inventory", f"{PREFIX}assigned-domain-name=wrong", "--overwrite")
        wait_for("the right name again", lambda: annotations(world), within=PROGRAMMED_SECONDS, until=lambda seen: seen == wanted)
    finally:
        world.one.kubectl("delete", "-f", role)
    assert dns_name(world.get("httproutes", "inventory")) == name
