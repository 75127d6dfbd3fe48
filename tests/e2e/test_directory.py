"""The service directory that a drift pass writes: what people and programs find in its bucket."""

from __future__ import annotations

import json
from typing import Any

from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World


def directory(world: World) -> tuple[dict[str, Any], str]:
    """The directory of a pass that begins now: the value and the page."""
    bucket = world.stack.outputs.directory_bucket
    world.quiet()
    answer = world.stack.aws("lambda").invoke(FunctionName=world.stack.outputs.drift_function, Payload=json.dumps({"directory": True}))
    report = json.loads(answer["Payload"].read())
    assert report.get("directory") == f"s3://{bucket}/directory.html", report
    s3 = world.stack.aws("s3")
    value, page = (s3.get_object(Bucket=bucket, Key=f"directory.{ending}") for ending in ("json", "html"))
    assert (value["ContentType"], page["ContentType"]) == ("application/json", "text/html; charset=utf-8")
    found: dict[str, Any] = json.loads(value["Body"].read())
    return found, page["Body"].read().decode()


def test_a_pass_writes_all_services_with_their_routes_and_the_health_of_their_targets(world: World) -> None:
    name = world.rates()
    world.answers(f"{name}/parking", "parking handler pod")
    stranger = world.stack.aws("vpc-lattice").create_service(name=f"by-hand-{world.namespace}"[:40].strip("-"))
    try:
        wait_for("targets that answer their checks", lambda: {
            target["status"] for group in world.stack.emulator.state()["targetGroups"]
            if world.namespace in group["name"] for target in group["targets"]}, within=PROGRAMMED_SECONDS,
            until=lambda seen: seen <= {"HEALTHY", "UNAVAILABLE"})
        value, page = directory(world)
    finally:
        world.stack.aws("vpc-lattice").delete_service(serviceIdentifier=stranger["id"])
    assert value["leftOut"] == []
    key = f"{world.one.spec.name}/HTTPRoute/{world.namespace}/rates"
    (service,) = [one for one in value["services"] if key in one["routes"]]
    assert service["owner"] == "ours" and not service["isOrphan"] and service["networks"] == ["my-hotel"]
    assert service["dnsName"] == name and world.one.spec.name in service["clusters"]
    sources = {one["source"]: (one["healthy"], one["targets"]) for one in service["backends"]}
    assert set(sources) == {f"{world.one.spec.name}/Service/{world.namespace}/{of}" for of in ("parking", "review")}
    assert all(healthy == targets > 0 for healthy, targets in sources.values()), sources
    (route,) = [one for one in value["routes"] if (one["namespace"], one["name"]) == (world.namespace, "rates")]
    assert route["standing"] == "Programmed" and route["services"] == [service["name"]]
    (by_hand,) = [one for one in value["services"] if one["arn"] == stranger["arn"]]
    assert by_hand["owner"] == "others" and "unit" not in by_hand
    (network,) = [one for one in value["networks"] if one["name"] == "my-hotel"]
    assert world.one.spec.name in {cluster for vpc in network["vpcs"] for cluster in vpc["clusters"]}
    assert {one["name"] for one in value["clusters"] if one["state"] == "registered"} == {one.spec.name for one in world.stack.clusters}
    for text in (service["name"], name, stranger["name"], key):
        assert text in page


def test_a_route_that_is_refused_stands_among_what_to_look_at_with_its_reason(world: World) -> None:
    world.gateway()
    rules = [{"matches": [{"path": {"type": "RegularExpression", "value": "/a.*"}}], "backendRefs": []}]
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "odd"},
             "spec": {"parentRefs": [{"name": "my-hotel"}], "rules": rules}}
    world.kubectl("apply", "-f", "-", stdin=json.dumps(route))
    wait_for("the route's status", lambda: world.get("httproutes", "odd").get("status", {}).get("parents"), within=PROGRAMMED_SECONDS)
    value, page = directory(world)
    (remark,) = [one for one in value["remarks"] if f"{world.namespace}/odd" in one["subject"]]
    assert remark["subject"] == f"HTTPRoute {world.namespace}/odd of cluster {world.one.spec.name}"
    assert "RegularExpression" in remark["text"] and "RegularExpression" in page
