"""What is measured, one step after the other."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial

from stack.objects import Observer, dns_name, is_true, path
from stack.waiting import wait_for
from stack.world import World, mutations

#: Far more than any step should take; a step that takes longer is a fault and ends the run.
STEP_SECONDS = 600.0


@dataclass
class Figure:
    """One step's figures. Calls are those to VPC Lattice."""

    name: str
    seconds: float = 0.0
    calls: int = 0
    #: Calls that change something.
    mutations: int = 0
    operations: dict[str, int] = field(default_factory=dict)
    #: Seconds to what was seen on the way.
    seen: dict[str, float] = field(default_factory=dict)


class Figures:
    """All steps in their order."""

    def __init__(self, delays: str) -> None:
        self.delays = delays
        self.steps: list[Figure] = []

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {"latticeDelays": self.delays, "steps": [asdict(step) for step in self.steps]}

    def table(self) -> str:
        """For people."""
        lines = [f"VPC Lattice's delays: {self.delays}.", "", f"{'step':<42}{'seconds':>9}{'calls':>7}{'changing':>10}  seen on the way"]
        for step in self.steps:
            seen = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in step.seen.items())
            lines.append(f"{step.name:<42}{step.seconds:>9.1f}{step.calls:>7}{step.mutations:>10}  {seen}")
        return "\n".join(lines)


def measure(world: World, routes: int) -> Figures:
    """Runs all steps, without a scheduled drift pass among them."""
    bench = Bench(world, routes)
    with world.stack.no_schedule():
        for step in (bench.first_route, bench.new_pod, bench.many_routes, bench.resync, bench.repair, bench.no_routes):
            step()
    return bench.figures


class Bench:
    """The steps; each leaves what the next one needs."""

    def __init__(self, world: World, routes: int) -> None:
        self.world = world
        self.figures = Figures(world.stack.settings.delays.describe())
        self.names = [f"route-{number:03}" for number in range(routes)]

    @contextmanager
    def step(self, name: str) -> Iterator[Figure]:
        """Measures what is done within the `with`; the calls until no hint is under way count too."""
        self.world.quiet()
        print(f"  . {name}", file=sys.stderr, flush=True)
        before, began = self.world.stack.emulator.mark(), time.monotonic()
        figure = Figure(name)
        self.figures.steps.append(figure)
        yield figure
        figure.seconds = time.monotonic() - began
        self.world.quiet(within=STEP_SECONDS)
        calls: Counter[str] = self.world.stack.emulator.operations(before)
        figure.calls, figure.mutations = calls.total(), mutations(calls).total()
        figure.operations = dict(sorted(calls.items()))

    def until(self, what: str, look: Callable[[], bool]) -> None:
        """Waits for the step's end."""
        wait_for(what, look, within=STEP_SECONDS)

    def first_route(self) -> None:
        """One route from `kubectl apply` to Programmed; the functions have been started by the Gateway."""
        self.world.one.kubectl("apply", "-f", "examples/gatewayclass.yaml")
        self.world.gateway()
        self.world.roll_out("inventory-ver1")
        inventory = path("httproutes", "inventory", self.world.namespace)
        with self.step("one route, applied") as figure, Observer(self.world.one, inventory) as seen:
            self.world.apply("inventory-route")
            self.until("the route to be Programmed", lambda: seen.times.programmed is not None)
            figure.seen["DNS name"] = seen.times.dns_name or 0.0

    def new_pod(self) -> None:
        """From a Pod's start to its registration as a target."""
        targets = partial(self.world.targets_made_for, "inventory")
        before = targets()
        with self.step("one more Pod, registered"):
            self.world.kubectl("scale", "deployment/inventory-ver1", f"--replicas={before + 1}")
            self.until("the new target", lambda: targets() == before + 1)

    def many_routes(self) -> None:
        """Many routes applied at once, to one Service."""
        refs = [{"name": "inventory-ver1", "kind": "Service", "port": 80}]
        spec = {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}], "rules": [{"backendRefs": refs}]}
        items = [{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}
                 for name in self.names]
        with self.step(f"{len(items)} routes, applied at once") as figure:
            began = time.monotonic()
            self.world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            figure.seen["kubectl done"] = time.monotonic() - began
            self.until("the first DNS name", lambda: any(dns_name(item) for item in self.routes()))
            figure.seen["first DNS name"] = time.monotonic() - began
            self.until("all DNS names", lambda: all(dns_name(item) for item in self.routes()))
            figure.seen["all DNS names"] = time.monotonic() - began
            self.until("all routes to be Programmed", lambda: all(is_true(item, "Programmed") for item in self.routes()))

    def resync(self) -> None:
        """A drift pass that finds nothing."""
        with self.step("drift pass, nothing has drifted"):
            self.world.drift_pass()

    def repair(self) -> None:
        """A drift pass after a rule of one route was deleted by hand."""
        service, listener, rule = self.world.rules("inventory")[0]
        rules = len(self.world.rules("inventory"))
        self.world.quiet()
        self.world.stack.aws("vpc-lattice").delete_rule(serviceIdentifier=service, listenerIdentifier=listener, ruleIdentifier=rule["id"])
        with self.step("drift pass, one rule deleted by hand"):
            self.world.drift_pass()
            self.until("the rule", lambda: len(self.world.rules("inventory")) == rules)

    def no_routes(self) -> None:
        """All of them deleted at once."""
        with self.step(f"{len(self.names)} routes, deleted at once"):
            self.world.kubectl("delete", "httproutes", *self.names)
            gone = {f"{name}-{self.world.namespace}" for name in self.names}
            state = self.world.stack.emulator.state
            self.until("no service to be left", lambda: gone.isdisjoint(one["name"] for one in state()["services"]))

    def routes(self) -> list[dict[str, object]]:
        """The many routes as they are now."""
        found = self.world.one.get(f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.world.namespace}/httproutes")
        return [item for item in found["items"] if item["metadata"]["name"] in set(self.names)]
