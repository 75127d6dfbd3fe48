"""What goes to which unit of Trellis, and what goes back: pure functions over plain values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFIX = "application-networking.k8s.aws/"
MANAGED_BY = f"{PREFIX}ManagedBy"
OWNER, UNIT, KEY, KEY_REST = "trellis:owner", "trellis:unit", "trellis:key", "trellis:key-rest"
ACCESS_LOGS, AUTH_POLICY = "trellis:access-logs", "trellis:auth-policy"
#: Characters of a tag's value (VPC Lattice API reference, TagResource).
TAG_VALUE_CHARS = 256
#: Characters of a unit's hash in its owner tag, and of a policy's mark.
UNIT_HASH_CHARS, POLICY_MARK_CHARS = 32, 12
#: By the controller's tag RouteType, and by its tag SourceTypeKey.
ROUTE_KINDS = {"http": "HTTPRoute", "grpc": "GRPCRoute", "tls": "TLSRoute"}
EXPORT = "ServiceExport"
#: The controller names its rules by the time and the priority. Those of old versions bear no tags.
RULE_NAME = re.compile(r"k8s-\d+-rule-\d+")


@dataclass(frozen=True)
class Place:
    """Whose resources are meant."""

    account: str
    region: str
    cluster: str
    vpc: str
    owner: str

    @property
    def managed_by(self) -> str:
        """The value of the controller's tag ManagedBy."""
        return f"{self.account}/{self.cluster}/{self.vpc}"

    def key(self, kind: str, *names: str) -> str:
        """A unit's key, as ARCHITECTURE.md lists them."""
        return "/".join([kind, self.account, self.region, *names])

    def key_of_route(self, kind: str, namespace: str, name: str) -> str:
        """The key of a route's unit."""
        return self.key("route", kind, self.cluster, namespace, name)


@dataclass(frozen=True)
class Resource:
    """A resource of VPC Lattice."""

    arn: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    #: Of a target group the services that use it; of what is below a service that service; of access logs what they are of.
    of: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The word before the last id of the ARN."""
        return self.arn.split("/")[-2].rpartition(":")[2]

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    def tag(self, name: str) -> str:
        """The value of a tag of the controller's; empty if it has none."""
        return self.tags.get(PREFIX + name, "")


@dataclass(frozen=True)
class Objects:
    """What the cluster has: routes as (kind, namespace, name), exports as (namespace, name)."""

    routes: frozenset[tuple[str, str, str]]
    exports: frozenset[tuple[str, str]]
    #: Ids of services and networks that an IAMAuthPolicy of the controller's is at.
    secured: frozenset[str]


@dataclass(frozen=True)
class Adoption:
    """A resource that a unit gets."""

    arn: str
    name: str
    unit: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Left:
    """A resource that stays as it is."""

    arn: str
    name: str
    why: str
    #: Whether it has to be settled before the cluster is moved.
    stands_in_the_way: bool = False


@dataclass
class Plan:
    """What would be done."""

    adopt: list[Adoption] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def owner_tags(owner: str, key: str) -> dict[str, str]:
    """The tags by which Trellis knows what is its own (ARCHITECTURE.md, two owner tags)."""
    tags = {OWNER: owner, UNIT: hashlib.sha256(key.encode()).hexdigest()[:UNIT_HASH_CHARS], KEY: key[:TAG_VALUE_CHARS]}
    rest = key[TAG_VALUE_CHARS:]
    return tags | ({KEY_REST: rest} if rest else {})


def policy_mark(policy: str) -> str:
    """The text by which Trellis knows an auth policy again: a hash of its length and its JSON without spaces."""
    text = json.dumps(json.loads(policy), separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(len(text).to_bytes(8, "big") + text).hexdigest()[:POLICY_MARK_CHARS]


def decide(place: Place, resources: Iterable[Resource], objects: Objects, policies: Mapping[str, str]) -> Plan:
    """What goes to which unit, and what stays. `policies`: auth policies by the ARN of their service."""
    every = list(resources)
    services = [one for one in every if one.kind == "service"]
    units = {one.arn: unit for one in services if (unit := _unit_of_service(place, one, objects))}
    logged = {arn for one in every if one.kind == "accesslogsubscription" and _is_controllers(place, one) for arn in one.of}
    plan = Plan()
    for one in every:
        whose = _unit_of(place, one, objects, units)
        if isinstance(whose, Left):
            plan.left.append(whose)
        elif one.tags.get(OWNER, place.owner) != place.owner:
            why = f"it belongs to another installation, {one.tags[OWNER]}"
            plan.left.append(Left(one.arn, one.name, why, stands_in_the_way=True))
        else:
            tags = owner_tags(place.owner, whose)
            if one.arn in logged:
                tags[ACCESS_LOGS] = ""
            if one.arn in policies and one.id in objects.secured:
                tags[AUTH_POLICY] = policy_mark(policies[one.arn])
            missing = {key: value for key, value in tags.items() if one.tags.get(key) != value}
            if missing:
                plan.adopt.append(Adoption(one.arn, one.name, whose, missing))
    return plan


def _is_controllers(place: Place, one: Resource) -> bool:
    """Whether the controller of this cluster made it. Rules of its old versions bear no tags, and are told by their name."""
    is_untagged_rule = one.kind == "rule" and MANAGED_BY not in one.tags and RULE_NAME.fullmatch(one.name) is not None
    return one.tags.get(MANAGED_BY) == place.managed_by or is_untagged_rule


def _unit_of_service(place: Place, one: Resource, objects: Objects) -> str | None:
    """The route's unit that a service goes to; none if the cluster has no such route, or several kinds of that name."""
    namespace, name, kind = one.tag("RouteNamespace"), one.tag("RouteName"), ROUTE_KINDS.get(one.tag("RouteType"))
    kinds = [kind] if kind else [one for one in ROUTE_KINDS.values() if (one, namespace, name) in objects.routes]
    if not _is_controllers(place, one) or len(kinds) != 1 or (kinds[0], namespace, name) not in objects.routes:
        return None
    return place.key_of_route(kinds[0], namespace, name)


def _unit_of(place: Place, one: Resource, objects: Objects, units: Mapping[str, str]) -> str | Left:
    """The unit that a resource goes to, or why it stays."""
    if not _is_controllers(place, one):
        return Left(one.arn, one.name, "it is not the controller's of this cluster")
    match one.kind:
        case "service":
            unit = units.get(one.arn)
            return unit or Left(one.arn, one.name, "its route is not there any more: the controller left it behind")
        case "listener" | "rule" | "servicenetworkserviceassociation":
            unit = units.get(one.of[0])
            return unit or Left(one.arn, one.name, "its service is not taken over")
        case "targetgroup":
            return _unit_of_group(place, one, objects, units)
        case "servicenetworkvpcassociation":
            return place.key("gateway", one.name)
        case "accesslogsubscription":
            unit = units.get(one.of[0])
            return unit or Left(one.arn, one.name, "the access logs of a network stay with whoever made them")
        case "servicenetwork":
            why = "a network stays with whoever made it: name it in the stack's parameter AllowedNetworks"
            return Left(one.arn, one.name, why)
        case _:
            return Left(one.arn, one.name, "Trellis has no such resources")


def _unit_of_group(place: Place, one: Resource, objects: Objects, units: Mapping[str, str]) -> str | Left:
    source = one.tag("SourceTypeKey")
    strangers = [arn for arn in one.of if arn not in units]
    if source == EXPORT:
        namespace, name = one.tag("ServiceNamespace"), one.tag("ServiceName")
        if one.of:
            why = f"an export that {', '.join(one.of)} still uses: first move the cluster that imports it, or take that import away"
            return Left(one.arn, one.name, why, stands_in_the_way=True)
        if (namespace, name) in objects.exports:
            return place.key("export", place.cluster, namespace, name)
        return Left(one.arn, one.name, "its export is not there any more: the controller left it behind")
    namespace, name = one.tag("RouteNamespace"), one.tag("RouteName")
    if (source, namespace, name) not in objects.routes:
        return Left(one.arn, one.name, "its route is not there any more: the controller left it behind")
    if strangers:
        return Left(one.arn, one.name, f"{', '.join(strangers)} uses it as well", stands_in_the_way=True)
    return place.key_of_route(source, namespace, name)


def to_release(place: Place, resources: Iterable[Resource], *, networks: bool) -> tuple[list[Resource], list[Left]]:
    """What goes back to the controller: all of this cluster's units and its VPC's associations. Without the controller's own tags it
    would be nobody's."""
    back: list[Resource] = []
    left: list[Left] = []
    of_cluster = re.compile(rf"(route/[^/]+/[^/]+/[^/]+|export/[^/]+/[^/]+)/{re.escape(place.cluster)}/")
    for one in resources:
        is_whole_network = one.kind == "servicenetwork"
        if one.tags.get(OWNER) != place.owner:
            continue
        if is_whole_network and not networks:
            left.append(Left(one.arn, one.name, "the network stays Trellis'; --with-networks gives it up as well"))
        elif not is_whole_network and one.tags.get(MANAGED_BY) != place.managed_by:
            continue
        elif of_cluster.match(one.tags.get(KEY, "")) or one.kind in ("servicenetworkvpcassociation", "servicenetwork"):
            back.append(one)
    return back, left
