"""Backends that are no Services: a Lambda function behind a path and beside Pods, instances, a load balancer, addresses, and a target group
of a customer's."""

from __future__ import annotations

import http.server
import io
import json
import operator
import shlex
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import yaml

from stack.environment import free_ports
from stack.objects import conditions, dns_name
from stack.settings import ACCOUNT, REGION
from stack.traffic import Traffic
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
#: Instances that EC2 knows; each answers at the address of a Pod.
MACHINES = ("i-0a1b2c3d4e5f60001", "i-0a1b2c3d4e5f60002")
#: A load balancer that VPC Lattice does not lead to.
NETWORK = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/a/1"
#: How soon after its event an instance is a target, and by how many calls to VPC Lattice.
EVENT_SECONDS = 3.0
EVENT_CALLS = 4
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
    world.stack.emulator.configure(**{"instances": dict.fromkeys(MACHINES), "load-balancers": None})


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


def machine(world: World, number: int, state: str, **more: Any) -> None:
    """Has EC2 know an instance at the address of a Pod."""
    address = world.endpoints("parking")[number]["addresses"][0]
    one = {"address": address, "vpc": world.one.spec.vpc, "state": state, "tags": {"app": "rates"}} | more
    world.stack.emulator.configure(instances={MACHINES[number]: one})


def registered(world: World, route: str) -> dict[str, str]:
    """The targets of a route's groups that Backends made, each with its status."""
    lattice = world.stack.aws("vpc-lattice")
    groups = [one for one in world.groups_made_for(route) if one["type"] != "IP"]
    items = [item for one in groups for item in lattice.list_targets(targetGroupIdentifier=one["id"])["items"]]
    return {item["id"]: item["status"] for item in items}


def test_an_instance_is_a_target_within_seconds_of_its_event_and_no_request_fails_when_one_stops(hotel: World) -> None:
    machine(hotel, 0, "running")
    machine(hotel, 1, "stopped")
    hotel.apply("rates-machines")
    lead_to(hotel, "rates-machines")
    name = dns_name(hotel.programmed("httproutes", "elsewhere"))
    hotel.answers(name, PODS)
    assert set(registered(hotel, "elsewhere")) == {MACHINES[0]}
    hotel.quiet()
    with Traffic(hotel.stack, name) as traffic:
        machine(hotel, 1, "running")
        mark, began = hotel.stack.emulator.mark(), time.monotonic()
        hotel.instance_event(MACHINES[1], "running")
        wait_for("the instance to be a target", lambda: hotel.stack.emulator.operations(mark)["RegisterTargets"],
                 within=PROGRAMMED_SECONDS, until=bool)
        took, calls = time.monotonic() - began, hotel.stack.emulator.operations(mark)
        print(f"an instance is a target {took:.1f} s after its event, with {calls.total()} calls: {dict(calls)}")
        assert took <= EVENT_SECONDS, took
        assert calls.total() <= EVENT_CALLS, calls
        wait_for("the instance to take requests", lambda: registered(hotel, "elsewhere").get(MACHINES[1]), within=PROGRAMMED_SECONDS,
                 until=partial(operator.eq, "HEALTHY"))
        machine(hotel, 0, "stopping")
        hotel.instance_event(MACHINES[0], "stopping")
        wait_for("the other one to leave", lambda: set(registered(hotel, "elsewhere")), within=PROGRAMMED_SECONDS,
                 until=partial(operator.eq, {MACHINES[1]}))
        machine(hotel, 0, "stopped")
        hotel.instance_event(MACHINES[0], "stopped")
        sent = traffic.sent()
        traffic.at_least(REQUESTS, since=sent, within=PROGRAMMED_SECONDS)
    assert {answer for answer in traffic.answers if PODS not in answer} == set()
    told = wait_for("the Backend's status", lambda: reason(hotel, "backends", "rates-machines", "ResolvedRefs")["message"],
                    within=PROGRAMMED_SECONDS, until=lambda text: "stopped: 1" in text)
    assert told.startswith("Routes lead to 1 instance at port 8090")
    hotel.quiet()
    mark = hotel.stack.emulator.mark()
    hotel.drift_pass()
    assert not mutations(hotel.stack.emulator.operations(mark))
    hotel.kubectl("delete", "httproute,backend", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)


def test_the_instances_of_an_auto_scaling_group_in_service_are_targets(hotel: World) -> None:
    scaling = hotel.stack.aws("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName="rates", ImageId="ami-00000000", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(AutoScalingGroupName="rates", MinSize=1, MaxSize=1, DesiredCapacity=1,
                                      LaunchConfigurationName="rates", AvailabilityZones=[f"{REGION}a"])
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["rates"])["AutoScalingGroups"]
    (member,) = group["Instances"]
    address = hotel.endpoints("parking")[0]["addresses"][0]
    hotel.stack.emulator.configure(instances={member["InstanceId"]: {"address": address, "vpc": hotel.one.spec.vpc}})
    apply_backend(hotel, "scaled", {"instances": {"autoScalingGroup": "rates", "port": 8090}})
    lead_to(hotel, "scaled")
    name = dns_name(hotel.programmed("httproutes", "elsewhere"))
    hotel.answers(name, PODS)
    assert set(registered(hotel, "elsewhere")) == {member["InstanceId"]}
    apply_backend(hotel, "scaled", {"instances": {"autoScalingGroup": "rooms", "port": 8090}})
    reason(hotel, "httproutes", "elsewhere", "AutoScalingGroupNotFound")
    hotel.kubectl("delete", "httproute,backend", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    hotel.stack.emulator.configure(instances={member["InstanceId"]: None})
    scaling.delete_auto_scaling_group(AutoScalingGroupName="rates", ForceDelete=True)
    scaling.delete_launch_configuration(LaunchConfigurationName="rates")


class Front(http.server.BaseHTTPRequestHandler):
    """What stands behind the load balancer."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"balanced")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_one_route_leads_to_pods_a_function_instances_and_a_load_balancer(hotel: World) -> None:
    make_function(hotel, {"trellis:invoke": "allow"})
    machine(hotel, 0, "running")
    balancing = hotel.stack.aws("elbv2")
    made = {name: balancing.create_load_balancer(Name=name, Type="application", Scheme=scheme)["LoadBalancers"][0]
            for name, scheme in (("rates", "internal"), ("front", "internet-facing"))}
    (port,) = free_ports(1)
    spec = {"loadBalancer": {"arn": made["front"]["LoadBalancerArn"], "port": port}}
    hotel.apply("rates-function", "rates-machines", "rates-everywhere-route")
    apply_backend(hotel, "rates-balancer", spec)
    message = reason(hotel, "httproutes", "rates-everywhere", "LoadBalancerUnfit")["message"]
    assert "internet-facing" in message
    arn = made["rates"]["LoadBalancerArn"]
    apply_backend(hotel, "rates-balancer", {"loadBalancer": {"arn": arn, "port": port}})
    reason(hotel, "httproutes", "rates-everywhere", "ResolvedRefs")
    name = dns_name(hotel.programmed("httproutes", "rates-everywhere"))
    hotel.answers(f"{name}/pods", PODS)
    hotel.answers(f"{name}/fn", '"path": "/fn"')
    hotel.answers(f"{name}/vm", PODS)
    assert registered(hotel, "rates-everywhere")[arn] == "UNAVAILABLE", "VPC Lattice does not check it"
    prefix = hotel.stack.emulator.state()["vpcs"][made["rates"]["VpcId"]]
    hotel.stack.emulator.configure(**{"load-balancers": {arn: ["10.0.9.9"]}})
    with http.server.ThreadingHTTPServer((f"{prefix}.9.9", port), Front) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hotel.answers(f"{name}/alb", "balanced")
        server.shutdown()
    hotel.kubectl("delete", "httproute,backend", "--all")
    wait_for("the service to go", hotel.remains, within=PROGRAMMED_SECONDS, until=lambda left: not left)
    for one in made.values():
        balancing.delete_load_balancer(LoadBalancerArn=one["LoadBalancerArn"])


@pytest.mark.parametrize("spec", [{}, {"lambda": {"function": "a"}, "targetGroup": {"arn": "arn"}}, {"lambda": {"function": "a b"}},
                                  {"addresses": {"addresses": [], "port": 80}}, {"instances": {"port": 80}},
                                  {"instances": {"tags": {"app": "*"}, "port": 80}},
                                  {"instances": {"ids": ["i-0a1b2c3d4e5f60001"], "autoScalingGroup": "a", "port": 80}},
                                  {"loadBalancer": {"arn": NETWORK, "port": 80}}])
def test_the_api_server_takes_no_backend_that_is_not_exactly_one_thing(world: World, spec: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="invalid|Invalid"):
        apply_backend(world, "wrong", spec)
