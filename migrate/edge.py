"""AWS and the cluster, as the person who runs this may use them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from .decisions import MANAGED_BY, PREFIX, Objects, Place, Resource

#: What the controller's Deployment runs.
CONTROLLER_IMAGE = "aws-gateway-controller"
#: By kind the finalizers that the controller sets; nothing takes them off once it is gone.
FINALIZERS = {
    "httproutes": "httproute.k8s.aws/resources",
    "grpcroutes": "grpcroute.k8s.aws/resources",
    "tlsroutes": "tlsroute.k8s.aws/resources",
    "gateways": "gateway.k8s.aws/resources",
    "serviceexports.application-networking.k8s.aws": "serviceexport.k8s.aws/resources",
    "serviceimports.application-networking.k8s.aws": "serviceimport.k8s.aws/resource",
    "accesslogpolicies": "accesslogpolicy.k8s.aws/resources",
    "iamauthpolicies": f"{PREFIX}iam-auth-policy",
    "vpcassociationpolicies": "vpcassociationpolicies.application-networking.k8s.aws/resources",
    "servicenetworks": "servicenetwork.k8s.aws/resources",
    "services": "service.ki8s.aws/resources",
}


class Refusal(Exception):
    """Why nothing was done, for a person."""


class Aws:
    """VPC Lattice and what is asked beside it."""

    def __init__(self, region: str | None) -> None:
        session = boto3.Session(region_name=region)
        if not session.region_name:
            raise Refusal("No Region: give --region, or set AWS_REGION")
        self.region: str = session.region_name
        connect: Any = session.client
        self._lattice, self._tagging = connect("vpc-lattice"), connect("resourcegroupstaggingapi")
        self._eks, self._sts = connect("eks"), connect("sts")

    def place(self, cluster: str, owner: str) -> tuple[Place, dict[str, str]]:
        """The cluster, and its tags."""
        found = self._eks.describe_cluster(name=cluster)["cluster"]
        account = self._sts.get_caller_identity()["Account"]
        tags = self._eks.list_tags_for_resource(resourceArn=found["arn"]).get("tags", {})
        return Place(account, self.region, cluster, found["resourcesVpcConfig"]["vpcId"], owner), tags

    def pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages."""
        for page in self._lattice.get_paginator(operation).paginate(**arguments):
            yield from page["items"]

    def tagged(self, key: str, value: str) -> dict[str, dict[str, str]]:
        """The tags of all resources of VPC Lattice with this tag, by ARN, as the index of tags has them."""
        filters = {"TagFilters": [{"Key": key, "Values": [value]}], "ResourceTypeFilters": ["vpc-lattice"]}
        pages = self._tagging.get_paginator("get_resources").paginate(**filters)
        found = [one for page in pages for one in page["ResourceTagMappingList"]]
        return {one["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in found}

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of one resource, as they are now."""
        found: dict[str, str] = self._lattice.list_tags_for_resource(resourceArn=arn)["tags"]
        return found

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        """Sets tags."""
        self._lattice.tag_resource(resourceArn=arn, tags=tags)

    def untag(self, arn: str, keys: list[str]) -> None:
        """Takes tags away."""
        self._lattice.untag_resource(resourceArn=arn, tagKeys=keys)

    def policy(self, arn: str) -> str | None:
        """The auth policy of a service, if it has one."""
        try:
            policy: str | None = self._lattice.get_auth_policy(resourceIdentifier=arn).get("policy")
        except self._lattice.exceptions.ResourceNotFoundException:
            return None
        return policy

    def controllers(self, place: Place) -> Iterator[Resource]:
        """What the controller made for this cluster, and all that is below its services."""
        known = self.tagged(MANAGED_BY, place.managed_by)
        named = {one["arn"]: one for one in self.pages("list_services") if one["arn"] in known}
        for arn, service in named.items():
            yield Resource(arn, service["name"], known[arn])
            yield from self._below(arn, service["name"], known)
        for group in self.pages("list_target_groups"):
            if group["arn"] in known:
                yield Resource(group["arn"], group["name"], known[group["arn"]], tuple(group.get("serviceArns", [])))
        for arn, tags in known.items():
            yield from self._alone(arn, tags)

    def _below(self, service: str, name: str, known: Mapping[str, dict[str, str]]) -> Iterator[Resource]:
        def tags(arn: str) -> dict[str, str]:
            return known.get(arn) or self.tags(arn)

        for listener in self.pages("list_listeners", serviceIdentifier=service):
            yield Resource(listener["arn"], listener["name"], tags(listener["arn"]), (service,))
            for rule in self.pages("list_rules", serviceIdentifier=service, listenerIdentifier=listener["arn"]):
                if not rule.get("isDefault"):
                    yield Resource(rule["arn"], rule["name"], tags(rule["arn"]), (service,))
        for one in self.pages("list_service_network_service_associations", serviceIdentifier=service):
            yield Resource(one["arn"], f"{name} in {one['serviceNetworkName']}", tags(one["arn"]), (service,))

    def _alone(self, arn: str, tags: dict[str, str]) -> Iterator[Resource]:
        lattice, one = self._lattice, Resource(arn, arn.rpartition("/")[2], tags)
        match one.kind:
            case "servicenetworkvpcassociation":
                found = lattice.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=arn)
                yield Resource(arn, found["serviceNetworkName"], tags)
            case "accesslogsubscription":
                found = lattice.get_access_log_subscription(accessLogSubscriptionIdentifier=arn)
                yield Resource(arn, one.name, tags, (found["resourceArn"],))
            case "servicenetwork":
                yield Resource(arn, lattice.get_service_network(serviceNetworkIdentifier=arn)["name"], tags)


class Kubectl:
    """The cluster, by the person's kubeconfig."""

    def __init__(self, context: str | None) -> None:
        self._argv = ["kubectl", *(["--context", context] if context else [])]

    def run(self, *arguments: str) -> str:
        """What kubectl prints."""
        done = subprocess.run([*self._argv, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refusal(f"kubectl {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return done.stdout

    def every(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind; none if the cluster does not serve it."""
        try:
            found: list[dict[str, Any]] = json.loads(self.run("get", kind, "--all-namespaces", "--output=json"))["items"]
        except Refusal as refusal:
            if "have a resource type" in str(refusal):
                return []
            raise
        return found

    def objects(self) -> Objects:
        """What the decisions need to know of the cluster."""
        routes = [one for kind in ("httproutes", "grpcroutes", "tlsroutes") for one in self.every(kind)]
        exports = self.every("serviceexports.application-networking.k8s.aws")
        policies = [one["metadata"].get("annotations", {}) for one in self.every("iamauthpolicies")]
        return Objects(
            frozenset((one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in routes),
            frozenset((one["metadata"]["namespace"], one["metadata"]["name"]) for one in exports),
            frozenset(filter(None, (one.get(f"{PREFIX}iam-auth-policy-resource-id") for one in policies))),
        )

    def running_controllers(self) -> list[str]:
        """Deployments of the controller that have Pods."""
        return [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in self.every("deployments")
                if one["spec"].get("replicas", 1) > 0
                and any(CONTROLLER_IMAGE in container["image"] for container in one["spec"]["template"]["spec"]["containers"])]

    def held(self) -> list[tuple[str, dict[str, Any], str]]:
        """Objects that the controller's finalizers keep, each with its kind and the finalizer."""
        return [(kind, one, finalizer) for kind, finalizer in FINALIZERS.items() for one in self.every(kind)
                if finalizer in one["metadata"].get("finalizers", [])]

    def take_off(self, kind: str, one: dict[str, Any], finalizer: str) -> None:
        """Takes a finalizer off; refused if the object was changed meanwhile."""
        old = one["metadata"]["finalizers"]
        new = [name for name in old if name != finalizer]
        patch = [{"op": op, "path": "/metadata/finalizers", "value": value} for op, value in (("test", old), ("replace", new))]
        where = ["--namespace", one["metadata"]["namespace"]] if "namespace" in one["metadata"] else []
        self.run("patch", kind, one["metadata"]["name"], *where, "--type=json", "--patch", json.dumps(patch))
