"""What a stack is made of: folders, names and delays. No process is started here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Cargo's folder.
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
TOOLS = ROOT / ".tools" / "aws" / "bin"
MINISTACK_BIN = ROOT / ".tools" / "ministack" / "bin" / "ministack"
TESTCLUSTER = ROOT / "tests" / "cluster" / "testcluster"

REGION = "us-west-2"
ACCOUNT = "000000000000"
#: Where units live, in the text of their keys.
SCOPE = f"{ACCOUNT}/{REGION}"
RECONCILER_GROUP = "trellis-reconcilers"
GATEWAY_API_MODULE = "sigs.k8s.io/gateway-api@v1.6.3"


@dataclass(frozen=True)
class ClusterSpec:
    """One Kubernetes cluster and the VPC that it stands in."""

    name: str
    vpc: str
    #: Two octets: a Pod a.b.c.d of this VPC answers at `<prefix>.c.d`.
    loopback_prefix: str
    #: Both clusters have the same Pod addresses on purpose: VPC Lattice allows it.
    pod_cidr: str = "10.0.0.0/20"

    @property
    def arn(self) -> str:
        """The EKS cluster's ARN: what hints and the webhook call it."""
        return f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{self.name}"

    @property
    def subnets(self) -> dict[str, str]:
        """The subnets that EKS knows of the cluster, each with its Availability Zone: two are in one."""
        tail = self.vpc.removeprefix("vpc-")[1:]
        return {f"subnet-{tail}a": "usw2-az1", f"subnet-{tail}b": "usw2-az2", f"subnet-{tail}c": "usw2-az1"}

    @property
    def security_group(self) -> str:
        """The cluster security group."""
        return self.vpc.replace("vpc-", "sg-")

    @property
    def data_plane_address(self) -> str:
        """Where clients of this VPC reach VPC Lattice."""
        return f"{self.loopback_prefix}.255.254"


def cluster_specs(first_octet: int) -> tuple[ClusterSpec, ...]:
    """Both clusters, with `127.<first_octet>` and the next one as their VPCs' loopback prefixes."""
    return (
        ClusterSpec("trellis-one", "vpc-0a1b2c3d4e5f60001", f"127.{first_octet}"),
        ClusterSpec("trellis-two", "vpc-0a1b2c3d4e5f60002", f"127.{first_octet + 1}"),
    )


@dataclass(frozen=True)
class LatticeDelays:
    """How slow the emulated VPC Lattice is. The defaults keep the guide's walk-through within three minutes."""

    #: Added to every control-plane call.
    latency: str = "50ms"
    #: Transition → how long it takes; the names are those of `lattice-emulator --delay`.
    transitions: dict[str, str] = field(
        default_factory=lambda: {
            "service": "1s",
            "service-delete": "1s",
            "target-group": "1s",
            "target-group-delete": "1s",
            "association": "5s",
            "association-delete": "3s",
            "vpc-association": "5s",
            "vpc-association-delete": "10s",
            "vpc-endpoint": "8s",
            "vpc-endpoint-delete": "8s",
            "drain": "5s",
            "propagation": "1s",
        }
    )

    def flags(self) -> list[str]:
        """Command-line flags of the emulator."""
        flags = ["--latency", self.latency]
        for name, delay in self.transitions.items():
            flags += ["--delay", f"{name}={delay}"]
        return flags

    def describe(self) -> str:
        """One line for people."""
        return f"{self.latency} a call, " + ", ".join(f"{n} {d}" for n, d in self.transitions.items())


@dataclass(frozen=True)
class Settings:
    """A stack's name, folder, the emulator's delays, and whether its clusters can be made to hang for the functions."""

    name: str = "demo"
    delays: LatticeDelays = field(default_factory=LatticeDelays)
    doors: bool = False

    @property
    def state(self) -> Path:
        """The one folder of this stack. `TRELLIS_STATE_DIR` moves it, for a checkout whose path is too long for a unix socket."""
        base = os.environ.get("TRELLIS_STATE_DIR")
        return (Path(base) if base else ROOT / ".state") / self.name
