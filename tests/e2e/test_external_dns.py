"""The real ExternalDNS makes records of routes' hostnames: they appear, follow and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stack.externaldns import ZONE, ExternalDns, external_dns, install
from stack.objects import conditions, dns_name
from stack.stack import Stack
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

CERTIFICATE = {"arn": "arn:aws:acm:us-west-2:000000000000:certificate/00000000-0000-0000-0000-000000000004", "domain": f"*.{ZONE}"}
GATEWAY_SOURCES = ("gateway-httproute", "gateway-grpcroute", "gateway-tlsroute")


@pytest.fixture(scope="module")
def both(stack: Stack) -> Iterator[tuple[ExternalDns, ExternalDns]]:
    """ExternalDNS with the source for DNSEndpoints, and with those for routes."""
    one = stack.clusters[0]
    install(one)
    with external_dns(one, "external-dns-crd", ["crd"], stack.logs) as crd, \
            external_dns(one, "external-dns-gateway", GATEWAY_SOURCES, stack.logs) as gateway:
        yield crd, gateway


@pytest.fixture
def without_certificates_afterwards(world: World) -> Iterator[None]:
    yield
    world.stack.emulator.configure(certificates=[])


def put_route(world: World, name: str, hostnames: list[str], kind: str = "HTTPRoute") -> None:
    rules = [{"backendRefs": [{"name": "parking", "kind": "Service", "port": 80}]}]
    world.one.apply([{"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": world.namespace},
                      "spec": {"parentRefs": [{"name": "my-hotel"}], "hostnames": hostnames, "rules": rules}}])


def told(world: World, name: str, plural: str = "httproutes") -> str:
    """The domain name in a route's status."""
    found = world.get(plural, name)
    return dns_name(found) if found else ""


def target(dns: ExternalDns, hostname: str) -> str:
    record = dns.records().get(hostname)
    if record is None:
        return ""
    assert (record["type"], len(record["targets"])) == ("CNAME", 1), record
    only: str = record["targets"][0]
    return only


def address(world: World) -> str:
    """The address of the Gateway, which all hostnames may lead to."""
    addresses = world.get("gateways", "my-hotel").get("status", {}).get("addresses", [])
    return str(addresses[0]["value"]) if len(addresses) == 1 else ""


def follows(world: World, both: tuple[ExternalDns, ExternalDns], name: str, hostname: str, plural: str = "httproutes") -> None:
    """Waits for the records: one leads where the route's status says, the other one where the Gateway's does."""
    crd, gateway = both

    def look() -> bool:
        own, common = target(crd, hostname), target(gateway, hostname)
        return bool(own and common) and (own, common) == (told(world, name, plural), address(world))

    wait_for(f"a record of {hostname}", look, within=PROGRAMMED_SECONDS, every=0.5)


def is_gone(dns: ExternalDns, hostname: str) -> None:
    wait_for(f"no record of {hostname} in {dns.name}", lambda: hostname in dns.records(), within=PROGRAMMED_SECONDS,
             until=lambda there: not there)


def endpoint(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.kubectl("get", "dnsendpoint", name, "--output=json"))
    return found


def test_a_record_appears_follows_and_goes(world: World, both: tuple[ExternalDns, ExternalDns]) -> None:
    crd, gateway = both
    world.gateway()
    world.roll_out("parking")
    first, second = f"first-{world.namespace}.{ZONE}", f"second-{world.namespace}.{ZONE}"
    put_route(world, "rates", [first])
    follows(world, both, "rates", first)
    assert crd.records()[first]["ttl"] == 300
    assert crd.records()[first]["resource"] == f"crd/{world.namespace}/rates-dns"
    assert gateway.records()[first]["resource"] == f"httproute/{world.namespace}/rates"
    made = endpoint(world, "rates-dns")
    assert made["metadata"]["labels"]["trellis/owner"] == "trellis"
    assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == ["rates"]

    put_route(world, "rates", [second])
    follows(world, both, "rates", second)
    for dns in both:
        is_gone(dns, first)

    world.kubectl("delete", "httproute", "rates")
    for dns in both:
        is_gone(dns, second)


@pytest.mark.usefixtures("without_certificates_afterwards")
def test_routes_of_each_kind_have_records_by_both_ways(world: World, both: tuple[ExternalDns, ExternalDns]) -> None:
    world.stack.emulator.configure(certificates=[CERTIFICATE])
    terminated, passed = {"certificateRefs": [{"name": "unused"}]}, {"mode": "Passthrough"}
    listeners: list[dict[str, Any]] = [{"name": "https", "protocol": "HTTPS", "port": 8443, "tls": terminated},
                                       {"name": "tls", "protocol": "TLS", "port": 443, "tls": passed}]
    metadata = {"name": "my-hotel", "namespace": world.namespace}
    world.one.apply([{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata,
                      "spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": listeners}}])
    world.roll_out("parking")
    for kind, plural in (("GRPCRoute", "grpcroutes"), ("TLSRoute", "tlsroutes")):
        name, hostname = plural.removesuffix("routes"), f"{kind.lower()}-{world.namespace}.{ZONE}"
        put_route(world, name, [hostname], kind)
        follows(world, both, name, hostname, plural)


def test_a_dns_endpoint_of_somebody_else_is_left_alone(world: World, both: tuple[ExternalDns, ExternalDns]) -> None:
    crd, _ = both
    world.gateway()
    world.roll_out("parking")
    hostname = f"rates-{world.namespace}.{ZONE}"
    theirs = {"dnsName": hostname, "recordType": "CNAME", "targets": ["elsewhere.example.org"]}
    metadata = {"name": "rates-dns", "namespace": world.namespace}
    world.one.apply([{"apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint", "metadata": metadata,
                      "spec": {"endpoints": [theirs]}}])
    put_route(world, "rates", [hostname])

    def said() -> str:
        found = [one["message"] for one in conditions(world.get("httproutes", "rates"))
                 if one["type"] == "application-networking.k8s.aws/DNSEndpoint"]
        return found[0] if found else ""

    wait_for("word of it", said, within=PROGRAMMED_SECONDS, until=lambda text: "somebody else's" in text)
    assert endpoint(world, "rates-dns")["spec"]["endpoints"] == [theirs]
    assert target(crd, hostname) == "elsewhere.example.org"

    # The way out that the message names.
    world.kubectl("label", "dnsendpoint", "rates-dns", "trellis/owner=trellis")
    put_route(world, "rates", [hostname, f"more-{world.namespace}.{ZONE}"])
    wait_for("a record of the route's own", lambda: target(crd, hostname), within=PROGRAMMED_SECONDS,
             until=lambda where: where.endswith(".on.aws"))
    wait_for("no word of it any more", said, within=PROGRAMMED_SECONDS, every=2.0, until=lambda text: not text)
