"""The VPC Lattice emulator: its process and its admin interface."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .environment import inherited
from .processes import Process
from .settings import ACCOUNT, REGION, ClusterSpec, LatticeDelays

#: The emulator binds two listeners and is ready; a second is plenty, a loaded machine needs more.
START_SECONDS = 20.0
#: A sequence number that is never reached: the report then lists no call.
_NEVER = 2**63
#: What the User-Agent of the functions' SDK begins with.
_FUNCTIONS_SDK = "aws-sdk-rust/"


class Emulator:
    """A running `lattice-emulator`."""

    def __init__(self, binary: Path, logs: Path, delays: LatticeDelays, vpcs: Sequence[ClusterSpec], aws_endpoint: str) -> None:
        argv: list[str | Path] = [binary, "--listen", "127.0.0.1:0", "--data-port", "0", "--region", REGION, "--account", ACCOUNT,
                                  "--eks-endpoint", aws_endpoint, "--lambda-endpoint", aws_endpoint, "--exit-on-stdin-eof", *delays.flags()]
        for cluster in vpcs:
            argv += ["--vpc", f"{cluster.vpc}={cluster.loopback_prefix}"]
        subnets = {subnet: {"vpc": cluster.vpc, "zone": zone} for cluster in vpcs for subnet, zone in cluster.subnets.items()}
        argv += ["--config", json.dumps({"vpc-cidrs": {cluster.vpc: [cluster.pod_cidr] for cluster in vpcs}, "subnets": subnets})]
        self.process = Process("emulator", argv, env=inherited() | {"RUST_LOG": "info"}, logs=logs)
        self.url = ""
        self.data_port = 0

    def wait_ready(self) -> None:
        """Waits for the ready line and learns both addresses from it."""
        line = self.process.ready_line(within=START_SECONDS)
        found = re.search(r"control=(\S+) data-port=(\d+)", line)
        if not found:
            raise ValueError(f"the emulator's ready line is not understood: {line}")
        self.url, self.data_port = found[1], int(found[2])

    def admin(self, method: str, path: str, body: object | None = None) -> Any:
        """Calls the admin interface and returns its JSON, or None for an empty answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", method=method, data=data,
                                         headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def calls(self, since: int = 0) -> Any:
        """The calls with a sequence number above `since`."""
        return self.admin("GET", f"calls?since={since}")

    def mark(self) -> int:
        """The sequence number of the last call."""
        return int(self.calls(since=_NEVER)["last"])

    def operations(self, since: int = 0, *, but_of: str = "") -> Counter[str]:
        """How often each operation of VPC Lattice was called by functions after the mark `since`.

        Calls of the neighbours (tags, quotas), whose names have the service before them, do not count, nor do the AWS CLI's
        and the tests' own, nor those whose User-Agent names the application `but_of`.
        """
        agents = ((call["operation"], call.get("agent", "")) for call in self.calls(since)["calls"])
        return Counter(name for name, agent in agents
                       if ":" not in name and _FUNCTIONS_SDK in agent and not (but_of and f"app/{but_of}" in agent))

    def times(self, operation: str, since: int) -> list[float]:
        """When functions called an operation after the mark `since`, in seconds since the emulator's start."""
        return [call["at"] / 1000 for call in self.calls(since)["calls"]
                if call["operation"] == operation and _FUNCTIONS_SDK in call.get("agent", "")]

    def state(self) -> Any:
        """All resources."""
        return self.admin("GET", "state")

    def configure(self, **settings: object) -> None:
        """Changes latency, delays, switches or throttling."""
        self.admin("PUT", "config", settings)
