"""The local AWS (SQS, Lambda, EventBridge Scheduler, IAM, EKS, CloudFormation): MiniStack, with IAM enforced."""

from __future__ import annotations

import base64
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .environment import aws_variables, inherited
from .processes import Process
from .settings import ACCOUNT, MINISTACK_BIN, REGION, ClusterSpec
from .waiting import wait_for

#: Health answers after about a second; the rest is for a loaded machine.
START_SECONDS = 60.0
#: Format of MiniStack's state file for EKS; it belongs to the version that requirements-ministack.txt pins.
EKS_STATE_FORMAT = 3
_CREATED_AT = 1767225600
#: The tag that registers a cluster, as template.yaml's default has it.
REGISTERED = {"trellis:registered": "true"}


@dataclass(frozen=True)
class EksCluster:
    """A cluster as DescribeCluster shall show it."""

    spec: ClusterSpec
    port: int
    ca: Path
    auth_token: str


def auth_url(port: int, cluster: str, token: str) -> str:
    """Where a kube-apiserver asks who a bearer token is."""
    return f"http://127.0.0.1:{port}/_ministack/eks-auth/{ACCOUNT}/{REGION}/{cluster}/{token}"


def _eks_record(cluster: EksCluster) -> dict[str, object]:
    name = cluster.spec.name
    return {
        "name": name,
        "arn": cluster.spec.arn,
        "createdAt": _CREATED_AT,
        "version": "1.36",
        # MiniStack makes the endpoint from its own host name and `_port`, whatever stands here.
        "endpoint": f"https://127.0.0.1:{cluster.port}",
        "status": "ACTIVE",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/eks",
        "resourcesVpcConfig": {"subnetIds": sorted(cluster.spec.subnets), "securityGroupIds": [], "vpcId": cluster.spec.vpc,
                               "clusterSecurityGroupId": cluster.spec.security_group,
                               "endpointPublicAccess": True, "endpointPrivateAccess": False},
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.96.0.0/16", "ipFamily": "ipv4"},
        "accessConfig": {"authenticationMode": "API"},
        "certificateAuthority": {"data": base64.b64encode(cluster.ca.read_bytes()).decode()},
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/{name}"}},
        "tags": REGISTERED,
        "_creator_arn": f"arn:aws:iam::{ACCOUNT}:root",
        "_auth_token": cluster.auth_token,
        "_port": cluster.port,
    }


def write_eks_state(folder: Path, clusters: list[EksCluster]) -> None:
    """Writes the clusters where MiniStack finds them when it starts: no API sets a cluster's endpoint or CA."""
    data = {f"{ACCOUNT}\0{REGION}\0{cluster.spec.name!r}": _eks_record(cluster) for cluster in clusters}
    # Tags that are read and changed by calls stand apart from those that the cluster was made with.
    tags = {f"{ACCOUNT}\0{cluster.spec.arn!r}": REGISTERED for cluster in clusters}
    payload = {"clusters": {"__account_region_scoped__": True, "data": data}, "tags": {"__scoped__": True, "data": tags}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eks.json").write_text(json.dumps({"__ministack_format__": EKS_STATE_FORMAT, "payload": payload}))


class MiniStack:
    """A running MiniStack."""

    def __init__(self, port: int, state: Path, logs: Path, lattice_endpoint: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        temporary = state / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        # The Lambdas inherit this environment, the endpoints with it.
        env = inherited() | aws_variables(self.url, lattice_endpoint) | {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "TMPDIR": str(temporary),
        }
        self.process = Process("ministack", [MINISTACK_BIN], env=env, logs=logs, cwd=state)

    def healthy(self) -> bool:
        """Whether it answers."""
        with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5) as answer:
            return bool(answer.status == 200)

    def wait_ready(self) -> None:
        """Waits until it answers."""
        wait_for(f"MiniStack at {self.url} (log: {self.process.log})", self.healthy, within=START_SECONDS)
