"""Under AWS's default quotas: what fits, and what is made only where something asks for it."""

from __future__ import annotations

from typing import Any

import yaml

from stack.objects import LATTICE_API, dns_name, is_true, told
from stack.waiting import wait_for
from stack.world import EXAMPLES, PROGRAMMED_SECONDS, World

#: The quota "Rules per listener".
RULES = 10


def test_a_route_with_ten_path_prefixes_is_programmed_and_says_what_that_means(world: World) -> None:
    world.gateway()
    world.roll_out("parking", "review")
    item: dict[str, Any] = yaml.safe_load((EXAMPLES / "rate-route-path.yaml").read_text())
    backends = [rule["backendRefs"] for rule in item["spec"]["rules"]]
    item["spec"]["rules"] = [{"matches": [{"path": {"type": "PathPrefix", "value": f"/p{number}"}}], "backendRefs": backends[number % 2]}
                             for number in range(RULES)]
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(item))
    route = world.programmed("httproutes", "rates")
    assert len(world.rules("rates")) == RULES
    assert "/p0-more" in told(route, r'such as "(\S+)"')
    name = dns_name(route)
    world.answers(f"{name}/p0", "parking handler pod")
    world.answers(f"{name}/p9/deeper", "review handler pod")


def test_an_export_has_a_target_group_only_while_an_annotation_asks_for_one(world: World) -> None:
    world.roll_out("inventory-ver2", cluster=world.two)
    world.apply("inventory-ver2-export", cluster=world.two)
    where = f"{LATTICE_API}/namespaces/{world.namespace}/serviceexports/inventory-ver2"
    wait_for("the export to be Programmed", lambda: is_true(world.two.get(where), "Programmed"), within=PROGRAMMED_SECONDS)
    assert not world.remains()
    annotate = ("annotate", "--overwrite", "serviceexport/inventory-ver2")
    world.kubectl(*annotate, "application-networking.k8s.aws/export-target-group=true", cluster=world.two)
    wait_for("a target group of the export", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: len(left) == 1)
    world.kubectl(*annotate, "application-networking.k8s.aws/export-target-group=false", cluster=world.two)
    wait_for("no target group of the export", world.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
