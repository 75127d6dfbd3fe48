"""What somebody changed behind Trellis's back: the drift pass finds it, repairs it and reports it."""

from __future__ import annotations

from hashlib import sha256

import pytest

from stack.objects import dns_name
from stack.settings import SCOPE
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, SCHEDULED_SECONDS, TOLD_SECONDS, World, mutations, now_ms


def test_a_deleted_rule_comes_back(world: World) -> None:
    name = world.rates()
    # A hint that is still under way, of a Pod that has become ready say, would find the damage before the drift pass.
    world.quiet()
    lattice = world.stack.aws("vpc-lattice")
    rules = world.rules("rates")
    service, listener, rule = rules[0]
    lattice.delete_rule(serviceIdentifier=service, listenerIdentifier=listener, ruleIdentifier=rule["id"])
    assert len(world.rules("rates")) == len(rules) - 1
    began = now_ms()
    world.drift_pass()
    wait_for("all rules", lambda: len(world.rules("rates")) == len(rules), within=PROGRAMMED_SECONDS)
    world.answers(f"{name}/parking", "parking handler pod")
    world.answers(f"{name}/review", "review handler pod")
    found = world.log_has(world.stack.outputs.reconcile_function, "the route's unit in a look",
                          lambda line: f"/{world.namespace}/rates" in line.get("look", ""), began, within=PROGRAMMED_SECONDS)
    assert "+ rule" in found["look"]


def test_a_weight_that_somebody_changes_is_repaired_within_seconds_of_cloudtrails_record(world: World) -> None:
    name = world.rates()
    world.quiet()
    lattice = world.stack.aws("vpc-lattice")
    service, listener, rule = world.rules("rates")[0]
    ids = {"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": rule["id"]}
    usual = lattice.get_rule(**ids)["action"]
    with world.stack.no_schedule():
        lattice.update_rule(**ids, action={"fixedResponse": {"statusCode": 404}})
        world.cloudtrail("UpdateRule", ids)
        wait_for("the rule as it was", lambda: lattice.get_rule(**ids)["action"], within=TOLD_SECONDS, until=lambda now: now == usual)
    world.answers(f"{name}/parking", "parking handler pod")


def test_a_rule_that_somebody_deletes_is_there_again_within_seconds_of_cloudtrails_record(world: World) -> None:
    world.rates()
    world.quiet()
    lattice = world.stack.aws("vpc-lattice")
    rules = world.rules("rates")
    service, listener, rule = rules[0]
    ids = {"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": rule["id"]}
    with world.stack.no_schedule():
        lattice.delete_rule(**ids)
        world.cloudtrail("DeleteRule", ids)
        wait_for("all rules", lambda: len(world.rules("rates")) == len(rules), within=TOLD_SECONDS)


def test_what_the_reconciler_does_itself_is_no_news(world: World) -> None:
    world.rates()
    world.quiet()
    service, _, _ = world.rules("rates")[0]
    before = world.stack.emulator.mark()
    with world.stack.no_schedule():
        world.cloudtrail("UpdateService", {"serviceIdentifier": service}, session="trellis-ReconcilerRole-1/trellis-reconcile")
        world.quiet()
    assert mutations(world.stack.emulator.operations(before)) == {}


def test_the_report_tells_each_cluster_by_its_state(world: World) -> None:
    world.rates()
    world.quiet()
    report = world.drift_pass()
    states = {arn.rpartition("/")[2]: cluster["state"] for arn, cluster in report["clusters"].items()}
    assert states == {"trellis-one": "registered", "trellis-two": "registered"}
    one = next(cluster for arn, cluster in report["clusters"].items() if arn.endswith("/trellis-one"))
    assert one["has"]["services"] >= 1
    assert one["has"]["usdAMonth"] == one["has"]["services"] * 18.25
    assert report["looks"] == 2


def test_a_deregistered_target_is_registered_again(world: World) -> None:
    world.inventory()
    world.quiet()
    lattice = world.stack.aws("vpc-lattice")
    (group,) = world.target_groups("inventory")
    found = lattice.list_targets(targetGroupIdentifier=group["id"])["items"]
    gone = {"id": found[0]["id"], "port": found[0]["port"]}
    lattice.deregister_targets(targetGroupIdentifier=group["id"], targets=[gone])
    world.drift_pass()

    def registered() -> bool:
        items = lattice.list_targets(targetGroupIdentifier=group["id"])["items"]
        return any(item["id"] == gone["id"] and item["status"] not in ("DRAINING", "UNUSED") for item in items)

    wait_for(f"target {gone} to be registered", registered, within=PROGRAMMED_SECONDS)


@pytest.mark.parametrize("name", ["forgotten-{}", "front-of-{}"], ids=["plain_name", "name_of_its_own"])
def test_an_orphan_with_our_tags_is_deleted_and_a_foreign_service_is_left_alone(world: World, name: str) -> None:
    world.gateway()
    lattice = world.stack.aws("vpc-lattice")
    unit = f"route/{SCOPE}/HTTPRoute/trellis-one/{world.namespace}/forgotten"
    tags = {"trellis:owner": "trellis", "trellis:unit": sha256(unit.encode()).hexdigest()[:32], "trellis:key": unit}
    orphan = lattice.create_service(name=name.format(world.namespace), tags=tags)
    foreign = lattice.create_service(name=f"foreign-{world.namespace}", tags={"team": "somebody"})
    wait_for("both services to be active", lambda: all(
        lattice.get_service(serviceIdentifier=made["id"])["status"] == "ACTIVE" for made in (orphan, foreign)), within=PROGRAMMED_SECONDS)
    began = now_ms()
    world.drift_pass()

    def ids() -> list[str]:
        return [item["id"] for item in lattice.list_services()["items"]]

    wait_for("the orphan to be gone", ids, within=PROGRAMMED_SECONDS, until=lambda found: orphan["id"] not in found)
    assert foreign["id"] in ids()
    assert lattice.list_tags_for_resource(resourceArn=foreign["arn"])["tags"] == {"team": "somebody"}
    world.log_has(world.stack.outputs.drift_function, "the orphan's unit", lambda line: unit in str(line), began, within=PROGRAMMED_SECONDS)
    lattice.delete_service(serviceIdentifier=foreign["id"])


def test_a_route_under_a_foreign_services_name_is_served_under_another_one_and_keeps_it(world: World) -> None:
    world.gateway()
    world.roll_out("inventory-ver1")
    lattice = world.stack.aws("vpc-lattice")
    plain = f"inventory-{world.namespace}"
    foreign = lattice.create_service(name=plain, tags={"team": "somebody"})
    world.apply("inventory-route")
    name = dns_name(world.programmed("httproutes", "inventory", within=SCHEDULED_SECONDS))
    world.quiet()
    others = [item["name"] for item in lattice.list_services()["items"] if item["id"] != foreign["id"]]
    assert plain not in others and name.split(".")[0].rpartition("-")[0] in others
    assert lattice.list_listeners(serviceIdentifier=foreign["id"])["items"] == []
    assert lattice.list_tags_for_resource(resourceArn=foreign["arn"])["tags"] == {"team": "somebody"}
    lattice.delete_service(serviceIdentifier=foreign["id"])
    wait_for("the foreign service to be gone", lambda: foreign["id"] not in [
        item["id"] for item in lattice.list_services()["items"]], within=PROGRAMMED_SECONDS)
    # A name once given stays: another one would be another service with another domain name.
    world.drift_pass()
    world.quiet()
    assert dns_name(world.get("httproutes", "inventory")) == name


def test_a_pass_without_drift_writes_nothing(world: World) -> None:
    world.rates()
    world.quiet()
    # What the route's own reconciliation left to do is done by the first pass, if there is any.
    world.drift_pass()
    before = world.stack.emulator.mark()
    version = world.get("httproutes", "rates")["metadata"]["resourceVersion"]
    world.drift_pass()
    assert mutations(world.stack.emulator.operations(before)) == {}
    assert world.get("httproutes", "rates")["metadata"]["resourceVersion"] == version
