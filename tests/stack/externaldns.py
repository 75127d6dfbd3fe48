"""The real ExternalDNS beside a cluster: its sources, its plan and its in-memory provider (tests/externaldns)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .cluster import Cluster, load
from .environment import inherited
from .processes import Process, run, tail
from .settings import ROOT
from .waiting import Expectation

FOLDER = ROOT / "tests" / "externaldns"
PROGRAM = FOLDER / "externaldns"
#: The zone that it writes.
ZONE = "example.com"
_MODULE = "sigs.k8s.io/external-dns"


def crd() -> list[dict[str, Any]]:
    """The CRD of DNSEndpoints, from the Go module that ExternalDNS is."""
    listed = run(["go", "list", "-m", "-json", _MODULE], env=inherited(), cwd=FOLDER)
    return load(Path(json.loads(listed)["Dir"]) / "config" / "crd" / "standard" / "dnsendpoints.externaldns.k8s.io.yaml")


def install(cluster: Cluster) -> None:
    """Installs the CRD, and the right to make such objects."""
    cluster.apply([*crd(), *load(ROOT / "deploy" / "external-dns" / "rbac.yaml")])
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/dnsendpoints.externaldns.k8s.io")


class ExternalDns:
    """One running ExternalDNS."""

    def __init__(self, cluster: Cluster, name: str, sources: Sequence[str], logs: Path) -> None:
        argv: list[str | Path] = [PROGRAM, "--kubeconfig", cluster.kubeconfig, "--zone", ZONE, "--sources", ",".join(sources)]
        self.name = name
        self.process = Process(name, argv, env=inherited(), logs=logs)
        self._out = logs / f"{name}.out"

    def records(self) -> dict[str, dict[str, Any]]:
        """What is in the zone now, by name."""
        if not self.process.running():
            raise Expectation("ExternalDNS to run", tail(self.process.log))
        lines = self._out.read_text().splitlines()
        return {record["name"]: record for record in json.loads(lines[-1])} if lines else {}


@contextmanager
def external_dns(cluster: Cluster, name: str, sources: Sequence[str], logs: Path) -> Iterator[ExternalDns]:
    """ExternalDNS, as long as it is needed."""
    one = ExternalDns(cluster, name, sources, logs)
    try:
        yield one
    finally:
        one.process.stop()
