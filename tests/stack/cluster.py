"""The Kubernetes clusters: their processes, one kubeconfig for people, and what is installed in them."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .environment import inherited
from .processes import Process, run
from .settings import GATEWAY_API_MODULE, ROOT, TESTCLUSTER, ClusterSpec

#: The CRDs of this project: what the chart trellis-crds installs, as it stands.
CRDS = ROOT / "deploy" / "charts" / "trellis-crds" / "templates"
#: kube-apiserver answers after 3 s on an idle machine and 7 s when two start at once.
START_SECONDS = 120.0
#: A heap of 40 % keeps two API servers with the Gateway API's CRDs below 700 MB together.
_GOGC = "40"


class Cluster:
    """One running cluster."""

    def __init__(self, spec: ClusterSpec, port: int, auth_url: str, state: Path, logs: Path) -> None:
        self.spec = spec
        self.port = port
        self.folder = state / spec.name
        argv: list[str | Path] = [
            TESTCLUSTER, "--data-dir", self.folder, "--name", spec.name, "--port", str(port), "--controllers",
            "--pod-cidr", spec.pod_cidr, "--pod-map", spec.loopback_prefix, "--eks-auth-url", auth_url, "--exit-on-stdin-eof",
        ]
        self.process = Process(spec.name, argv, env=inherited() | {"GOGC": _GOGC}, logs=logs)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def ca(self) -> Path:
        """Certificate of the API server's CA."""
        return self.folder / "pki" / "ca.crt"

    @property
    def endpoint(self) -> str:
        """URL of the API server."""
        return f"https://127.0.0.1:{self.port}"

    def wait_ready(self) -> None:
        """Waits for the API server and the controllers."""
        self.process.ready_line(within=START_SECONDS)

    def get(self, path: str) -> Any:
        """Reads from the API server as its administrator; JSON is parsed, other text returned as it is."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.folder / "pki" / "admin.crt", self.folder / "pki" / "admin.key")
        with urllib.request.urlopen(f"{self.endpoint}{path}", context=context, timeout=10) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers.get("content-type", "") else text

    def kubectl(self, *arguments: str, stdin: str | None = None, log: Path | None = None) -> str:
        """Runs kubectl as the administrator and returns its output."""
        return run(["kubectl", "--kubeconfig", self.kubeconfig, *arguments], env=inherited(), stdin=stdin, log=log)

    def apply(self, manifests: Sequence[Mapping[str, Any]], log: Path | None = None) -> None:
        """Applies objects on the server's side, so that large CRDs need no annotation."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(manifests), log=log)


def gateway_api_crds() -> Path:
    """Folder of the Gateway API's standard CRDs, from the Go module that holds them."""
    listed = run(["go", "mod", "download", "-json", GATEWAY_API_MODULE], env=inherited(), cwd=ROOT / "tests" / "cluster")
    return Path(json.loads(listed)["Dir"]) / "config" / "crd" / "standard"


def load(*paths: Path) -> list[dict[str, Any]]:
    """All objects of YAML files."""
    return [item for path in paths for item in yaml.safe_load_all(path.read_text()) if item]


def install_apis(cluster: Cluster, log: Path) -> None:
    """Installs the CRDs of the Gateway API and of this project, and the reconciler's RBAC."""
    deploy = ROOT / "deploy"
    # The policy that stands among the Gateway API's files only guards upgrades.
    upstream = [item for item in load(*sorted(gateway_api_crds().glob("*.yaml"))) if item["kind"] == "CustomResourceDefinition"]
    ours = load(*sorted(CRDS.glob("*.yaml")))
    cluster.apply([*upstream, *ours, *load(deploy / "reconciler-rbac.yaml")], log)
    names = [item["metadata"]["name"] for item in [*upstream, *ours]]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *[f"crd/{name}" for name in names], log=log)


def merged_kubeconfig(clusters: list[Cluster], path: Path) -> None:
    """Writes one kubeconfig with a context for each cluster, the first one current."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}, "clusters": [], "users": [], "contexts": [],
                              "current-context": clusters[0].spec.name}
    for cluster in clusters:
        one = yaml.safe_load(cluster.kubeconfig.read_text())
        name = cluster.spec.name
        merged["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
        merged["users"].append({"name": name, "user": one["users"][0]["user"]})
        merged["contexts"].append({"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}})
    path.write_text(yaml.safe_dump(merged, sort_keys=False))
    path.chmod(0o600)


def token_kubeconfig(cluster: Cluster, token: str, path: Path) -> None:
    """Writes a kubeconfig that authenticates by a bearer token."""
    name = cluster.spec.name
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    config = {"apiVersion": "v1", "kind": "Config", "current-context": name,
              "clusters": [{"name": name, "cluster": admin["clusters"][0]["cluster"]}],
              "users": [{"name": name, "user": {"token": token}}],
              "contexts": [{"name": name, "context": {"cluster": name, "user": name}}]}
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
