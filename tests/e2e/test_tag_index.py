"""The index of tags shows changes late: that delays nothing, doubles nothing and leaves nothing behind."""

from __future__ import annotations

import json

from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

#: Longer than anything here takes, so that the index shows nothing of it.
LAG = "10m"


def test_a_route_lives_and_dies_while_the_index_of_tags_shows_nothing_of_it(world: World) -> None:
    world.gateway()
    world.roll_out("inventory-ver1", "parking")
    usual = world.stack.emulator.admin("GET", "config")["delays"]["tag-index"]
    world.stack.emulator.configure(delays={"tag-index": LAG})
    try:
        name = world.inventory()
        world.answers(name, "inventory-ver1 handler pod")
        refs = [{"name": "parking", "kind": "Service", "port": 80}]
        patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": refs}]
        world.kubectl("patch", "httproute", "inventory", "--type=json", "--patch", json.dumps(patch))
        world.programmed("httproutes", "inventory", generation=2)
        world.answers(name, "parking handler pod")
        world.drift_pass()
        world.answers(name, "parking handler pod")
        services = [made for made in world.remains() if made.startswith("inventory-")]
        assert len(services) == 1, services
        world.kubectl("delete", "httproute", "inventory")
        wait_for("nothing of the route in VPC Lattice", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    finally:
        world.stack.emulator.configure(delays={"tag-index": usual})
