"""Reading what the API servers show of Gateway API objects."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

from .cluster import Cluster

GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
LATTICE_API = "/apis/application-networking.k8s.aws/v1alpha1"
#: How often an observer looks, in seconds: the error of a measured time.
OBSERVE_EVERY = 0.1


def path(kind: str, name: str, namespace: str = "default") -> str:
    """Path of a namespaced object; `kind` is the plural resource name."""
    api = LATTICE_API if kind.startswith("service") or kind.endswith("policies") else GATEWAY_API
    return f"{api}/namespaces/{namespace}/{kind}/{name}"


def conditions(item: dict[str, Any]) -> list[dict[str, Any]]:
    """All conditions of an object: its own, or those of its parents."""
    status = item.get("status", {})
    own = list(status.get("conditions", []))
    return own + [condition for parent in status.get("parents", []) for condition in parent.get("conditions", [])]


def is_true(item: dict[str, Any], kind: str) -> bool:
    """Whether a condition is True everywhere it stands, for the object's present generation, and stands somewhere."""
    found = [c for c in conditions(item) if c["type"] == kind]
    generation = item["metadata"].get("generation", 0)
    return bool(found) and all(c["status"] == "True" and c.get("observedGeneration", 0) >= generation for c in found)


def told(item: dict[str, Any], pattern: str) -> str:
    """The first group of a pattern in a condition's message, or an empty string."""
    found = (re.search(pattern, condition.get("message", "")) for condition in conditions(item))
    return next((match[1] for match in found if match), "")


def dns_name(item: dict[str, Any]) -> str:
    """The DNS name in a condition's message, or an empty string."""
    return told(item, r"DNS Name: (\S+?)[.;,]?(?:\s|$)")


def gateway_arn(item: dict[str, Any]) -> str:
    """The service network's ARN in a Gateway's message, or an empty string."""
    return told(item, r"aws-gateway-arn: (arn:\S+?)[.;,]?(?:\s|$)")


def describe(item: dict[str, Any]) -> str:
    """One line a condition, for the message of a failed wait."""
    lines = [f"{c['type']}={c['status']} {c.get('reason')}: {c.get('message')} (observedGeneration {c.get('observedGeneration')})"
             for c in conditions(item)]
    return "\n".join(lines) or "no conditions"


@dataclass
class Times:
    """Seconds from the start of an observation to what was first seen."""

    programmed: float | None = None
    dns_name: float | None = None


@dataclass
class Observer:
    """Looks at one object beside whatever else goes on, and notes when things were first seen.

    `least_generation` keeps an older generation's conditions from counting.
    """

    cluster: Cluster
    path: str
    least_generation: int = 1
    times: Times = field(default_factory=Times)
    last: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Observer:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=15)

    def _watch(self) -> None:
        while not self._done.is_set():
            try:
                self._note(self.cluster.get(self.path))
            except HTTPError as error:
                if error.code != 404:
                    raise
            self._done.wait(OBSERVE_EVERY)

    def _note(self, item: dict[str, Any]) -> None:
        self.last = item
        if item["metadata"].get("generation", 0) < self.least_generation:
            return
        now = time.monotonic() - self._began
        if self.times.dns_name is None and dns_name(item):
            self.times.dns_name = now
        if self.times.programmed is None and is_true(item, "Programmed"):
            self.times.programmed = now
