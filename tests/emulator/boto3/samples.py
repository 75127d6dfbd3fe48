"""Sample values for the model's shapes: valid ones, and ones that break a single constraint."""

import collections
import itertools
import re

ID = "0123456789abcdef0"
ARN = "arn:aws:vpc-lattice:us-west-2:000000000000:"
PREFIXES = {
    "AccessLogSubscriptionIdentifier": "als", "DomainVerificationIdentifier": "dv", "ListenerIdentifier": "listener",
    "ResourceConfigurationIdentifier": "rcfg", "ResourceEndpointAssociationIdentifier": "rea",
    "ResourceGatewayIdentifier": "rgw", "ResourceIdentifier": "svc", "RuleIdentifier": "rule", "ServiceIdentifier": "svc",
    "ServiceNetworkIdentifier": "sn", "ServiceNetworkResourceAssociationIdentifier": "snra",
    "ServiceNetworkServiceAssociationIdentifier": "snsa", "ServiceNetworkVpcAssociationIdentifier": "snva",
    "TargetGroupIdentifier": "tg", "ServiceNetworkIdentifierWithoutRegex": "sn",
}
FIXED = {
    "AccessLogDestinationArn": "arn:aws:logs:us-west-2:000000000000:log-group:all", "Arn": f"{ARN}service/svc-{ID}",
    "CertificateArn": "arn:aws:acm:us-west-2:000000000000:certificate/0a", "ResourceArn": f"{ARN}service/svc-{ID}",
    "SecurityGroupId": "sg-12345678", "VpcId": "vpc-0a1b2c3d4e5f60001", "VpcEndpointId": f"vpce-{ID}",
    "VpcEndpointOwner": "000000000000", "WildcardArn": "arn:aws:rds:us-west-2:000000000000:db:x", "PortRange": "80-81",
    "HttpCodeMatcher": "200", "IpAddress": "10.0.0.1", "DomainName": "shop.example.com", "CidrRange": "10.0.0.0/24",
    "AuthPolicyString": "{}", "PolicyString": "{}",
}
STRETCHED = {"PathMatchExact": "/", "PathMatchPrefix": "/", "HealthCheckPath": "/"}
"""Patterned strings that any length of the letter `a` continues."""

NAMES = re.compile(r"(Service|ServiceNetwork|TargetGroup|Listener|Rule|ResourceConfiguration|ResourceGateway)Name$")
fresh = itertools.count(1)
CASES = collections.Counter()
"""How many inputs of each kind were tried; the run's output shows it."""


def sample(shape):
    """A valid value."""
    kind, low = shape.type_name, shape.metadata.get("min", 0) or 0
    if kind == "structure":
        if shape.is_tagged_union:
            name, inner = next(iter(shape.members.items()))
            return {name: sample(inner)}
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [sample(shape.member) for _ in range(max(low, 1))]
    if kind == "map":
        return {"key": "value"}
    if kind == "boolean":
        return True
    if kind != "string":
        return max(low, 404 if shape.name == "HttpStatusCode" else 1)
    if shape.enum:
        return shape.enum[0]
    if shape.name in PREFIXES:
        return f"{PREFIXES[shape.name]}-{ID}"
    if NAMES.search(shape.name):
        return f"name-{next(fresh)}"
    return FIXED.get(shape.name) or stretched(shape, max(low, 1))


def stretched(shape, length):
    """A valid string of a length."""
    start = STRETCHED.get(shape.name, "")
    return (start + "a" * length)[:length]


def stretchable(shape):
    """Whether every length within the bounds can be made."""
    patterned = "pattern" in shape.metadata and shape.name not in STRETCHED and not NAMES.search(shape.name)
    return not patterned and shape.name not in {"AuthPolicyString"}


def minimal(operation):
    """The smallest valid input of an operation, by the model alone."""
    return sample(operation.input_shape)


def places(shape, path=(), seen=()):
    """Every member and item below a structure as (path, shape, owner's shape), each shape once on the way down."""
    for name, inner in shape.members.items():
        here = (*path, name)
        yield here, inner, shape
        below = inner
        if inner.type_name == "list":
            here, below = (*here, 0), inner.member
            yield here, below, inner
        if below.type_name == "structure" and below.name not in seen:
            yield from places(below, here, (*seen, below.name))


def put(operation, path, value):
    """The minimal input with `value` at `path`, everything on the way made valid."""
    document = minimal(operation)
    shape, at = operation.input_shape, document
    for step, following in itertools.pairwise((*path, None)):
        last = following is None
        if step == 0:
            shape = shape.member
            if last:
                at[0] = value
            elif not isinstance(at[0], dict):
                at[0] = {}
            at = at[0]
            continue
        if shape.is_tagged_union:
            for other in [name for name in at if name != step]:
                del at[other]
        shape = shape.members[step]
        if last:
            at[step] = value
        elif step not in at:
            at[step] = sample(shape)
        at = at[step]
    return document


def without(operation, path, shape):
    """The minimal input with everything on the way to `path` and not what is there."""
    document = put(operation, path, sample(shape))
    at = document
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return document


def constraints(shape):
    """What the model demands of a value beside its type. A length of at least 0 demands nothing."""
    low, kind = shape.metadata.get("min"), shape.type_name
    if shape.type_name == "string" and shape.enum:
        return {"enum"}
    found = {"min"} if low is not None and (low or kind in ("integer", "long")) else set()
    found |= {"max"} if "max" in shape.metadata else set()
    found |= {"pattern"} if "pattern" in shape.metadata else set()
    found |= {"union"} if kind == "structure" and shape.is_tagged_union else set()
    if kind == "map":
        found |= {f"key {what}" for what in constraints(shape.key)}
        found |= {f"value {what}" for what in constraints(shape.value)}
    return found


def breaks(shape):
    """Values that break one constraint each, as (constraint, value)."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("integer", "long"):
        yield from (("min", low - 1),) if low is not None else ()
        yield from (("max", high + 1),) if high is not None else ()
    elif kind == "list":
        lengths = ([("min", low - 1)] if low else []) + ([("max", high + 1)] if high is not None else [])
        yield from ((what, [sample(shape.member) for _ in range(length)]) for what, length in lengths)
    elif kind == "map":
        yield from (("max", {f"k{n}": "v" for n in range(high + 1)}),) if high is not None else ()
        yield from ((f"key {what}", {key: "value"}) for what, key in breaks(shape.key))
        yield from ((f"value {what}", {"key": value}) for what, value in breaks(shape.value))
    elif kind == "structure" and shape.is_tagged_union:
        yield "union", {}
        if len(shape.members) > 1:
            yield "union", {name: sample(inner) for name, inner in itertools.islice(shape.members.items(), 2)}
    elif kind == "string" and shape.enum:
        yield "enum", "BOGUS"
        yield "enum", shape.enum[0].swapcase()
    elif kind == "string":
        yield from (("min", "a" * (low - 1)),) if low else ()
        yield from (("max", stretched(shape, high + 1)),) if high is not None else ()
        if "pattern" in shape.metadata:
            yield from (("pattern", value) for value in pattern_breakers(shape))


def pattern_breakers(shape):
    """Strings of a good length that the pattern refuses."""
    good = sample(shape)
    if NAMES.search(shape.name):
        yield from (f"{good}A", f"-{good}", f"{good}-", "a--b", f"{good}_", f"{good}é", f"{good}\n")
        reserved = re.match(r"\(\?!([a-z]+-)\)", shape.metadata["pattern"])
        if reserved:
            yield f"{reserved[1]}abc"
        return
    pattern = shape.metadata["pattern"]
    for value in (f"{good}\n", f"é{good}", f" {good}"):
        if not re.fullmatch(pattern, value):
            yield value
