"""The charts on a real API server: install, upgrade, roll back, uninstall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stack.cluster import CRDS, Cluster, gateway_api_crds, load
from stack.environment import free_ports
from stack.waiting import Expectation, wait_for

from .helm import CHARTS, NAMESPACE, NEEDED, SPEC, Helm, flags

#: A namespace goes when everything in it has.
GONE_SECONDS = 60.0
HOOKS = ("validatingwebhookconfiguration", "mutatingwebhookconfiguration")
#: What the webhook writes into each of its registrations (functions/webhook/src/tls); the text is any PEM.
TRUST = (("caBundle", "LS0tLS1CRUdJTg=="), ("service/path", "/unguessable"))
EXPORT = {"apiVersion": "application-networking.k8s.aws/v1alpha1", "kind": "ServiceExport",
          "metadata": {"name": "rates", "namespace": "default"}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the CRDs of the Gateway API, as a person has before the charts come."""
    folder = tmp_path_factory.mktemp("charts")
    (port,) = free_ports(1)
    made = Cluster(SPEC, port, "http://127.0.0.1:9/", folder / "state", folder / "logs")
    try:
        made.wait_ready()
        upstream = [item for item in load(*sorted(gateway_api_crds().glob("*.yaml"))) if item["kind"] == "CustomResourceDefinition"]
        made.apply(upstream)
        made.kubectl("wait", "--for=condition=Established", "--timeout=60s", *[f"crd/{item['metadata']['name']}" for item in upstream])
        yield made
    finally:
        made.process.stop()


@pytest.fixture(scope="module")
def helm(cluster: Cluster) -> Helm:
    return Helm(cluster.kubeconfig)


@pytest.fixture(scope="module")
def crds(cluster: Cluster, helm: Helm) -> None:
    """The CRDs, first as somebody has applied them by hand, or has those of the AWS Gateway API Controller of the same names."""
    cluster.apply(load(*sorted(CRDS.glob("*.yaml"))))
    refused = helm.run("install", "trellis-crds", CHARTS / "trellis-crds", "--namespace", NAMESPACE, "--create-namespace")
    assert refused.returncode != 0 and "invalid ownership metadata" in refused.stderr, refused.stderr
    helm("upgrade", "--install", "trellis-crds", CHARTS / "trellis-crds", "--namespace", NAMESPACE, "--create-namespace",
         "--take-ownership", "--force-conflicts")


def install(helm: Helm, values: dict[str, Any]) -> None:
    """Installs or upgrades as the guide says, and waits until the Pods are ready."""
    helm("upgrade", "--install", "trellis", CHARTS / "trellis", "--namespace", NAMESPACE, *flags(values), "--wait", "--timeout", "120s")


def read(cluster: Cluster, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    """An object; nothing where there is none."""
    text = cluster.kubectl("get", kind, name, "--namespace", namespace, "--ignore-not-found", "-o", "json")
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def replicas(cluster: Cluster) -> int:
    """How many webhooks are asked for."""
    return int(read(cluster, "deployment", "trellis-webhook")["spec"]["replicas"])


def trust(cluster: Cluster) -> list[Any]:
    """What the webhook has written into its registrations: nothing of it is the chart's."""
    found = [read(cluster, kind, "trellis")["webhooks"] for kind in HOOKS]
    return [(hook["clientConfig"].get("caBundle"), hook["clientConfig"]["service"].get("path")) for hooks in found for hook in hooks]


def test_from_the_first_installation_to_the_last_rest(cluster: Cluster, helm: Helm, crds: None) -> None:
    install(helm, NEEDED)
    assert replicas(cluster) == 2 and read(cluster, "gatewayclass", "amazon-vpc-lattice")
    assert set(trust(cluster)) == {(None, None)}, "who trusts whom is the webhook's to say"
    # As the webhook does, by its own name as a manager of fields.
    for kind in HOOKS:
        written = read(cluster, kind, "trellis")
        ours = [{"op": "add", "path": f"/webhooks/{at}/clientConfig/{member}", "value": value}
                for at in range(len(written["webhooks"])) for member, value in TRUST]
        cluster.kubectl("patch", kind, "trellis", "--type", "json", "--field-manager", "trellis-webhook", "--patch", json.dumps(ours))
    written_by_webhook = trust(cluster)
    assert None not in {value for pair in written_by_webhook for value in pair}

    settings = read(cluster, "deployment", "trellis-webhook")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    install(helm, NEEDED | {"replicaCount": 3, "logLevel": "debug", "externalDns.enabled": True})
    assert replicas(cluster) == 3 and read(cluster, "clusterrole", "trellis-reconciler-external-dns")
    changed = read(cluster, "deployment", "trellis-webhook")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    assert changed != settings, "Pods begin anew with other settings"
    assert trust(cluster) == written_by_webhook, "an upgrade leaves what the webhook has written"

    helm("rollback", "trellis", "1", "--namespace", NAMESPACE, "--wait", "--timeout", "120s")
    assert replicas(cluster) == 2 and not read(cluster, "clusterrole", "trellis-reconciler-external-dns")
    assert trust(cluster) == written_by_webhook, "and so does a rollback"

    cluster.apply([EXPORT])
    helm("uninstall", "trellis", "--namespace", NAMESPACE, "--wait", "--timeout", "120s")
    for kind, name in (("deployment", "trellis-webhook"), ("clusterrole", "trellis-reconciler"), *((kind, "trellis") for kind in HOOKS)):
        assert not read(cluster, kind, name), kind
    helm("uninstall", "trellis-crds", "--namespace", NAMESPACE)
    assert read(cluster, "serviceexport", "rates", "default"), "with a CRD all objects of its kind would go"
    assert len(cluster.kubectl("get", "crd", "-o", "name").split()) > len(list(CRDS.glob("*.yaml")))
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    wait_for("the namespace to go: nothing of Trellis holds it", lambda: not read(cluster, "namespace", NAMESPACE), within=GONE_SECONDS)


def test_the_api_server_takes_every_object_as_it_is_meant(cluster: Cluster, crds: None) -> None:
    everything = Helm()("template", "trellis", CHARTS / "trellis", "--namespace", "default",
                        *flags(NEEDED | {"externalDns.enabled": True, "routeAnnotations.enabled": True}))
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=everything)
    with pytest.raises(Expectation, match="unknown field"):
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=everything.replace("minAvailable:", "minAvail:"))
