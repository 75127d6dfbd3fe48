"""Environments for child processes, made from nothing so that no real AWS account can leak in."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from .settings import ACCOUNT, REGION, TESTCLUSTER, TOOLS

#: What a child may see of the caller's environment: where programs and caches are, nothing of AWS or Kubernetes.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "CARGO_HOME", "RUSTUP_HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY",
              "GOSUMDB", "GONOSUMDB", "GOFLAGS", "PIP_INDEX_URL", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
              "CARGO_HTTP_CAINFO", "CARGO_NET_OFFLINE", "CARGO_TARGET_DIR", "TRELLIS_CACHE", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Credentials:
    """An access key of the local AWS."""

    access_key: str = "test"
    secret_key: str = "test"


def inherited() -> dict[str, str]:
    """The harmless part of the caller's environment, with the project's tools first on the PATH."""
    env = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    # kubectl stands beside the test cluster where the machine had none.
    env["PATH"] = os.pathsep.join([str(TOOLS), env.get("PATH", os.defpath), str(TESTCLUSTER.parent)])
    return env


def aws_variables(endpoint: str, lattice_endpoint: str, credentials: Credentials = Credentials()) -> dict[str, str]:
    """What an AWS client needs to speak to the local stack and to nothing else."""
    return {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_VPC_LATTICE": lattice_endpoint,
        # The emulator knows VPC Lattice's resources and quotas, and asks the local AWS for its clusters' tags.
        "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API": lattice_endpoint,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": lattice_endpoint,
        "AWS_ENDPOINT_URL_ACM": lattice_endpoint,
        # Of EC2 the stack needs VPC endpoints of service networks, whose requests go through the emulator's data plane.
        "AWS_ENDPOINT_URL_EC2": lattice_endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        # No profile of the user may answer in place of the variables above.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }


def role_arn(name: str) -> str:
    """ARN of a role of the local account."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def free_ports(count: int) -> list[int]:
    """Free TCP ports of 127.0.0.1. All are held until all are known, so that they differ."""
    sockets = []
    try:
        for _ in range(count):
            held = socket.socket()
            held.bind(("127.0.0.1", 0))
            sockets.append(held)
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()
