"""Policies: what they make of VPC Lattice, what their status says, and that nothing keeps one from being deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from stack.objects import conditions, dns_name
from stack.traffic import no_failed_http2_request
from stack.waiting import wait_for
from stack.world import HTTPS_GATEWAY, PROGRAMMED_SECONDS, World

LATTICE_API = "application-networking.k8s.aws/v1alpha1"
LOG_GROUP = "arn:aws:logs:us-west-2:123456789012:log-group:myloggroup:*"
OTHER_LOG_GROUP = "arn:aws:logs:us-west-2:123456789012:log-group:another:*"
#: An object without finalizers is gone at once; kubectl would wait for one that is stuck.
GONE = "--timeout=20s"


def apply(world: World, kind: str, name: str, spec: dict[str, Any]) -> None:
    """Applies a policy of the route inventory as the documentation of the AWS Gateway API Controller has it."""
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "inventory"}
    item = {"apiVersion": LATTICE_API, "kind": kind, "metadata": {"name": name}, "spec": {"targetRef": target, **spec}}
    world.kubectl("apply", "--validate=strict", "-f", "-", stdin=yaml.safe_dump(item))


def accepted(world: World, kind: str, name: str) -> str:
    """The reason of a policy's condition Accepted; of its present generation."""
    item = world.get(kind, name)
    found = [c for c in conditions(item) if c["type"] == "Accepted"]
    return found[0]["reason"] if found and found[0].get("observedGeneration") == item["metadata"]["generation"] else ""


def destinations(world: World) -> list[str]:
    """Where the access logs of the route inventory go."""
    lattice = world.stack.aws("vpc-lattice")
    found = lattice.list_access_log_subscriptions(resourceIdentifier=world.service("inventory")["id"])["items"]
    return [item["destinationArn"] for item in found]


def test_an_access_log_policy_of_any_namespace_logs_its_route_moves_and_goes(world: World) -> None:
    world.inventory()
    apply(world, "AccessLogPolicy", "logs", {"destinationArn": LOG_GROUP})
    world.programmed("accesslogpolicies", "logs")
    assert destinations(world) == [LOG_GROUP]
    apply(world, "AccessLogPolicy", "logs", {"destinationArn": OTHER_LOG_GROUP})
    world.programmed("accesslogpolicies", "logs", generation=2)
    assert destinations(world) == [OTHER_LOG_GROUP]
    world.kubectl("delete", "accesslogpolicy", "logs", GONE)
    wait_for("no access log", lambda: destinations(world), within=PROGRAMMED_SECONDS, until=lambda found: found == [])


def test_a_policy_whose_route_is_gone_says_so_and_can_be_deleted(world: World) -> None:
    world.inventory()
    apply(world, "AccessLogPolicy", "logs", {"destinationArn": LOG_GROUP})
    world.programmed("accesslogpolicies", "logs")
    world.kubectl("delete", "httproute", "inventory", GONE)
    wait_for("TargetNotFound", lambda: accepted(world, "accesslogpolicies", "logs"), within=PROGRAMMED_SECONDS,
             until=lambda reason: reason == "TargetNotFound")
    world.kubectl("delete", "accesslogpolicy", "logs", GONE)


POLICY = """
{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "vpc-lattice-svcs:Invoke",
            "Resource": "*",
            "Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/header1": "value1"}}
        }
    ]
}
"""


def auth_type(world: World) -> str:
    """The auth type of the route's service."""
    lattice = world.stack.aws("vpc-lattice")
    found: str = lattice.get_service(serviceIdentifier=world.service("inventory")["id"])["authType"]
    return found


def test_an_auth_policy_closes_its_route_which_only_its_annotation_opens(world: World) -> None:
    name = world.inventory()
    apply(world, "IAMAuthPolicy", "callers", {"policy": POLICY})
    world.programmed("iamauthpolicies", "callers")
    assert auth_type(world) == "AWS_IAM"
    wait_for("a request without the header to be denied", lambda: world.stack.fetch(f"http://{name}"), within=PROGRAMMED_SECONDS,
             until=lambda body: "AccessDenied" in body)
    world.kubectl("delete", "iamauthpolicy", "callers", GONE)
    world.quiet()
    assert auth_type(world) == "AWS_IAM"
    world.kubectl("annotate", "httproute", "inventory", "application-networking.k8s.aws/auth-type=NONE")
    wait_for("the service to be open", lambda: auth_type(world), within=PROGRAMMED_SECONDS, until=lambda found: found == "NONE")
    world.answers(name, "inventory-ver1 handler pod")


def test_an_auth_policy_whose_route_is_gone_says_so_and_can_be_deleted(world: World) -> None:
    world.inventory()
    apply(world, "IAMAuthPolicy", "callers", {"policy": POLICY})
    world.programmed("iamauthpolicies", "callers")
    world.kubectl("delete", "httproute", "inventory", GONE)
    wait_for("TargetNotFound", lambda: accepted(world, "iamauthpolicies", "callers"), within=PROGRAMMED_SECONDS,
             until=lambda reason: reason == "TargetNotFound")
    world.kubectl("delete", "iamauthpolicy", "callers", GONE)


#: Longer than the data plane takes here to follow the API, shorter than Trellis waits for it.
PROPAGATION = "3s"
#: Every second, by HTTP/2 over TLS on one connection.
REQUESTS = 100


def test_a_target_group_policy_changes_check_and_protocol_without_a_failed_request(world: World, tmp_path: Path) -> None:
    world.kubectl("apply", "-f", "-", stdin=HTTPS_GATEWAY)
    world.programmed("gateways", "my-hotel")
    world.roll_out("inventory-ver1")
    world.apply("inventory-route")
    name = dns_name(world.programmed("httproutes", "inventory"))
    (before,) = world.described_groups("inventory")
    service = {"group": "", "kind": "Service", "name": "inventory-ver1"}
    check = {"path": "/healthz", "intervalSeconds": 5, "timeoutSeconds": 2}
    requests = no_failed_http2_request(world.stack, name, tmp_path / "answers.log", a_second=REQUESTS)
    with world.stack.delays(latency="5ms", propagation=PROPAGATION), requests:
        apply(world, "TargetGroupPolicy", "pods", {"targetRef": service, "healthCheck": check})
        world.programmed("targetgrouppolicies", "pods")
        (checked,) = world.described_groups("inventory")
        assert checked["id"] == before["id"], "the health check is changed in place"
        assert checked["config"]["healthCheck"]["path"] == "/healthz"
        apply(world, "TargetGroupPolicy", "pods", {"targetRef": service, "healthCheck": check, "protocolVersion": "HTTP2"})
        world.programmed("targetgrouppolicies", "pods", generation=2)
        wait_for("the old target group to go", lambda: world.described_groups("inventory"), within=PROGRAMMED_SECONDS,
                 until=lambda found: len(found) == 1)
    (after,) = world.described_groups("inventory")
    assert after["id"] != before["id"] and after["config"]["protocolVersion"] == "HTTP2"
    assert after["config"]["healthCheck"]["path"] == "/healthz"


def test_a_target_group_policy_tells_what_becomes_of_its_service_and_can_be_deleted(world: World) -> None:
    world.inventory()
    service = {"group": "", "kind": "Service", "name": "nowhere"}
    apply(world, "TargetGroupPolicy", "pods", {"targetRef": service, "protocol": "HTTP"})
    wait_for("TargetNotFound", lambda: accepted(world, "targetgrouppolicies", "pods"), within=PROGRAMMED_SECONDS,
             until=lambda reason: reason == "TargetNotFound")
    apply(world, "TargetGroupPolicy", "pods", {"targetRef": {**service, "name": "inventory-ver1"}, "healthCheck": {"path": "/healthz"}})
    world.programmed("targetgrouppolicies", "pods", generation=2)
    world.kubectl("delete", "targetgrouppolicy", "pods", GONE)
    wait_for("the default check", lambda: [one["config"]["healthCheck"]["path"] for one in world.described_groups("inventory")],
             within=PROGRAMMED_SECONDS, until=lambda paths: paths == ["/"])
