"""What a test needs of the stack: a namespace, the guide's objects in it, and looks at what became of them."""

from __future__ import annotations

import json
import operator
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.error import HTTPError

from . import deploy
from .cluster import Cluster
from .objects import describe, dns_name, is_true, path
from .settings import ROOT, SCOPE
from .stack import Stack
from .waiting import wait_for

EXAMPLES = ROOT / "examples"
#: Creation, association and a health check of everything that a route needs, and the queue before it.
PROGRAMMED_SECONDS = 40.0
#: A minute to the next scheduled pass, the pass, and the repair.
SCHEDULED_SECONDS = 100.0
#: A batching window of two seconds, the look-up of the unit, and the repair.
TOLD_SECONDS = 15.0
#: VPC Lattice operations that change something begin with these.
MUTATING = ("Create", "Update", "Delete", "Register", "Deregister", "Batch", "Tag", "Untag", "Put")
#: Kinds whose objects have something in VPC Lattice.
OWNERS = "httproutes,grpcroutes,tlsroutes,serviceexports,gateways"
#: The guide's Gateway with an HTTPS listener, under the name of its HTTP one.
HTTPS_GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: my-hotel}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners:
    - {name: http, protocol: HTTPS, port: 443, tls: {mode: Terminate, certificateRefs: [{name: unused}]}}
"""


class World:
    """A namespace of the same name in both clusters."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack = stack
        self.namespace = namespace
        self.one, self.two = stack.clusters

    def create(self) -> None:
        """Makes the namespace in both clusters."""
        for cluster in self.stack.clusters:
            cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}])

    def delete(self) -> None:
        """Deletes the namespace in both clusters and waits until VPC Lattice holds nothing that was made for it."""
        for cluster in self.stack.clusters:
            # A namespace's Pods end before its other objects, and what its routes have stays for the grace after that.
            self.kubectl("delete", OWNERS, "--all", "--wait=false", cluster=cluster)
            # Its contents go at once; the namespace itself stays for some seconds, which nobody has to wait for.
            cluster.kubectl("delete", "namespace", self.namespace, "--wait=false")
        wait_for(f"nothing of {self.namespace} in VPC Lattice", self.remains, within=SCHEDULED_SECONDS, until=lambda left: not left)

    def remains(self) -> list[str]:
        """Names of services and target groups whose unit is of this namespace."""
        state = self.stack.emulator.state()
        return [item["name"] for item in state["services"] + state["targetGroups"]
                if f"/{self.namespace}/" in item.get("tags", {}).get("trellis:key", "")]

    def kubectl(self, *arguments: str, cluster: Cluster | None = None, stdin: str | None = None) -> str:
        """kubectl in the namespace, in the first cluster unless told."""
        return (cluster or self.one).kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def apply(self, *examples: str, cluster: Cluster | None = None) -> None:
        """Applies files of `examples/`."""
        for name in examples:
            self.kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"), cluster=cluster)

    def roll_out(self, *deployments: str, cluster: Cluster | None = None) -> None:
        """Applies Deployments with their Services and waits until the Services have all their Pods."""
        self.apply(*deployments, cluster=cluster)
        for name in deployments:
            self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s", cluster=cluster)
            replicas = int(self.kubectl("get", f"deployment/{name}", "--output=jsonpath={.spec.replicas}", cluster=cluster))
            # A Pod is ready a moment before its EndpointSlice says so.
            wait_for(f"{replicas} endpoints of {name}", partial(self.ready_endpoints, name, cluster), within=PROGRAMMED_SECONDS,
                     until=partial(operator.eq, replicas))

    def ready_endpoints(self, service: str, cluster: Cluster | None = None) -> int:
        """How many endpoints of a Service are ready."""
        return sum(bool(endpoint.get("conditions", {}).get("ready")) for endpoint in self.endpoints(service, cluster))

    def endpoints(self, service: str, cluster: Cluster | None = None) -> list[dict[str, Any]]:
        """The endpoints of a Service, as its EndpointSlices have them."""
        found = (cluster or self.one).get(f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
                                          f"?labelSelector=kubernetes.io%2Fservice-name%3D{service}")
        return [endpoint for item in found["items"] for endpoint in item.get("endpoints") or []]

    def gateway(self) -> dict[str, Any]:
        """Applies the Gateway and waits for it."""
        self.apply("my-hotel-gateway")
        return self.programmed("gateways", "my-hotel")

    def get(self, kind: str, name: str, cluster: Cluster | None = None) -> dict[str, Any]:
        """Reads an object; an empty dictionary if it is not there."""
        try:
            found: dict[str, Any] = (cluster or self.one).get(path(kind, name, self.namespace))
        except HTTPError as error:
            if error.code != 404:
                raise
            return {}
        return found

    def programmed(self, kind: str, name: str, *, within: float = PROGRAMMED_SECONDS, generation: int = 1) -> dict[str, Any]:
        """Waits until an object of at least this generation is Programmed, and returns it."""
        last: dict[str, Any] = {}

        def look() -> str:
            last.clear()
            last.update(self.get(kind, name))
            done = bool(last) and last["metadata"].get("generation", 0) >= generation and is_true(last, "Programmed")
            return "" if done else describe(last) if last else "not there"

        wait_for(f"{kind}/{name} in {self.namespace} to be Programmed", look, within=within, until=lambda missing: not missing)
        return last

    def inventory(self) -> str:
        """The route inventory with its Pods, programmed; its DNS name."""
        self.gateway()
        self.roll_out("inventory-ver1")
        self.apply("inventory-route")
        return dns_name(self.programmed("httproutes", "inventory"))

    def rates(self) -> str:
        """The route rates with parking and review, programmed; its DNS name."""
        self.gateway()
        self.roll_out("parking", "review")
        self.apply("rate-route-path")
        return dns_name(self.programmed("httproutes", "rates"))

    def answers(self, url: str, text: str, *, within: float = PROGRAMMED_SECONDS) -> None:
        """Waits until a client in the first cluster's VPC gets an answer with this text."""
        wait_for(f"`{text}` from {url}", lambda: self.stack.fetch(f"http://{url}"), within=within, until=lambda body: text in body)

    def tally(self, url: str, requests: int) -> Counter[str]:
        """Counts the answers' texts without the Pods' names, in lower case."""
        return Counter(self.stack.fetch(f"http://{url}").rpartition("): ")[2].strip().lower() for _ in range(requests))

    # VPC Lattice

    def service(self, route: str) -> dict[str, Any]:
        """The VPC Lattice service of a route, as listed."""
        items: list[dict[str, Any]] = self.stack.aws("vpc-lattice").list_services()["items"]
        return next(item for item in items if item["name"] == f"{route}-{self.namespace}")

    def rules(self, route: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Service id, listener id and summary of every rule of a route but the default ones."""
        lattice = self.stack.aws("vpc-lattice")
        service = self.service(route)["id"]
        return [(service, listener["id"], rule)
                for listener in lattice.list_listeners(serviceIdentifier=service)["items"]
                for rule in lattice.list_rules(serviceIdentifier=service, listenerIdentifier=listener["id"])["items"]
                if not rule.get("isDefault")]

    def target_groups(self, route: str) -> list[dict[str, Any]]:
        """The target groups that a route's service uses."""
        arn = self.service(route)["arn"]
        return [group for group in self.stack.aws("vpc-lattice").list_target_groups()["items"] if arn in group.get("serviceArns", [])]

    def groups_made_for(self, route: str, kind: str = "HTTPRoute") -> list[dict[str, Any]]:
        """All target groups that were made for a route, with their targets, also those that nothing uses any more."""
        unit = f"route/{SCOPE}/{kind}/{self.one.spec.name}/{self.namespace}/{route}"
        return [group for group in self.stack.emulator.state()["targetGroups"] if group.get("tags", {}).get("trellis:key") == unit]

    def described_groups(self, route: str, kind: str = "HTTPRoute") -> list[dict[str, Any]]:
        """The same, as VPC Lattice describes them."""
        lattice = self.stack.aws("vpc-lattice")
        found = []
        for group in self.groups_made_for(route, kind):
            # It may go between the two looks.
            with suppress(lattice.exceptions.ResourceNotFoundException):
                found.append(lattice.get_target_group(targetGroupIdentifier=group["id"]))
        return found

    def targets_made_for(self, route: str, kind: str = "HTTPRoute", *, draining: bool = False) -> int:
        """How many targets these groups have that drain, or that do not."""
        targets = [target for group in self.groups_made_for(route, kind) for target in group["targets"]]
        return sum((target["status"] == "DRAINING") is draining for target in targets)

    def accepted(self, route: str) -> str:
        """The reason of the condition Accepted of a route's first parent; empty while there is none."""
        parents = self.get("httproutes", route).get("status", {}).get("parents", [])
        found = [condition for parent in parents[:1] for condition in parent["conditions"] if condition["type"] == "Accepted"]
        return found[0]["reason"] if found else ""

    # The queue and the functions

    def queue_length(self, url: str | None = None) -> int:
        """Messages that wait or are being worked on, in one queue or in all that hold hints."""
        return deploy.queue_length(self.stack.ministack.url, self.stack.outputs, url)

    def quiet(self, *, within: float = PROGRAMMED_SECONDS) -> None:
        """Waits until all hints are worked off."""
        wait_for("an empty queue", self.queue_length, within=within, until=lambda length: length == 0)

    def log_has(self, function: str, what: str, holds: Callable[[dict[str, Any]], bool], since_ms: int, *, within: float) -> dict[str, Any]:
        """Waits for a JSON line of a function's log that fulfils `holds`, and returns it."""

        def look() -> list[dict[str, Any]]:
            lines = deploy.json_lines(deploy.function_log(self.stack.ministack.url, function, since_ms))
            return [line for line in lines if holds(line)]

        return wait_for(f"{what} in the log of {function}", look, within=within)[0]

    def all_lines(self, function: str) -> list[str]:
        """The whole log of a function."""
        return deploy.function_log(self.stack.ministack.url, function)

    def cloudtrail(self, operation: str, request: dict[str, Any], *, session: str = "platform-admin/jane") -> None:
        """Tells of somebody's call as CloudTrail does, in the queue that the stack's rule feeds: nobody may put an event of AWS's own
        sources on a bus. What the rule takes is asked of it in stack/test_deploy.py."""
        told = event("lattice-update-service.json")
        told["detail"] |= {"eventName": operation, "requestParameters": request, "responseElements": None}
        told["detail"]["userIdentity"]["arn"] = f"arn:aws:sts::{told['account']}:assumed-role/{session}"
        sqs = self.stack.aws("sqs")
        (url,) = [one for one in sqs.list_queues()["QueueUrls"] if "ChangesQueue" in one]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(told))
        wait_for("the event to be taken", lambda: self.queue_length(url), within=TOLD_SECONDS, until=lambda length: length == 0)

    def instance_event(self, instance: str, state: str) -> None:
        """Tells of an instance as EC2 does, in the queue that the stack's rules feed: nobody may put an event of AWS's own sources on a
        bus. What the rules take is asked of them in stack/test_deploy.py."""
        told = event("instance-running.json")
        told["detail"] = {"instance-id": instance, "state": state}
        sqs = self.stack.aws("sqs")
        (url,) = [one for one in sqs.list_queues()["QueueUrls"] if "InstancesQueue" in one]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(told))

    def look_at_everything(self) -> str:
        """Invokes the drift function with the event that the schedule sends, waits until its hints are worked off, and returns its
        answer. Hints for later are left out: a unit that is held comes again for a minute."""
        answer = self.stack.aws("lambda").invoke(FunctionName=self.stack.outputs.drift_function,
                                                 Payload=(ROOT / "events" / "schedule.json").read_bytes())
        payload: str = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, payload
        wait_for("the pass's hints to be worked off", lambda: self.queue_length(self.stack.outputs.queue_url),
                 within=PROGRAMMED_SECONDS, until=lambda length: length == 0)
        return payload

    def drift_pass(self) -> dict[str, Any]:
        """A look at everything; returns its report when hints for later are worked off too."""
        payload = self.look_at_everything()
        self.quiet()
        report: dict[str, Any] = json.loads(payload)
        return report


def now_ms() -> int:
    """Unix time in milliseconds."""
    return int(time.time() * 1000)


def event(name: str) -> dict[str, Any]:
    """A file of `events/`."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / name).read_text())
    return loaded


def mutations(calls: Counter[str]) -> Counter[str]:
    """Those calls that change something."""
    return Counter({name: count for name, count in calls.items() if name.startswith(MUTATING)})


