"""What the AWS Gateway API Controller leaves behind: objects with its finalizers, and resources with its names and tags.

Names, tags, finalizers and annotations are those of its version 2.1.3; rules of its old versions bear no tags.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environment import free_ports
from .processes import Process
from .settings import ACCOUNT, REGION
from .waiting import wait_for
from .world import PROGRAMMED_SECONDS, World

PREFIX = "application-networking.k8s.aws/"
#: How it cuts the names of a route and of its namespace.
ROUTE_CHARS, NAMESPACE_CHARS = 20, 18
#: A target group's name ends at random.
RANDOM_CHARS = 10
#: The port of the examples' containers.
TARGET_PORT = 8090
#: It works on one route at a time, and pauses ten seconds while an association is made.
CONTROLLER_SECONDS = 120.0


@dataclass(frozen=True)
class Route:
    """An HTTPRoute of one rule, as a person wrote it."""

    name: str
    #: Service and weight.
    backends: Sequence[tuple[str, int]]
    hostname: str | None = None
    #: Whether its rule is of a version that set no tags on rules.
    is_old: bool = False

    def manifest(self) -> dict[str, Any]:
        """The object with the controller's finalizer."""
        refs = [{"name": service, "kind": "Service", "port": 80, "weight": weight} for service, weight in self.backends]
        spec: dict[str, Any] = {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}], "rules": [{"backendRefs": refs}]}
        return {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": self.name, "finalizers": ["httproute.k8s.aws/resources"]},
            "spec": spec | ({"hostnames": [self.hostname]} if self.hostname else {}),
        }


class Peer:
    """The controller's work in one namespace of the first cluster, done once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lattice = world.stack.aws("vpc-lattice")
        spec = world.one.spec
        self.managed_by = f"{ACCOUNT}/{spec.name}/{spec.vpc}"

    def tags(self, **others: str) -> dict[str, str]:
        """The tags of something that it makes."""
        return {f"{PREFIX}{key}": value for key, value in ({"ManagedBy": self.managed_by} | others).items()}

    def route(self, route: Route) -> dict[str, Any]:
        """All that it makes for a route; the service as VPC Lattice answers its creation."""
        namespace = self.world.namespace
        self.world.kubectl("apply", "-f", "-", stdin=json.dumps(route.manifest()))
        name = "-".join(text[:chars].strip("-") for text, chars in ((route.name, ROUTE_CHARS), (namespace, NAMESPACE_CHARS)))
        whose = {"RouteName": route.name, "RouteNamespace": namespace}
        domain = {"customDomainName": route.hostname} if route.hostname else {}
        groups = [(self.target_group(service, SourceTypeKey="HTTPRoute", **whose), weight) for service, weight in route.backends]
        service: dict[str, Any] = self.lattice.create_service(name=name, tags=self.tags(RouteType="http", **whose), **domain)
        self.active("get_service", serviceIdentifier=service["id"])
        network = next(one["arn"] for one in self.lattice.list_service_networks()["items"] if one["name"] == "my-hotel")
        self.lattice.create_service_network_service_association(
            serviceIdentifier=service["id"], serviceNetworkIdentifier=network, tags=self.tags())
        not_found = {"fixedResponse": {"statusCode": 404}}
        listener = self.lattice.create_listener(serviceIdentifier=service["id"], name=f"{name}-80-http", protocol="HTTP", port=80,
                                                defaultAction=not_found, tags=self.tags())
        forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group, "weight": weight} for group, weight in groups]}}
        tags = {} if route.is_old else {"tags": self.tags()}
        self.lattice.create_rule(serviceIdentifier=service["id"], listenerIdentifier=listener["id"], name="k8s-1700000000-rule-1",
                                 priority=1, match={"httpMatch": {"pathMatch": {"match": {"prefix": "/"}}}}, action=forward, **tags)
        return service

    def target_group(self, service: str, **tags: str) -> str:
        """A target group with a Service's Pods; its id."""
        namespace, spec = self.world.namespace, self.world.one.spec
        config = {"port": 80, "protocol": "HTTP", "protocolVersion": "HTTP1", "ipAddressType": "IPV4", "vpcIdentifier": spec.vpc}
        named = {"ClusterName": spec.name, "ServiceName": service, "ServiceNamespace": namespace, "ProtocolVersion": "HTTP1"}
        letters = "".join(random.choices(string.ascii_lowercase, k=RANDOM_CHARS))
        made = self.lattice.create_target_group(name=f"k8s-{namespace}-{service}-{letters}", type="IP", config=config,
                                                tags=self.tags(**named, **tags))
        self.active("get_target_group", targetGroupIdentifier=made["id"])
        targets = [{"id": endpoint["addresses"][0], "port": TARGET_PORT} for endpoint in self.world.endpoints(service)]
        self.lattice.register_targets(targetGroupIdentifier=made["id"], targets=targets)
        return str(made["id"])

    def active(self, operation: str, **named: str) -> None:
        """Waits until what was made is usable."""
        wait_for(f"{named} to be ACTIVE", lambda: getattr(self.lattice, operation)(**named)["status"], within=PROGRAMMED_SECONDS,
                 until=lambda status: status == "ACTIVE")


class Controller:
    """The real controller, built elsewhere, working for the first cluster of the stack."""

    def __init__(self, world: World, program: Path) -> None:
        self.world = world
        self._program = program
        self._process: Process | None = None
        self.lattice = world.stack.aws("vpc-lattice")

    def start(self) -> None:
        """Lets it work."""
        spec, ports = self.world.one.spec, free_ports(2)
        env = self.world.stack.environment() | {
            "KUBECONFIG": str(self.world.one.kubeconfig), "CLUSTER_NAME": spec.name, "CLUSTER_VPC_ID": spec.vpc, "REGION": REGION,
            "AWS_ACCOUNT_ID": ACCOUNT, "LATTICE_ENDPOINT": self.world.stack.emulator.url, "LOG_LEVEL": "info",
        }
        at = [f"127.0.0.1:{port}" for port in ports]
        argv: list[str | Path] = [self._program, "--metrics-bind-address", at[0], "--health-probe-bind-address", at[1]]
        self._process = Process("aws-controller", argv, env=env, logs=self.world.stack.logs)

    def stop(self) -> None:
        """Ends it. Safe to repeat."""
        if self._process:
            self._process.stop()
            self._process = None

    def route(self, route: Route) -> dict[str, Any]:
        """Applies a route and waits until its service forwards requests; the service."""
        manifest = route.manifest()
        del manifest["metadata"]["finalizers"]
        self.world.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

        def look() -> list[dict[str, Any]]:
            arns = [one["ResourceARN"] for one in self.world.stack.aws("resourcegroupstaggingapi").get_resources(
                TagFilters=[{"Key": f"{PREFIX}RouteName", "Values": [route.name]},
                            {"Key": f"{PREFIX}RouteNamespace", "Values": [self.world.namespace]}])["ResourceTagMappingList"]]
            found: list[dict[str, Any]] = [self.lattice.get_service(serviceIdentifier=arn) for arn in arns if ":service/" in arn]
            return found

        return wait_for(f"the controller's service for {route.name}", look, within=CONTROLLER_SECONDS)[0]
