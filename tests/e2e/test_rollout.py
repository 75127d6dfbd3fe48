"""A rolling update under load: no request fails with the labels, and many do without.

The times are those that users of VPC Lattice have seen: a target's registration and first health check 30 s, 30 s until requests feel
that one is gone, 60 s of draining. Where requests fail anyhow, they are divided by five.
"""

from __future__ import annotations

import http.client
import json
import operator
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stack.objects import dns_name
from stack.traffic import no_failed_http2_request
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

GATE = "application-networking.k8s.aws/pod-readiness-gate"
INJECT = "application-networking.k8s.aws/pod-readiness-gate-inject"
SLEEP = "application-networking.k8s.aws/pod-prestop-sleep"
PODS = 10
#: As OPERATIONS.md says.
SLEEP_SECONDS = 60
REQUESTS_A_SECOND = 200
CLIENTS = 8
ANSWER_SECONDS = 10.0
ROLLOUT_SECONDS = 300
#: What is on its way when the last new Pod is ready: the old ones' end, and their draining.
AFTERWARDS_SECONDS = 180.0
INVENTORY = ("inventory", "HTTPRoute")
WAYS = (INVENTORY, ("by-http2", "HTTPRoute"), ("calls", "GRPCRoute"))


@dataclass
class Load:
    """So many requests a second, from several clients that keep their connections."""

    world: World
    name: str
    answers: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Load]:
        clients = [threading.Thread(target=self._send, args=(number,), daemon=True) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield self
        finally:
            self._over.set()
            for client in clients:
                client.join()

    def failed(self) -> list[str]:
        return [answer for answer in self.answers if "handler pod" not in answer]

    def _send(self, number: int) -> None:
        stack = self.world.stack
        connection = http.client.HTTPConnection(self.world.one.spec.data_plane_address, stack.emulator.data_port, timeout=ANSWER_SECONDS)
        interval = CLIENTS / REQUESTS_A_SECOND
        due = time.monotonic() + interval * number / CLIENTS
        while not self._over.wait(max(0.0, due - time.monotonic())):
            # One that is late is not made up for: the answer before took its time.
            due = max(due + interval, time.monotonic())
            try:
                connection.request("GET", "/", headers={"host": self.name})
                answer = connection.getresponse()
                self.answers.append(f"{answer.status} {answer.read().decode(errors='replace')}")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.answers.append(f"failed: {error!r}")


def label(world: World, **labels: str) -> None:
    told = [f"{key}={value}" for key, value in labels.items()]
    world.one.kubectl("label", "--overwrite", "namespace", world.namespace, *told)


def roll(world: World, deployment: str = "inventory-ver1") -> None:
    world.kubectl("rollout", "restart", f"deployment/{deployment}")
    world.kubectl("rollout", "status", f"deployment/{deployment}", f"--timeout={ROLLOUT_SECONDS}s")


def pods(world: World, app: str, *, ending: bool = False) -> list[dict[str, Any]]:
    """The Pods of an app, also those that are on their way out if asked for."""
    found: list[dict[str, Any]] = json.loads(world.kubectl("get", "pods", "-l", f"app={app}", "--output=json"))["items"]
    return [pod for pod in found if ending or "deletionTimestamp" not in pod["metadata"]]


def gates(world: World, app: str) -> Counter[str]:
    """The readiness gates of the Pods, counted."""
    return Counter(gate["conditionType"] for pod in pods(world, app) for gate in pod["spec"].get("readinessGates", []))


def at_rest(world: World, *routes: tuple[str, str]) -> None:
    """Waits until the old Pods' targets have drained, which is after all requests have left them. `routes`: name and kind."""
    wait_for("the old Pods to end", lambda: len(pods(world, "inventory-ver1", ending=True)), within=AFTERWARDS_SECONDS,
             until=lambda left: left == PODS)
    for route in routes or [INVENTORY]:
        wait_for(f"the old targets of {route} to drain", partial(world.targets_made_for, *route, draining=True), within=AFTERWARDS_SECONDS,
                 until=partial(operator.eq, 0))
        wait_for(f"the new targets of {route}", partial(world.targets_made_for, *route), within=AFTERWARDS_SECONDS,
                 until=partial(operator.eq, PODS))


def at_rest_with(world: World, replicas: int, *routes: tuple[str, str]) -> None:
    for route in routes:
        wait_for(f"the targets of {route}", partial(world.targets_made_for, *route), within=PROGRAMMED_SECONDS,
                 until=partial(operator.eq, replicas))


@pytest.fixture
def site(world: World) -> Iterator[str]:
    """The route inventory with ten Pods, at rest; its name. VPC Lattice takes a fifth of its time from then on."""
    name = world.inventory()
    world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={PODS}")
    at_rest_with(world, PODS, INVENTORY)
    world.answers(name, "inventory-ver1 handler pod")
    with world.stack.delays(latency="50ms", target_register="6s", target_deregister="6s", drain="12s"):
        yield name


#: One Deployment behind three routes: by HTTP/1.1, by HTTP/2, and as gRPC.
THREE_WAYS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: my-hotel}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners:
    - {name: http, protocol: HTTP, port: 80}
    - {name: https, protocol: HTTPS, port: 443, tls: {mode: Terminate, certificateRefs: [{name: unused}]}}
---
apiVersion: v1
kind: Service
metadata: {name: inventory-h2c}
spec:
  selector: {app: inventory-ver1}
  ports: [{port: 80, targetPort: 8090, appProtocol: kubernetes.io/h2c}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: by-http2}
spec:
  parentRefs: [{name: my-hotel, sectionName: https}]
  rules: [{backendRefs: [{name: inventory-h2c, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls}
spec:
  parentRefs: [{name: my-hotel, sectionName: https}]
  rules: [{matches: [{method: {service: hotel.Inventory}}], backendRefs: [{name: inventory-h2c, port: 80}]}]
"""


@pytest.fixture
def three_ways(world: World) -> Iterator[tuple[str, str, str]]:
    """Routes by HTTP/1.1, HTTP/2 and gRPC to the same ten Pods, which have the gate and the sleep, at rest; their names.

    VPC Lattice takes all of its time from then on.
    """
    world.roll_out("inventory-ver1")
    world.kubectl("apply", "-f", "-", stdin=THREE_WAYS)
    world.programmed("gateways", "my-hotel")
    world.apply("inventory-route")
    kinds = (("httproutes", "inventory"), ("httproutes", "by-http2"), ("grpcroutes", "calls"))
    by_http1, by_http2, by_grpc = (dns_name(world.programmed(kind, name)) for kind, name in kinds)
    # The Pods of before have neither the gate nor the sleep: what still goes to them fails.
    label(world, **{INJECT: "enabled", SLEEP: str(SLEEP_SECONDS)})
    world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={PODS}")
    at_rest_with(world, PODS, *WAYS)
    roll(world)
    at_rest(world, *WAYS)
    versions = [{group["config"]["protocolVersion"] for group in world.described_groups(*way)} for way in WAYS]
    assert versions == [{"HTTP1"}, {"HTTP2"}, {"GRPC"}]
    with world.stack.delays(latency="50ms", target_register="30s", target_deregister="30s", drain="60s"):
        yield by_http1, by_http2, by_grpc


def test_a_rolling_update_of_ten_pods_fails_no_request_with_the_labels(
    world: World, three_ways: tuple[str, str, str], tmp_path: Path,
) -> None:
    """By HTTP/1.1, HTTP/2 and gRPC side by side."""
    assert gates(world, "inventory-ver1") == {GATE: PODS}
    by_http1, by_http2, by_grpc = three_ways
    send = partial(no_failed_http2_request, world.stack, a_second=REQUESTS_A_SECOND)
    with (
        send(by_http2, tmp_path / "http2.log"),
        send(by_grpc, tmp_path / "grpc.log", path="/hotel.Inventory/List", grpc=True),
        Load(world, by_http1).running() as load,
    ):
        began = time.monotonic()
        roll(world)
        took = time.monotonic() - began
        at_rest(world, *WAYS)
        seconds = time.monotonic() - began
    rate = len(load.answers) / seconds
    failed = load.failed()
    print(f"{len(load.answers)} requests by HTTP/1.1, {rate:.0f} a second, {len(failed)} failed; the rollout took {took:.0f} s, "
          f"and until the old targets had drained {seconds:.0f} s")
    assert not failed, f"{len(failed)} of {len(load.answers)}: {Counter(failed).most_common(3)}"
    assert rate > REQUESTS_A_SECOND * 0.8
    met = [condition for pod in pods(world, "inventory-ver1") for condition in pod["status"]["conditions"]
           if condition["type"] == GATE]
    assert {(one["status"], one["reason"]) for one in met} == {("True", "Healthy")}


def test_without_the_labels_requests_fail(world: World, site: str) -> None:
    """What the labels are for, and that the test above can fail."""
    with Load(world, site).running() as load:
        roll(world)
        wait_for("requests to dead Pods", load.failed, within=AFTERWARDS_SECONDS)
    assert not gates(world, "inventory-ver1")


def test_pods_behind_no_route_get_no_gate_and_one_whose_target_is_unhealthy_says_why(world: World) -> None:
    label(world, **{INJECT: "enabled"})
    name = world.inventory()
    world.roll_out("parking")
    assert not gates(world, "parking")

    # VPC Lattice's check takes any answer below 500.
    patch = {"spec": {"template": {"metadata": {"annotations": {"testcluster/http-status": "503"}}}}}
    world.kubectl("patch", "deployment/inventory-ver1", "--patch", json.dumps(patch))

    def told() -> list[str]:
        conditions = [one for pod in pods(world, "inventory-ver1") for one in pod["status"]["conditions"]]
        return [one["message"] for one in conditions if one["type"] == GATE and one["reason"] == "Unhealthy"]

    (message, *_) = wait_for("an unhealthy target to be told", told, within=2 * PROGRAMMED_SECONDS)
    assert "is UNHEALTHY, its health check asks for / and expects 200-499" in message, message
    # The Pods of before serve on.
    world.answers(name, "inventory-ver1 handler pod")
