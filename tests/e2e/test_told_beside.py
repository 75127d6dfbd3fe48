"""What is told of a route beside its status: annotations, written where a role allows it, once and by no other change; and Events."""

from __future__ import annotations

from typing import Any

from stack.objects import dns_name
from stack.settings import ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World, now_ms

#: A refusal of before the role was there is remembered for a minute.
REMEMBERED_SECONDS = 60.0 + PROGRAMMED_SECONDS
PREFIX = "application-networking.k8s.aws/lattice-"


def written(world: World) -> dict[str, str]:
    """The annotations of the route inventory that Trellis writes."""
    found: dict[str, Any] = world.get("httproutes", "inventory")["metadata"].get("annotations", {})
    return {name: value for name, value in found.items() if name.startswith(PREFIX)}


def test_kubectl_describe_tells_what_became_of_a_route(world: World) -> None:
    world.inventory()

    def described(text: str) -> None:
        wait_for(f"`{text}` in the events", lambda: world.kubectl("describe", "httproute", "inventory").partition("Events:")[2],
                 within=PROGRAMMED_SECONDS, until=lambda events: text in events)

    described("Programmed is True at my-hotel")
    broken = '[{"op": "add", "path": "/spec/rules/0/backendRefs/0/port", "value": 4242}]'
    world.kubectl("patch", "httproute", "inventory", "--type=json", f"--patch={broken}")
    described("ResolvedRefs is False at my-hotel")
    events = world.one.get(f"/apis/events.k8s.io/v1/namespaces/{world.namespace}/events")["items"]
    ours = [one for one in events if one["reportingController"] == "application-networking.k8s.aws/gateway-api-controller"]
    assert {one["type"] for one in ours if one["regarding"]["name"] == "inventory"} == {"Normal", "Warning"}


def test_a_route_is_annotated_once_the_role_is_there(world: World) -> None:
    role = str(ROOT / "deploy" / "route-annotations" / "rbac.yaml")
    world.one.kubectl("apply", "-f", role)
    try:
        name = world.inventory()
        wanted = {f"{PREFIX}assigned-domain-name": name, f"{PREFIX}service-arn": world.service("inventory")["arn"]}

        def looked_at_again() -> dict[str, str]:
            world.kubectl("annotate", "httproute", "inventory", f"looked-at={now_ms()}", "--overwrite")
            return written(world)

        wait_for("the annotations", looked_at_again, within=REMEMBERED_SECONDS, every=5.0, until=lambda seen: seen == wanted)

        # Our own change wakes nobody, and a pass finds nothing to do.
        world.quiet()
        version = world.get("httproutes", "inventory")["metadata"]["resourceVersion"]
        world.drift_pass()
        assert world.get("httproutes", "inventory")["metadata"]["resourceVersion"] == version

        # Somebody else's is answered.
        world.kubectl("annotate", "httproute", "inventory", f"{PREFIX}assigned-domain-name=wrong", "--overwrite")
        wait_for("the right name again", lambda: written(world), within=PROGRAMMED_SECONDS, until=lambda seen: seen == wanted)
    finally:
        world.one.kubectl("delete", "-f", role)
    assert dns_name(world.get("httproutes", "inventory")) == name
