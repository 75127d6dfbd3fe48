"""The webhook beside each cluster: its manifests turned towards loopback, and its process."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import Any

from .cluster import Cluster, load, token_kubeconfig
from .environment import Credentials, aws_variables, inherited
from .processes import Process
from .settings import ROOT
from .waiting import wait_for

CONFIGURATION = "trellis"
NAMESPACE = "trellis-system"
SERVICE_ACCOUNT = "trellis-webhook"
#: The webhook is not called for objects of its own namespace.
PROBE_NAMESPACE = "default"
#: The webhook makes its certificate and puts it into the cluster before it is ready.
START_SECONDS = 30.0
#: Kinds of deploy/webhook.yaml that make no sense without a kubelet that runs images.
_LEFT_OUT = {"Deployment", "PodDisruptionBudget", "Service"}
_PROBE = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
          "metadata": {"name": "stack-probe", "namespace": PROBE_NAMESPACE},
          "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": PROBE_NAMESPACE}],
                   "to": [{"group": "", "kind": "Service"}]}}


def manifests(url: str) -> list[dict[str, Any]]:
    """The objects of deploy/webhook.yaml and their namespace, with the API server calling `url` in place of a Service."""
    kept = [item for item in load(ROOT / "deploy" / "namespace.yaml", ROOT / "deploy" / "webhook.yaml") if item["kind"] not in _LEFT_OUT]
    for item in kept:
        if item["kind"] in {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}:
            for hook in item["webhooks"]:
                hook["clientConfig"] = {key: value for key, value in hook["clientConfig"].items() if key != "service"}
                hook["clientConfig"]["url"] = url
    # Roles and the ServiceAccount stand in the namespace, so it comes first.
    return sorted(kept, key=lambda item: item["kind"] != "Namespace")


class Webhook:
    """The webhook of one cluster. It can be killed and started again."""

    def __init__(self, cluster: Cluster, binary: Path, ports: tuple[int, int], logs: Path, queue_url: str) -> None:
        self.cluster = cluster
        self.queue_url = queue_url
        self._binary = binary
        self._logs = logs
        self.port, self._metrics_port = ports
        self._kubeconfig = logs.parent / f"webhook-{cluster.spec.name}.kubeconfig"
        self.process: Process | None = None

    def install(self) -> None:
        """Applies the manifests and makes the kubeconfig of the webhook's ServiceAccount, so that its RBAC is what counts."""
        self.cluster.apply(manifests(f"https://127.0.0.1:{self.port}/validate"), self._logs / "install.log")
        token = self.cluster.kubectl("create", "token", SERVICE_ACCOUNT, "--namespace", NAMESPACE, "--duration", "24h")
        token_kubeconfig(self.cluster, token.strip(), self._kubeconfig)

    def start(self, endpoint: str, credentials: Credentials) -> Process:
        """Starts the process; `endpoint` is the AWS it sends to."""
        name = self.cluster.spec.name
        # The webhook has nothing to do with VPC Lattice: an endpoint that nothing listens on would show that it had.
        env = inherited() | aws_variables(endpoint, "http://127.0.0.1:9", credentials) | {
            "TRELLIS_CLUSTER": self.cluster.spec.arn, "TRELLIS_QUEUE_URL": self.queue_url, "KUBECONFIG": str(self._kubeconfig),
            "RUST_LOG": "info",
        }
        argv: list[str | Path] = [
            self._binary, "--listen", f"127.0.0.1:{self.port}", "--metrics-listen", f"127.0.0.1:{self._metrics_port}",
            "--validating-webhook-configuration", CONFIGURATION, "--tls-secret", f"{NAMESPACE}/trellis-webhook-tls",
        ]
        self.process = Process(f"webhook-{name}", argv, env=env, logs=self._logs)
        return self.process

    def wait_ready(self) -> None:
        """Waits until the webhook says that it is ready and the API server trusts its certificate."""
        log = self.process.log if self.process else "not started"
        wait_for(f"the webhook of {self.cluster.spec.name} to be ready (log: {log})", self._ready, within=START_SECONDS)

        def trusted() -> bool:
            found = self.cluster.get(f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}")
            return all(hook["clientConfig"].get("caBundle") for hook in found["webhooks"])

        wait_for(f"a CA bundle in every webhook of {self.cluster.spec.name}", trusted, within=START_SECONDS)

    def wait_called(self) -> None:
        """Waits until the API server really calls it: its view of the configuration is a moment behind.

        What it sends is the review of a grant that concerns nobody.
        """
        before = self.reviews()

        def look() -> bool:
            self.cluster.apply([_PROBE])
            self.cluster.kubectl("delete", "referencegrant", "stack-probe", "--namespace", PROBE_NAMESPACE, "--ignore-not-found")
            return self.reviews() > before

        wait_for(f"{self.cluster.spec.name} to call its webhook", look, within=START_SECONDS)

    def reviews(self) -> int:
        """How many reviews the API server has got an answer to."""
        return metric_sum(self.cluster.get("/metrics"), "apiserver_admission_webhook_request_total", 'code="200"', 'rejected="false"')

    def _ready(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)

    def metrics(self) -> str:
        """The webhook's own metrics, as text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=2) as answer:
            return str(answer.read().decode())

    def owes_a_look(self) -> bool:
        """Whether the webhook is still to tell the queue to look at the whole cluster (functions/webhook/src/losses.rs)."""
        return "trellis_webhook_whole_cluster_owed 0" not in self.metrics().splitlines()


def metric_sum(text: str, name: str, *labels: str) -> int:
    """Sum of a Prometheus metric over all series that bear these labels."""
    total = 0.0
    for series, value in re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE):
        if all(label in series for label in labels):
            total += float(value)
    return int(total)
