"""One stack for each process of the run; a namespace in both clusters for each test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from stack.settings import LatticeDelays, Settings
from stack.stack import Stack, running
from stack.world import World

#: Short, so that the tests wait for what they test; the budget test sets the delays that its figures are given for.
DELAYS = LatticeDelays("5ms", {
    "service": "300ms", "service-delete": "300ms", "target-group": "300ms", "target-group-delete": "300ms", "association": "1s",
    "association-delete": "500ms", "vpc-association": "1s", "vpc-association-delete": "2s", "drain": "1s", "propagation": "200ms",
    "vpc-endpoint": "1s", "vpc-endpoint-delete": "1s", "resource": "300ms", "resource-delete": "300ms",
})


#: The process among those that share the tests; there is one where nobody asked for several.
ONLY_PROCESS = "master"


@pytest.fixture(scope="session")
def stack(worker_id: str) -> Iterator[Stack]:
    name = "e2e" if worker_id == ONLY_PROCESS else f"e2e-{worker_id}"
    with running(Settings(name=name, delays=DELAYS, doors=True)) as started:
        # One Gateway for all tests: a VPC has one service network, and deleting it takes a while.
        keeper = World(started, "keeper")
        keeper.create()
        started.clusters[0].kubectl("apply", "-f", "examples/gatewayclass.yaml")
        keeper.gateway()
        yield started


@pytest.fixture
def world(stack: Stack, request: pytest.FixtureRequest) -> Iterator[World]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    # A namespace's name is a part of the VPC Lattice service's, which has 40 characters; the hash tells tests apart.
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()
    made = World(stack, f"{name[:18].strip('-')}-{digest[:5]}")
    made.create()
    yield made
    made.delete()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        stack.save_function_logs()
        report.sections.append(("stack", f"logs: {stack.logs}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # It deletes a cluster, which no call of EKS brings back.
    items.sort(key=lambda item: item.path.stem == "test_sick_clusters")
