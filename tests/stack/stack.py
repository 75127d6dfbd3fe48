"""The whole stack, started in the order in which its parts need each other."""

from __future__ import annotations

import atexit
import http.client
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from . import cluster as kubernetes
from . import deploy, ministack
from .build import Built, build
from .cluster import Cluster
from .door import Door
from .emulator import Emulator
from .environment import Credentials, aws_variables, free_ports, inherited
from .loopback import Claim
from .ministack import EksCluster, MiniStack
from .processes import Supervisor
from .settings import Settings, cluster_specs
from .waiting import wait_for
from .webhook import Webhook

#: Length of the secret in the URL of the token check; MiniStack wants at least 16 characters.
_AUTH_TOKEN_BYTES = 24


#: A function's timeout: so long a batch is in work at most.
BATCH_SECONDS = 60.0


def report(text: str) -> None:
    """Progress goes to standard error; standard output is the demo's."""
    print(f"  . {text}", file=sys.stderr, flush=True)


#: What the emulator answers, as boto3 names it.
EMULATED = frozenset({"vpc-lattice", "acm", "resourcegroupstaggingapi", "service-quotas", "ec2"})


class Stack:
    """Two clusters, AWS, VPC Lattice, the deployed functions and a webhook for each cluster."""

    emulator: Emulator
    ministack: MiniStack
    outputs: deploy.Outputs
    webhook_credentials: Credentials

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = settings.state
        self.logs = self.state / "logs"
        self.kubeconfig = self.state / "kubeconfig"
        self.clusters: list[Cluster] = []
        #: In front of each cluster's API server, on the functions' way to it; empty unless the settings ask for them.
        self.doors: list[Door] = []
        self.webhooks: list[Webhook] = []
        self._supervisor = Supervisor()
        self._loopback = Claim()

    def start(self, built: Built) -> None:
        """Starts everything and returns when the first `kubectl apply` will be seen."""
        # What an earlier run left behind would be restored by MiniStack and by etcd.
        shutil.rmtree(self.state, ignore_errors=True)
        self.logs.mkdir(parents=True)
        began = time.monotonic()
        self._start_servers(built)
        with ThreadPoolExecutor() as pool:
            work = [pool.submit(self._deploy, built)]
            work += [pool.submit(kubernetes.install_apis, one, self.logs / f"install-{one.spec.name}.log") for one in self.clusters]
            for done in work:
                done.result()
        report(f"functions deployed, clusters registered ({time.monotonic() - began:.1f} s)")
        self._start_webhooks(built)
        kubernetes.merged_kubeconfig(self.clusters, self.kubeconfig)
        report(f"everything runs ({time.monotonic() - began:.1f} s); logs: {self.logs}")

    def _start_servers(self, built: Built) -> None:
        # Who starts first needs the address of who starts last: the API servers check tokens at MiniStack, whose
        # EKS clusters name the API servers and their CA. So the ports are chosen before anything runs.
        specs = cluster_specs(self._loopback.octet)
        aws_port, *cluster_ports = free_ports(1 + len(specs))
        self.emulator = Emulator(built.emulator, self.logs, self.settings.delays, specs, f"http://127.0.0.1:{aws_port}")
        self._supervisor.add(self.emulator.process)
        tokens = [secrets.token_urlsafe(_AUTH_TOKEN_BYTES) for _ in specs]
        for spec, port, token in zip(specs, cluster_ports, tokens, strict=True):
            one = Cluster(spec, port, ministack.auth_url(aws_port, spec.name, token), self.state, self.logs)
            self._supervisor.add(one.process)
            self.clusters.append(one)
        for one in self.clusters:
            one.wait_ready()
        self.emulator.wait_ready()
        self.doors = [Door(port) for port in cluster_ports] if self.settings.doors else []
        ports = [door.port for door in self.doors] or cluster_ports
        known = [EksCluster(one.spec, port, one.ca, token) for one, port, token in zip(self.clusters, ports, tokens, strict=True)]
        ministack.write_eks_state(self.state / "aws", known)
        self.ministack = MiniStack(aws_port, self.state / "aws", self.logs, self.emulator.url)
        self._supervisor.add(self.ministack.process)
        self.ministack.wait_ready()
        report(f"AWS at {self.ministack.url}, VPC Lattice at {self.emulator.url}, "
               + ", ".join(f"{one.spec.name} at {one.endpoint}" for one in self.clusters))

    def _deploy(self, built: Built) -> None:
        deploy.sam_deploy(built.template, self.environment(), self.logs / "sam-deploy.log")
        self.outputs = deploy.outputs(self.ministack.url)
        deploy.register_clusters(self.ministack.url, self.outputs, [one.spec for one in self.clusters])
        self.webhook_credentials = deploy.webhook_credentials(self.ministack.url, self.outputs)
        deploy.allow_batches(self.ministack.url, self.outputs)

    def _start_webhooks(self, built: Built) -> None:
        ports = free_ports(2 * len(self.clusters))
        for number, one in enumerate(self.clusters):
            hook = Webhook(one, built.webhook, (ports[2 * number], ports[2 * number + 1]), self.logs, self.outputs.queue_url)
            hook.install()
            self.start_webhook(hook)
            self.webhooks.append(hook)
        for hook in self.webhooks:
            hook.wait_ready()
            hook.wait_called()

    def start_webhook(self, hook: Webhook, endpoint: str | None = None) -> None:
        """Starts a webhook, also again after it was killed; `endpoint` replaces the AWS that it sends to."""
        self._supervisor.add(hook.start(endpoint or self.ministack.url, self.webhook_credentials))

    def environment(self) -> dict[str, str]:
        """The environment of a person who uses the stack: kubectl and the AWS CLI work as they are."""
        return inherited() | aws_variables(self.ministack.url, self.emulator.url) | {"KUBECONFIG": str(self.kubeconfig)}

    def aws(self, service: str) -> Any:
        """A boto3 client; the emulator answers for VPC Lattice, tags and quotas."""
        return deploy.client(service, self.emulator.url if service in EMULATED else self.ministack.url)

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Sets variables of both functions. It ends the environments that run, also if it changes nothing.

        Between two batches: the messages of one that is cut off come again after six minutes, and till then no queue is empty.
        """
        wait_for("no batch in work", lambda: deploy.queue_length(self.ministack.url, self.outputs, only_in_work=True),
                 within=BATCH_SECONDS, until=lambda length: length == 0)
        functions = self.aws("lambda")
        for name in (self.outputs.reconcile_function, self.outputs.drift_function):
            present = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": present | variables})

    def connect_to(self, number: int = 0) -> str:
        """curl's option that sends a request of the cluster's VPC to the data plane."""
        return f"--connect-to ::{self.clusters[number].spec.data_plane_address}:{self.emulator.data_port}"

    def fetch(self, url: str, number: int = 0) -> str:
        """Requests a URL as a client in the cluster's VPC and returns the body, whatever the status."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(self.clusters[number].spec.data_plane_address, self.emulator.data_port, timeout=10)
        try:
            connection.request("GET", parts.path or "/", headers={"host": parts.netloc})
            return connection.getresponse().read().decode(errors="replace")
        finally:
            connection.close()

    @contextmanager
    def delays(self, *, latency: str, **transitions: str) -> Iterator[None]:
        """Other delays of VPC Lattice for a while; the names are those of the settings, with `_` for `-`."""
        chosen = {name.replace("_", "-"): value for name, value in transitions.items()}
        usual = self.settings.delays
        self.emulator.configure(latency=latency, delays=chosen)
        try:
            yield
        finally:
            self.emulator.configure(latency=usual.latency, delays={name: usual.transitions.get(name, "0") for name in chosen})

    @contextmanager
    def no_schedule(self) -> Iterator[None]:
        """No scheduled drift pass for a while."""
        scheduler = self.aws("scheduler")
        name = scheduler.list_schedules()["Schedules"][0]["Name"]
        found = scheduler.get_schedule(Name=name)
        kept = {key: found[key] for key in ("Name", "ScheduleExpression", "Target", "FlexibleTimeWindow")}
        scheduler.update_schedule(**kept, State="DISABLED")
        try:
            yield
        finally:
            scheduler.update_schedule(**kept, State="ENABLED")

    def save_function_logs(self) -> None:
        """Copies the functions' logs into the state folder, for after the end."""
        if not hasattr(self, "outputs") or not self.ministack.process.running():
            return
        for function in (self.outputs.reconcile_function, self.outputs.drift_function):
            try:
                lines = deploy.function_log(self.ministack.url, function)
            except Exception as error:  # noqa: BLE001 - the log of a function that never ran does not exist
                lines = [repr(error)]
            (self.logs / f"{function}.log").write_text("\n".join(lines) + "\n")

    def stop(self) -> None:
        """Ends every process. Safe to repeat."""
        try:
            self.save_function_logs()
        finally:
            for door in self.doors:
                door.close()
            self._supervisor.stop()
            self._loopback.release()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # An exception, so that every `finally` runs; the usual status of a process that a signal ended.
    raise SystemExit(128 + number)


@contextmanager
def running(settings: Settings, built: Built | None = None) -> Iterator[Stack]:
    """A stack that is there for the length of a `with`, and gone however that ends."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    stack = Stack(settings)
    atexit.register(stack.stop)
    try:
        stack.start(built or build(settings.state.parent / "build"))
        yield stack
    finally:
        stack.stop()
        atexit.unregister(stack.stop)
