"""Backends that are no Services: a Lambda function behind a path and beside Pods, addresses, and a target group of a customer's."""

from __future__ import annotations

import io
import json
import operator
import shlex
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import yaml

from stack.objects import conditions, dns_name
from stack.settings import ACCOUNT, REGION
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World, mutations

GROUP = "trellis.application-networking.k8s.aws"
#: The function of the examples.
FUNCTION = "rates"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
#: Between two looks at what is not there: 5 s at first, and the queue and the calls beside it.
FOUND_SECONDS = 5.0 + PROGRAMMED_SECONDS
#: The chance that one of two halves has none of 40 requests is 2e-12.
REQUESTS = 40
PODS = "parking handler pod"
#: It answers as VPC Lattice wants it, and tells what it was given.
CODE = """
import json
def handler(event, context):
    told = {"version": event.get("version", "1"), "path": event.get("path") or event.get("raw_path"), "method": event["method"]}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "isBase64Encoded": False, "body": json.dumps(told)}
"""


def make_function(world: World, tags: dict[str, str]) -> None:
    """Deploys the function of the examples into the local cloud."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("index.py", CODE)
    trust = {"Version": "2012-10-17",
             "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = world.stack.aws("iam").create_role(RoleName=FUNCTION, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    world.stack.aws("lambda").create_function(FunctionName=FUNCTION, Runtime="python3.12", Handler="index.handler", Role=role,
                                              Code={"ZipFile": archive.getvalue()}, Tags=tags)


@pytest.fixture
def hotel(world: World) -> Iterator[World]:
    world.gateway()
    world.roll_out("parking")
    yield world
    functions, roles = world.stack.aws("lambda"), world.stack.aws("iam")
    with suppress(functions.exceptions.ResourceNotFoundException, roles.exceptions.NoSuchEntityException):
        functions.delete_function(FunctionName=FUNCTION)
        roles.delete_role(RoleName=FUNCTION)


def principals(world: World) -> list[str]:
    """Who may invoke the function."""
    functions = world.stack.aws("lambda")
    try:
        policy = json.loads(functions.get_policy(FunctionName=FUNCTION)["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return []
    return [statement["Principal"]["Service"] for statement in policy["Statement"]]


def reason(world: World, kind: str, name: str, expected: str, within: float = PROGRAMMED_SECONDS) -> dict[str, Any]:
    """Waits until an object says that of its references, and returns the condition."""
    found: dict[str, Any] = {}

    def said() -> str:
        status = world.get(kind, name) if kind == "httproutes" else backend(world, name)
        found.update(next((one for one in conditions(status) if one["type"] == "ResolvedRefs"), {}))
        return str(found.get("reason", ""))

    wait_for(f"{kind}/{name}: ResolvedRefs {expected}", said, within=within, until=partial(operator.eq, expected))
    return found


def backend(world: World, name: str) -> dict[str, Any]:
    """A Backend as it is."""
    found: dict[str, Any] = world.one.get(f"/apis/{GROUP}/v1alpha1/namespaces/{world.namespace}/backends/{name}")
    return found


def apply_backend(world: World, name: str, spec: dict[str, Any]) -> None:
    """Applies a Backend."""
    made = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Backend", "metadata": {"name": name}, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(made))


def lead_to(world: World, name: str) -> None:
    """Applies a route that leads to a Backend alone."""
    refs = [{"group": GROUP, "kind": "Backend", "name": name}]
    spec = {"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": refs}]}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "elsewhere"}, "spec": spec}
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(route))


def test_a_path_leads_to_a_function_and_a_half_is_shared_with_pods(hotel: World) -> None:
    make_function(hotel, {"trellis:invoke": "allow"})
    hotel.apply("rates-function", "rates-function-route")
    name = dns_name(hotel.programmed("httproutes", "rates-function"))
    assert principals(hotel) == ["vpc-lattice.amazonaws.com"]
    hotel.answers(name, PODS)
    hotel.answers(f"{name}/fn", '"path": "/fn"')
    told = json.loads(hotel.stack.fetch(f"http://{name}/fn/x"))
    assert told == {"version": "2.0", "path": "/fn/x", "method": "GET"}
    halves = Counter("function" if '"version"' in hotel.stack.fetch(f"http://{name}/half") else "pods" for _ in range(REQUESTS))
    assert set(halves) == {"function", "pods"}, halves
    # A look at all that stands changes nothing.
    hotel.quiet()
    mark = hotel.stack.emulator.mark()
    hotel.drift_pass()
    assert not mutations(hotel.stack.emulator.operations(mark))
    # Where the Backend names another form of the event, requests move to another group.
    apply_backend(hotel, "rates-function", {"lambda": {"function": ARN, "eventStructureVersion": "V1"}})
    hotel.answers(f"{name}/fn", '"version": "1"')
    hotel.kubectl("delete", "httproute,backend", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)


def test_a_function_without_the_tag_is_not_opened_and_the_command_in_the_status_opens_it(hotel: World) -> None:
    make_function(hotel, {"team": "rooms"})
    hotel.apply("rates-function", "rates-function-route")
    message = reason(hotel, "httproutes", "rates-function", "InvokeNotPermitted")["message"]
    assert principals(hotel) == []
    told = reason(hotel, "backends", "rates-function", "InvokeNotPermitted")["message"]
    assert "aws lambda add-permission" in told and "aws lambda add-permission" in message
    name = dns_name(hotel.programmed("httproutes", "rates-function"))
    hotel.answers(f"{name}/half", PODS)
    words = shlex.split(told.split("`")[1])[3:]
    given = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    hotel.stack.aws("lambda").add_permission(
        FunctionName=given["function-name"], StatementId=given["statement-id"], Action=given["action"], Principal=given["principal"],
        SourceArn=given["source-arn"])
    reason(hotel, "httproutes", "rates-function", "ResolvedRefs", FOUND_SECONDS)
    hotel.answers(f"{name}/fn", '"path": "/fn"')
    assert principals(hotel) == ["vpc-lattice.amazonaws.com"]
    hotel.kubectl("delete", "httproute,backend", "--all")


def test_addresses_and_a_customers_target_group_are_led_to(hotel: World) -> None:
    pod = hotel.endpoints("parking")[0]["addresses"][0]
    apply_backend(hotel, "containers", {"addresses": {"addresses": [pod], "port": 8090}})
    lead_to(hotel, "containers")
    name = dns_name(hotel.programmed("httproutes", "elsewhere"))
    hotel.answers(name, PODS)
    lattice = hotel.stack.aws("vpc-lattice")
    config = {"port": 8090, "protocol": "HTTP", "protocolVersion": "HTTP1", "vpcIdentifier": hotel.one.spec.vpc}
    group = lattice.create_target_group(name=f"{hotel.namespace}-blue", type="IP", config=config)
    wait_for("the group to be made", lambda: lattice.get_target_group(targetGroupIdentifier=group["id"])["status"],
             within=PROGRAMMED_SECONDS, until=partial(operator.eq, "ACTIVE"))
    lattice.register_targets(targetGroupIdentifier=group["id"], targets=[{"id": pod, "port": 8090}])
    apply_backend(hotel, "customers", {"targetGroup": {"arn": group["arn"]}})
    lead_to(hotel, "customers")
    hotel.programmed("httproutes", "elsewhere", generation=2)
    hotel.answers(name, PODS)
    wait_for("the group of the addresses to go", lambda: hotel.groups_made_for("elsewhere"), within=PROGRAMMED_SECONDS,
             until=lambda left: not left)
    hotel.kubectl("delete", "httproute,backend", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    lattice.deregister_targets(targetGroupIdentifier=group["id"], targets=[{"id": pod, "port": 8090}])
    wait_for("the group to be empty", lambda: lattice.list_targets(targetGroupIdentifier=group["id"])["items"], within=PROGRAMMED_SECONDS,
             until=lambda left: not left)
    lattice.delete_target_group(targetGroupIdentifier=group["id"])


@pytest.mark.parametrize("spec", [{}, {"lambda": {"function": "a"}, "targetGroup": {"arn": "arn"}}, {"lambda": {"function": "a b"}},
                                  {"addresses": {"addresses": [], "port": 80}}])
def test_the_api_server_takes_no_backend_that_is_not_exactly_one_thing(world: World, spec: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="invalid|Invalid"):
        apply_backend(world, "wrong", spec)
