"""What the charts render, without a cluster."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.environment import inherited
from stack.processes import run
from stack.settings import ROOT

from .helm import CHARTS, NEEDED, Helm, flags, objects, render

DEPLOY = ROOT / "deploy"
#: Files of deploy/ that the chart renders, each with its template and what is on for it.
GENERATED = {
    "webhook.yaml": ("webhook.yaml", {}),
    "reconciler-rbac.yaml": ("reconciler-rbac.yaml", {}),
    "gatewayclass.yaml": ("gatewayclass.yaml", {}),
    "external-dns/rbac.yaml": ("external-dns.yaml", {"externalDns.enabled": True}),
    "route-annotations/rbac.yaml": ("route-annotations.yaml", {"routeAnnotations.enabled": True}),
}
HEADER = "# Rendered from charts/trellis; edit it there, then run `make manifests`.\n"
#: A Kustomization makes the ConfigMap, and names it anew when it changes.
LEFT_OUT = re.compile(r"^ *# A change of the settings is a new Pod\.\n *checksum/config: .*\n", re.MULTILINE)
#: Everything that is off by default.
ALL = NEEDED | {"externalDns.enabled": True, "routeAnnotations.enabled": True, "metrics.serviceMonitor.enabled": True,
                "metrics.prometheusRule.enabled": True, "networkPolicy.apiServerCidrs": "{10.0.0.0/20,10.0.16.0/20}"}


def manifest(template: str, more: dict[str, Any]) -> str:
    """A file of deploy/ as the chart has it."""
    text = render("trellis", NEEDED | more, "trellis-system", "--show-only", f"templates/{template}")
    text = re.sub(r"^# Source: .*\n", "", LEFT_OUT.sub("", text), flags=re.MULTILINE)
    return HEADER + re.sub(r"\n\n+---\n", "\n---\n", text.removeprefix("---\n")).rstrip("\n") + "\n"


@pytest.mark.parametrize("name", GENERATED)
def test_the_files_for_kustomize_are_what_the_chart_renders(name: str) -> None:
    wanted, file = manifest(*GENERATED[name]), DEPLOY / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(wanted)
    assert file.read_text() == wanted, "look at the difference, then run `make manifests`"


def test_kustomize_installs_what_helm_installs() -> None:
    built = objects(run(["kubectl", "kustomize", DEPLOY], env=inherited()))
    rendered = objects(render("trellis-crds", {})) + objects(LEFT_OUT.sub("", render("trellis")))

    def told(items: list[dict[str, Any]]) -> dict[str, Any]:
        # Of the ConfigMap a Kustomization makes a name of its own; helm makes the namespace by a flag.
        kept = [item for item in items if item["kind"] not in {"ConfigMap", "Namespace"}]
        text = {f"{item['kind']} {item['metadata']['name']}": json.dumps(item, sort_keys=True) for item in kept}
        # Nor does it keep the line breaks of a folded text; CEL does not mind them.
        text = {key: re.sub(r"(\\n| )+", " ", value) for key, value in text.items()}
        return {key: re.sub(r"trellis-webhook-[a-z0-9]{10}\b(?=\"}})", "trellis-webhook", value) for key, value in text.items()}

    assert told(built) == told(rendered)


@pytest.mark.parametrize(("chart", "values"), [("trellis-crds", {}), ("trellis", NEEDED), ("trellis", ALL)], ids=["crds", "default", "all"])
def test_lint_finds_nothing(chart: str, values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in Helm()("lint", "--strict", CHARTS / chart, *flags(values))


def test_the_charts_have_the_version_of_all_else() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for chart in CHARTS.iterdir():
        told = yaml.safe_load((chart / "Chart.yaml").read_text())
        assert (told["version"], told["appVersion"]) == (version, version), chart


def test_nothing_is_a_hook_or_looked_up_and_nobody_but_the_webhook_writes_what_it_writes() -> None:
    for file in CHARTS.glob("*/templates/*"):
        text = file.read_text()
        for word in ("helm.sh/hook", "lookup", ".Release.Service", ".Capabilities"):
            assert word not in text, f"{file}: EKS takes no add-on with {word}"
    for item in objects(render("trellis", ALL)):
        for hook in item.get("webhooks", []):
            assert set(hook["clientConfig"]) == {"service"} and "path" not in hook["clientConfig"]["service"], hook


def names(values: dict[str, Any]) -> set[tuple[str, str]]:
    """Kinds and names of what the chart renders."""
    return {(item["kind"], item["metadata"]["name"]) for item in objects(render("trellis", values))}


def test_what_is_on_is_rendered_and_what_is_off_is_not() -> None:
    default = names(NEEDED)
    assert names(ALL) - default == {
        ("ClusterRole", "trellis-reconciler-external-dns"), ("ClusterRoleBinding", "trellis-reconciler-external-dns"),
        ("ClusterRole", "trellis-reconciler-route-annotations"), ("ClusterRoleBinding", "trellis-reconciler-route-annotations"),
        ("Service", "trellis-webhook-metrics"), ("ServiceMonitor", "trellis-webhook"), ("PrometheusRule", "trellis-webhook"),
    }
    off = NEEDED | {"readinessGates.enabled": False, "events.enabled": False, "networkPolicy.enabled": False, "gatewayClass.create": False,
                    "podDisruptionBudget.enabled": False, "serviceAccount.create": False}
    assert default - names(off) == {
        ("MutatingWebhookConfiguration", "trellis"), ("NetworkPolicy", "trellis-webhook"),
        ("ClusterRole", "trellis-reconciler-pods"), ("ClusterRoleBinding", "trellis-reconciler-pods"),
        ("ClusterRole", "trellis-reconciler-events"), ("ClusterRoleBinding", "trellis-reconciler-events"),
        ("GatewayClass", "amazon-vpc-lattice"), ("PodDisruptionBudget", "trellis-webhook"), ("ServiceAccount", "trellis-webhook"),
    }


def test_one_replica_has_no_disruption_budget_that_would_keep_its_node_from_being_drained() -> None:
    one = names(NEEDED | {"replicaCount": 1})
    assert names(NEEDED) - one == {("PodDisruptionBudget", "trellis-webhook")}


def test_another_namespace_is_named_wherever_one_is() -> None:
    text = render("trellis", ALL, "elsewhere")
    assert "trellis-system" not in text
    assert "--tls-dns-name=trellis-webhook.elsewhere.svc" in text and "--tls-secret=elsewhere/trellis-webhook-tls" in text


@pytest.mark.parametrize(("values", "told"), [
    ({"queueUrl": NEEDED["queueUrl"]}, "cluster.arn is missing"),
    ({"cluster.arn": NEEDED["cluster.arn"]}, "queueUrl is missing"),
    (NEEDED | {"cluster.arn": "one"}, "cluster/arn"),
    (NEEDED | {"replicas": 3}, "replicas"),
    (NEEDED | {"image.digest": "latest"}, "image/digest"),
    (NEEDED | {"replicaCount": 0}, "replicaCount"),
], ids=["no cluster", "no queue", "no ARN", "no such value", "no digest", "no replica"])
def test_values_that_cannot_be_are_refused_by_name(values: dict[str, Any], told: str) -> None:
    done = Helm().run("template", "trellis", CHARTS / "trellis", *flags(values))
    assert done.returncode != 0 and told in done.stderr, done.stderr


def test_the_region_is_that_of_the_cluster_unless_it_is_said() -> None:
    def region(values: dict[str, Any]) -> str:
        (item,) = [item for item in objects(render("trellis", values)) if item["kind"] == "ConfigMap"]
        return str(item["data"]["AWS_REGION"])

    assert region(NEEDED) == "us-west-2" and region(NEEDED | {"region": "eu-central-1"}) == "eu-central-1"


def _paths(value: Any, schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict) or "properties" not in schema:
        return [(path, schema)]
    assert set(value) == set(schema["properties"]) - {"global"}, path
    return [leaf for key, inner in value.items() for leaf in _paths(inner, schema["properties"][key], f"{path}.{key}".lstrip("."))]


def test_every_value_has_a_default_a_description_and_a_use() -> None:
    chart = CHARTS / "trellis"
    templates = "".join(file.read_text() for file in sorted(Path(chart / "templates").iterdir()))
    values = yaml.safe_load((chart / "values.yaml").read_text())
    leaves = _paths(values, json.loads((chart / "values.schema.json").read_text()))
    assert len(leaves) > 30
    for path, schema in leaves:
        assert schema.get("description"), path
        used = f".Values.{path}" in templates or path.startswith("image.") and f"$image.{path.removeprefix('image.')}" in templates
        assert used, f"{path} has no use"
