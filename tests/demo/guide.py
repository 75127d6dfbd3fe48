"""The guide's walk-through, in its order, with every step checked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stack import deploy
from stack.objects import Observer, describe, dns_name, gateway_arn, path
from stack.settings import Settings
from stack.stack import Stack
from stack.waiting import Expectation, wait_for

from .record import Record, Step
from .shell import Shell

#: From the first apply to the end of the clean-up, in seconds.
WHOLE_SECONDS = 180.0
#: The longest wait for one object, in seconds: creation, association and health checks, each with its delay.
PROGRAMMED_SECONDS = 60.0
#: A minute to the next scheduled pass, the pass itself, and the repair.
REPAIR_SECONDS = 90.0
#: The data plane follows the API within this time here.
PROPAGATION_SECONDS = 10.0
#: Draining, the VPC's disassociation and the waits between their checks.
CLEAN_UP_SECONDS = 90.0
#: What 200 requests at weights 10 and 90 may give the first cluster: beyond it, one run in more than ten thousand.
SPLIT = range(5, 38)
REQUESTS = 200
#: kubectl's templates for an object's conditions and for those of a route's parents, one a line.
CONDITIONS = '{range .status.conditions[*]}{.type}={.status} {.message}{"\\n"}{end}'
PARENT_CONDITIONS = CONDITIONS.replace(".status.conditions", ".status.parents[*].conditions")


class Guide:
    """One walk through the guide."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shell = Shell(stack.environment())
        self.record = Record(stack.emulator, stack.outputs.drift_function)
        self.one, self.two = stack.clusters
        self.curl = f"curl -sS --max-time 10 {stack.connect_to(0)}"
        self.rates = ""
        self.inventory = ""

    def walk(self) -> None:
        """All steps; raises `Expectation` at the first that does not show what it should."""
        began = time.monotonic()
        for step in (self.gateway, self.rates_route, self.inventory_route, self.check_connectivity, self.second_cluster,
                     self.blue_green, self.split, self.repair, self.clean_up):
            step()
        took = time.monotonic() - began
        print(f"\n{self.record.table()}\n\nFrom the first apply to the end: {took:.0f} s.")
        if took > WHOLE_SECONDS:
            raise Expectation(f"at most {WHOLE_SECONDS:.0f} s from the first apply to the end", f"{took:.0f} s")

    def gateway(self) -> None:
        """The class and the Gateway, which makes the service network and associates the VPC."""
        self.shell.heading("The GatewayClass and the Gateway")
        with self.record.step("my-hotel-gateway") as step:
            self.shell.run("kubectl apply -f examples/gatewayclass.yaml")
            with Observer(self.one, path("gateways", "my-hotel")) as seen:
                self.shell.run("kubectl apply -f examples/my-hotel-gateway.yaml")
                with _told_by(seen):
                    self.shell.run("kubectl wait --for=condition=Programmed gateway/my-hotel --timeout=60s")
                self._note(step, seen)
        self.shell.run("kubectl get gateway")
        self.shell.run(f"kubectl get gateway my-hotel -o jsonpath='{CONDITIONS}'", expect="aws-gateway-arn: arn:aws:vpc-lattice:")
        arn = gateway_arn(self.one.get(path("gateways", "my-hotel")))
        self.shell.run("aws vpc-lattice list-service-networks --query 'items[].[name,arn]' --output text", expect=arn)

    def rates_route(self) -> None:
        """Two services behind one route."""
        self.shell.heading("The route rates, with the services parking and review")
        self._apply_route("rates", "parking", "review", route_file="rate-route-path")
        self.rates = self._dns_name("rates")

    def inventory_route(self) -> None:
        """One service behind another."""
        self.shell.heading("The route inventory")
        self._apply_route("inventory", "inventory-ver1", route_file="inventory-route")
        self.inventory = self._dns_name("inventory")

    def check_connectivity(self) -> None:
        """Every service answers through VPC Lattice."""
        self.shell.heading("Service connectivity")
        self.shell.run("kubectl get pods -o wide")
        self.shell.say(f"A Pod of {self.one.spec.name} would need no --connect-to: here it stands for the VPC's own name resolution.")
        for url, answer in ((f"{self.rates}/parking", "parking handler pod"), (f"{self.rates}/review", "review handler pod"),
                            (self.inventory, "inventory-ver1 handler pod")):
            self.shell.run(f"{self.curl} http://{url}", expect=answer)

    def second_cluster(self) -> None:
        """The second version of inventory in another cluster and VPC, exported there and imported here."""
        self.shell.heading("inventory-ver2 in the second cluster")
        self.shell.run(f"kubectl config use-context {self.two.spec.name}")
        self._apply_and_roll_out("inventory-ver2")
        with self.record.step("inventory-ver2-export") as step, Observer(self.two, path("serviceexports", "inventory-ver2")) as seen:
            self.shell.run("kubectl apply -f examples/inventory-ver2-export.yaml")
            with _told_by(seen):
                self.shell.run("kubectl wait --for=condition=Programmed serviceexport/inventory-ver2 --timeout=60s")
            self._note(step, seen)
            self.shell.run(f"kubectl get serviceexport inventory-ver2 -o jsonpath='{CONDITIONS}'")
        self.shell.run("kubectl get pods -o wide")
        self.shell.say(f"The same addresses as Pods of {self.one.spec.name} have, in another VPC.")
        self.shell.run(f"kubectl config use-context {self.one.spec.name}")
        self.shell.run("kubectl apply -f examples/inventory-ver2-import.yaml")

    def blue_green(self) -> None:
        """Ten of a hundred requests stay in the first cluster."""
        self.shell.heading("Blue-green over both clusters")
        before = self.one.get(path("httproutes", "inventory"))["metadata"]["generation"]
        with self.record.step("inventory-bluegreen") as step, \
                Observer(self.one, path("httproutes", "inventory"), least_generation=before + 1) as seen:
            self.shell.run("kubectl apply -f examples/inventory-route-bluegreen.yaml")
            self._await_programmed(seen)
            self._note(step, seen)

    def split(self) -> None:
        """Counts the answers of both clusters."""
        self.shell.heading(f"{REQUESTS} requests")
        self.shell.say("VPC Lattice's data plane follows its API after a moment.")
        self.shell.run(f"until {self.curl} http://{self.inventory} | grep Inventory-ver2; do sleep 0.2; done")
        output = self.shell.run(f"for i in $(seq {REQUESTS}); do {self.curl} http://{self.inventory}; done"
                                " | sed -E 's/^Requesting to Pod\\([^)]*\\): //' | sort | uniq -c")
        counts = {text.strip().lower(): int(count) for count, text in re.findall(r"^\s*(\d+) (.*)$", output, re.MULTILINE)}
        first = counts.get("inventory-ver1 handler pod", 0)
        second = counts.get("inventory-ver2 handler pod", 0)
        self.shell.say(f"{first} answers from {self.one.spec.name}, {second} from {self.two.spec.name}.")
        if first + second != REQUESTS or first not in SPLIT:
            raise Expectation(f"{REQUESTS} answers, {SPLIT[0]} to {SPLIT[-1]} of them from {self.one.spec.name}", counts)

    def repair(self) -> None:
        """A rule is deleted behind Trellis's back; the scheduled pass brings it back."""
        self.shell.heading("Someone deletes a rule")
        service = self._first("list-services", "items[?name==`rates-default`].id")
        listener = self._first(f"list-listeners --service-identifier {service}", "items[].id")
        rules = f"list-rules --service-identifier {service} --listener-identifier {listener}"
        rule = self._first(rules, "items[?priority==`1`].id")
        with self.record.step("repair of a rule"):
            began = int(time.time() * 1000)
            self.shell.run(f"aws vpc-lattice delete-rule --service-identifier {service} --listener-identifier {listener}"
                           f" --rule-identifier {rule}")
            self.shell.run(f"aws vpc-lattice {rules} --query 'items[].[name,priority]' --output text")
            wait_for("parking or review to be gone", self._both_answer, within=PROPAGATION_SECONDS, until=lambda both: not both)
            self.shell.say("One of parking and review does not answer any more. The drift pass runs each minute.")
            started = time.monotonic()
            wait_for("parking and review to answer again", self._both_answer, within=REPAIR_SECONDS)
            self.shell.say(f"Repaired after {time.monotonic() - started:.0f} s. What the look at the cluster logged:")
        for line in self._drift_lines(began):
            print(line)
        self.shell.run(f"aws vpc-lattice {rules} --query 'items[].[name,priority]' --output text")
        self.shell.run(f"{self.curl} http://{self.rates}/parking", expect="parking handler pod")
        self.shell.run(f"{self.curl} http://{self.rates}/review", expect="review handler pod")

    def clean_up(self) -> None:
        """Everything is deleted in both clusters; nothing of ours may stay in VPC Lattice."""
        self.shell.heading("Clean-up")
        began = time.monotonic()
        with self.record.step("clean-up"):
            self.shell.run(f"kubectl --context {self.two.spec.name} delete -f examples/inventory-ver2-export.yaml"
                           " -f examples/inventory-ver2.yaml")
            self.shell.run("kubectl delete -f examples/inventory-route-bluegreen.yaml -f examples/rate-route-path.yaml"
                           " -f examples/inventory-ver2-import.yaml")
            self.shell.run("kubectl delete -f examples/inventory-ver1.yaml -f examples/parking.yaml -f examples/review.yaml")
            self.shell.run("kubectl delete -f examples/my-hotel-gateway.yaml -f examples/gatewayclass.yaml")
            wait_for("VPC Lattice to hold nothing", self._remaining, within=CLEAN_UP_SECONDS, until=lambda left: not left)
        self.shell.say(f"Nothing is left after {time.monotonic() - began:.0f} s.")
        for listing in ("service-networks", "services", "target-groups"):
            output = self.shell.run(f"aws vpc-lattice list-{listing} --query 'items[].name' --output text")
            if output.strip() not in ("", "None"):
                raise Expectation(f"no {listing}", output.strip())

    # The steps' helpers.

    def _apply_and_roll_out(self, *deployments: str) -> None:
        for name in deployments:
            self.shell.run(f"kubectl apply -f examples/{name}.yaml")
        for name in deployments:
            self.shell.run(f"kubectl rollout status deployment/{name} --timeout=60s")

    def _apply_route(self, route: str, *deployments: str, route_file: str) -> None:
        self._apply_and_roll_out(*deployments)
        with self.record.step(route_file) as step, Observer(self.one, path("httproutes", route)) as seen:
            self.shell.run(f"kubectl apply -f examples/{route_file}.yaml")
            self._await_programmed(seen)
            self._note(step, seen)

    def _await_programmed(self, seen: Observer) -> None:
        wait_for(f"{seen.path} to be Programmed", lambda: describe(seen.last) if seen.last else "",
                 until=lambda _: seen.times.programmed is not None, within=PROGRAMMED_SECONDS)

    def _note(self, step: Step, seen: Observer) -> None:
        self._await_programmed(seen)
        step.times = seen.times
        wait_for("the queue to be empty", self._queue_empty, within=PROGRAMMED_SECONDS)

    def _queue_empty(self) -> bool:
        return deploy.queue_length(self.stack.ministack.url, self.stack.outputs) == 0

    def _dns_name(self, route: str) -> str:
        self.shell.run("kubectl get httproute")
        self.shell.run(f"kubectl get httproute {route} -o jsonpath='{PARENT_CONDITIONS}'", expect="DNS Name: ")
        return dns_name(self.one.get(path("httproutes", route)))

    def _first(self, command: str, query: str) -> str:
        found = self.shell.run(f"aws vpc-lattice {command} --query '{query}' --output text").split()
        if not found or found[0] == "None":
            raise Expectation(f"`aws vpc-lattice {command}` to list something", "nothing")
        return found[0]

    def _both_answer(self) -> bool:
        return all(f"{name} handler pod" in self.stack.fetch(f"http://{self.rates}/{name}") for name in ("parking", "review"))

    def _drift_lines(self, since_ms: int) -> list[str]:
        # The pass begins a look at each cluster; what a look finds is in the log of the function that looks.
        lines = deploy.json_lines(deploy.function_log(self.stack.ministack.url, self.stack.outputs.reconcile_function, since_ms))
        return [line["look"] for line in lines if '"drifted":[{' in line.get("look", "")]

    def _remaining(self) -> list[str]:
        lattice = self.stack.aws("vpc-lattice")
        return [f"{kind} {item['name']}" for kind in ("service_networks", "services", "target_groups")
                for item in getattr(lattice, f"list_{kind}")()["items"]]


@contextmanager
def _told_by(seen: Observer) -> Iterator[None]:
    """Adds to a failure what the observed object says of itself."""
    try:
        yield
    except Expectation as failed:
        raise Expectation(failed.expected, f"{failed.seen}\n{describe(seen.last) if seen.last else 'no such object'}") from failed


def settings(name: str = "demo") -> Settings:
    """The walk-through's stack."""
    return Settings(name=name)
