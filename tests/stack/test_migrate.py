"""What goes to which unit in a migration, and what stays."""

from __future__ import annotations

import pytest
from migrate.decisions import (
    ACCESS_LOGS,
    AUTH_POLICY,
    MANAGED_BY,
    OWNER,
    PREFIX,
    UNIT,
    Objects,
    Place,
    Resource,
    decide,
    owner_tags,
    policy_mark,
    to_release,
)

PLACE = Place("123456789012", "us-west-2", "one", "vpc-1", "trellis")
ROUTE = "route/123456789012/us-west-2/HTTPRoute/one/default/inventory"
OBJECTS = Objects(frozenset({("HTTPRoute", "default", "inventory")}), frozenset({("default", "rooms")}), frozenset({"svc-1"}))
OURS = {MANAGED_BY: "123456789012/one/vpc-1"}
POLICY = '{"Version": "2012-10-17", "Statement": []}'


def arn(path: str) -> str:
    return f"arn:aws:vpc-lattice:us-west-2:123456789012:{path}"


def tagged(**tags: str) -> dict[str, str]:
    return OURS | {f"{PREFIX}{key}": value for key, value in tags.items()}


SERVICE = Resource(arn("service/svc-1"), "inventory-default", tagged(RouteName="inventory", RouteNamespace="default", RouteType="http"))
GROUP = Resource(arn("targetgroup/tg-1"), "k8s-default-inventory-abcdefghij",
                 tagged(RouteName="inventory", RouteNamespace="default", SourceTypeKey="HTTPRoute"), (SERVICE.arn,))
EXPORT = tagged(SourceTypeKey="ServiceExport", ServiceNamespace="default", ServiceName="rooms")


def below(path: str, name: str, tags: dict[str, str]) -> Resource:
    return Resource(arn(f"service/svc-1/{path}"), name, tags, (SERVICE.arn,))


def units(*resources: Resource, policies: dict[str, str] | None = None) -> dict[str, str]:
    """Unit by ARN; for what stays, why."""
    plan = decide(PLACE, resources, OBJECTS, policies or {})
    return {one.arn: one.unit for one in plan.adopt} | {one.arn: one.why for one in plan.left}


def test_a_route_gets_its_service_and_all_of_the_controllers_below() -> None:
    listener = below("listener/listener-1", "inventory-default-80-http", OURS)
    old = below("listener/listener-1/rule/rule-1", "k8s-1700000000-rule-1", {})
    customers = below("listener/listener-1/rule/rule-2", "maintenance", {})
    association = Resource(arn("servicenetworkserviceassociation/snsa-1"), "inventory-default in my-hotel", OURS, (SERVICE.arn,))
    found = units(SERVICE, listener, old, customers, association, GROUP)
    assert {found[one.arn] for one in (SERVICE, listener, old, association, GROUP)} == {ROUTE}
    assert found[customers.arn] == "it is not the controller's of this cluster"


def test_the_hash_is_the_one_that_the_functions_compute() -> None:
    # shared/hint/src/unit.rs; `printf %s <key> | sha256sum`.
    assert owner_tags("trellis", "gateway/123456789012/us-west-2/my-hotel")[UNIT] == "0f4c0d05ee33cdef448e732b67eab8ba"


@pytest.mark.parametrize("tags", [
    tagged(RouteName="gone", RouteNamespace="default", RouteType="http"),
    tagged(RouteName="inventory", RouteNamespace="default", RouteType="grpc"),
    {MANAGED_BY: "123456789012/two/vpc-2", f"{PREFIX}RouteName": "inventory", f"{PREFIX}RouteNamespace": "default"},
    {},
])
def test_a_service_of_no_route_or_of_another_cluster_stays(tags: dict[str, str]) -> None:
    listener = below("listener/listener-1", "x", OURS)
    plan = decide(PLACE, [Resource(SERVICE.arn, "x", tags), listener], OBJECTS, {})
    assert (plan.adopt, len(plan.left)) == ([], 2)


def test_an_old_service_without_the_routes_kind_goes_to_the_only_route_of_its_name() -> None:
    service = Resource(SERVICE.arn, "x", tagged(RouteName="inventory", RouteNamespace="default"))
    assert units(service) == {service.arn: ROUTE}


def test_an_export_that_somebody_uses_stands_in_the_way() -> None:
    used = Resource(arn("targetgroup/tg-2"), "k8s-default-rooms-abcdefghij", EXPORT, (arn("service/svc-9"),))
    free = Resource(arn("targetgroup/tg-3"), "k8s-default-rooms-bbbbbbbbbb", EXPORT)
    plan = decide(PLACE, [used, free], OBJECTS, {})
    assert [one.unit for one in plan.adopt] == ["export/123456789012/us-west-2/one/default/rooms"]
    assert [(one.arn, one.stands_in_the_way) for one in plan.left] == [(used.arn, True)]


def test_what_another_installation_has_stands_in_the_way() -> None:
    service = Resource(SERVICE.arn, SERVICE.name, {**SERVICE.tags, OWNER: "staging"})
    assert [one.stands_in_the_way for one in decide(PLACE, [service], OBJECTS, {}).left] == [True]


def test_policies_and_logs_of_a_service_are_marked_as_trellis_marks_its_own() -> None:
    logs = Resource(arn("accesslogsubscription/als-1"), "als-1", OURS, (SERVICE.arn,))
    (service, log) = decide(PLACE, [SERVICE, logs], OBJECTS, {SERVICE.arn: POLICY}).adopt
    assert (log.unit, service.tags[ACCESS_LOGS]) == (ROUTE, "")
    # shared/lattice/tests/planning/auth.rs
    assert service.tags[AUTH_POLICY] == "8d4ef500412f" == policy_mark('{"Version":"2012-10-17","Statement":[]}')
    persons = decide(PLACE, [SERVICE], Objects(OBJECTS.routes, OBJECTS.exports, frozenset()), {SERVICE.arn: POLICY})
    assert AUTH_POLICY not in persons.adopt[0].tags, "a policy that a person wrote stays a person's"


def test_what_is_trellis_already_needs_nothing() -> None:
    service = Resource(SERVICE.arn, SERVICE.name, {**SERVICE.tags, **owner_tags("trellis", ROUTE)})
    assert units(service) == {}


def test_only_the_clusters_own_goes_back() -> None:
    def one(path: str, key: str, managed_by: str = OURS[MANAGED_BY], owner: str = "trellis") -> Resource:
        return Resource(arn(path), path, {**owner_tags(owner, key), MANAGED_BY: managed_by})

    network = one("servicenetwork/sn-1", "gateway/123456789012/us-west-2/my-hotel", managed_by="")
    service, vpc = one("service/svc-1", ROUTE), one("servicenetworkvpcassociation/snva-1", "gateway/123456789012/us-west-2/my-hotel")
    others = [
        one("service/svc-2", ROUTE.replace("/one/", "/two/"), managed_by="123456789012/two/vpc-2"),
        one("service/svc-3", ROUTE, owner="staging"),
        one("servicenetworkvpcassociation/snva-2", "gateway/123456789012/us-west-2/my-hotel", managed_by="123456789012/two/vpc-2"),
    ]
    back, left = to_release(PLACE, [network, service, vpc, *others], networks=False)
    assert ([one.arn for one in back], [one.arn for one in left]) == ([service.arn, vpc.arn], [network.arn])
    assert network in to_release(PLACE, [network], networks=True)[0]
