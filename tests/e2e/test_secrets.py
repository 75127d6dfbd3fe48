"""Certificates of Secrets: imported into ACM, served, renewed under their ARN, and gone with their Gateway."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from operator import eq
from typing import Any

import pytest

from stack.objects import conditions
from stack.settings import RECONCILER_GROUP, ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

GATEWAY_API = "gateway.networking.k8s.io/v1"
#: Of the name of the network that the clusters' VPCs are associated with, so that a client is there.
GATEWAY = "my-hotel"
HOSTNAME = "a.example.com"
CERTIFICATES = ROOT / "shared" / "gateway" / "tests" / "certificates"
KEY = (CERTIFICATES / "key.pem").read_text()


@pytest.fixture
def _importing(world: World) -> Iterator[None]:
    world.stack.set_variables({"TRELLIS_CERTIFICATE_SECRETS": "true"})
    yield
    world.stack.set_variables({"TRELLIS_CERTIFICATE_SECRETS": "false"})


@pytest.fixture
def strangers(world: World) -> Iterator[str]:
    """The ARN of a certificate that somebody else has imported."""
    acm = world.stack.aws("acm")
    arn: str = acm.import_certificate(Certificate=(CERTIFICATES / "wildcard.pem").read_bytes(), PrivateKey=KEY.encode())["CertificateArn"]
    yield arn
    acm.delete_certificate(CertificateArn=arn)


def secret(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": (CERTIFICATES / f"{name}.pem").read_text(), "tls.key": KEY}}


def role() -> list[dict[str, Any]]:
    """The one Role that the status names, and its binding."""
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["tls"], "verbs": ["get"]}
    return [{"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "trellis-tls"}, "rules": [rule]},
            {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "trellis-tls"},
             "roleRef": {"apiGroup": group, "kind": "Role", "name": "trellis-tls"},
             "subjects": [{"apiGroup": group, "kind": "Group", "name": RECONCILER_GROUP}]}]


def resolved_refs(world: World) -> str:
    """The listener's condition ResolvedRefs: status, reason and message."""
    listeners = world.get("gateways", GATEWAY).get("status", {}).get("listeners", [])
    return "".join(f"{one['status']} {one['reason']} {one['message']}"
                   for listener in listeners for one in listener["conditions"] if one["type"] == "ResolvedRefs")


def presented(world: World) -> str | None:
    """Which of the certificates a client in the VPC is shown; None if it is another one, or none at all."""
    context = ssl.create_default_context()
    # Who it is from is told by its bytes.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = world.one.spec.data_plane_address, world.stack.emulator.data_port
    try:
        with socket.create_connection(place, timeout=10) as plain, context.wrap_socket(plain, server_hostname=HOSTNAME) as encrypted:
            shown = encrypted.getpeercert(binary_form=True)
    except OSError:
        return None
    known = {name: ssl.PEM_cert_to_DER_cert((CERTIFICATES / f"{name}.pem").read_text()) for name in ("first", "renewed")}
    return next((name for name, content in known.items() if content == shown), None)


def imported(world: World) -> list[str]:
    """ARNs of the certificates that bear the installation's tag."""
    acm = world.stack.aws("acm")
    arns = [one["CertificateArn"] for one in acm.list_certificates()["CertificateSummaryList"] if one["Type"] == "IMPORTED"]
    tags = {}
    for arn in arns:
        # One that goes between the two calls is none.
        with suppress(acm.exceptions.ResourceNotFoundException):
            tags[arn] = acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
    return [arn for arn in arns if any(tag["Key"] == "trellis:owner" for tag in tags.get(arn, []))]


@pytest.mark.usefixtures("_importing")
def test_a_secrets_certificate_is_served_renewed_under_its_arn_and_gone_with_its_gateway(world: World, strangers: str) -> None:
    world.roll_out("parking")
    listener = {"name": "https", "protocol": "HTTPS", "port": 443, "hostname": HOSTNAME, "tls": {"certificateRefs": [{"name": "tls"}]}}
    gateway = {"apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": {"name": GATEWAY, "namespace": world.namespace},
               "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": [listener]}}
    rules = [{"backendRefs": [{"name": "parking", "kind": "Service", "port": 80}]}]
    route = {"apiVersion": GATEWAY_API, "kind": "HTTPRoute", "metadata": {"name": "vault", "namespace": world.namespace},
             "spec": {"parentRefs": [{"name": GATEWAY}], "hostnames": [HOSTNAME], "rules": rules}}
    add(world, secret("first"))
    world.one.apply([gateway, route])
    told = wait_for("word of the Role", lambda: resolved_refs(world), within=PROGRAMMED_SECONDS, until=lambda said: "not be read" in said)
    assert told.startswith("False InvalidCertificateRef") and 'resourceNames: ["tls"]' in told
    assert imported(world) == []

    for one in role():
        add(world, one)
    wait_for("the certificate in use", lambda: presented(world), within=PROGRAMMED_SECONDS, until=partial(eq, "first"))
    assert resolved_refs(world).startswith("True ResolvedRefs")
    before = imported(world)
    assert len(before) == 1

    add(world, secret("renewed"))
    world.drift_pass()
    wait_for("the renewed certificate", lambda: presented(world), within=PROGRAMMED_SECONDS, until=partial(eq, "renewed"))
    wait_for("the same certificates", lambda: imported(world), within=PROGRAMMED_SECONDS, until=partial(eq, before))
    lines = world.all_lines(world.stack.outputs.reconcile_function) + world.all_lines(world.stack.outputs.drift_function)
    assert not any("PRIVATE KEY" in line or KEY.splitlines()[1] in line for line in lines)
    assert conditions(world.get("httproutes", "vault"))

    world.kubectl("delete", "gateways,httproutes", "--all", "--wait=false")
    wait_for("no certificate of ours", lambda: imported(world), within=SCHEDULED_SECONDS, until=partial(eq, []))
    assert world.stack.aws("acm").describe_certificate(CertificateArn=strangers)["Certificate"]["Status"] == "ISSUED"


def add(world: World, item: dict[str, Any]) -> None:
    """Applies an object in the namespace."""
    world.one.apply([{**item, "metadata": {**item["metadata"], "namespace": world.namespace}}])
