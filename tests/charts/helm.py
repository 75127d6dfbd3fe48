"""Helm, built from its Go module by tests/build-helm.sh, as somebody runs it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stack.environment import inherited
from stack.settings import ROOT, ClusterSpec, cluster_specs

HELM = ROOT / "tests" / "helm" / "helm"
CHARTS = ROOT / "deploy" / "charts"
NAMESPACE = "trellis-system"
#: The longest is an installation that waits for Pods.
HELM_SECONDS = 180
SPEC: ClusterSpec = cluster_specs(90)[0]
#: What every installation says.
NEEDED = {"cluster.arn": SPEC.arn, "queueUrl": "https://sqs.us-west-2.amazonaws.com/000000000000/trellis.fifo"}


class Helm:
    """Helm for one kubeconfig, or for none."""

    def __init__(self, kubeconfig: Path | None = None) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="helm-")
        self._env = inherited() | {f"HELM_{what}_HOME": self._home.name for what in ("CACHE", "CONFIG", "DATA")}
        if kubeconfig:
            self._env["KUBECONFIG"] = str(kubeconfig)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs it, whatever comes of it."""
        argv = [str(HELM), *map(str, arguments)]
        return subprocess.run(argv, env=self._env, capture_output=True, text=True, check=False, timeout=HELM_SECONDS)

    def __call__(self, *arguments: str | Path) -> str:
        """Runs it to its good end and returns its output."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout


def flags(values: Mapping[str, Any]) -> list[str]:
    """Values as flags; text stays text."""
    return [part for key, value in values.items()
            for part in (["--set-string" if isinstance(value, str) else "--set", f"{key}={_said(value)}"])]


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def render(chart: str, values: Mapping[str, Any] = NEEDED, namespace: str = NAMESPACE, *more: str) -> str:
    """What `helm template` prints."""
    return Helm()("template", "trellis", CHARTS / chart, "--namespace", namespace, *flags(values), *more)


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of a text."""
    return [item for item in yaml.safe_load_all(text) if item]
