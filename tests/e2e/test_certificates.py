"""Certificates of ACM, found by hostname."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import eq
from typing import Any

import pytest

from stack.objects import conditions
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

GATEWAY_API = "gateway.networking.k8s.io/v1"
HOSTNAME = "rates.example.com"
ARN = "arn:aws:acm:us-west-2:000000000000:certificate/00000000-0000-0000-0000-00000000000"
WILDCARD = {"arn": f"{ARN}1", "domain": "*.example.com"}
EXACT = {"arn": f"{ARN}2", "domain": "example.org", "alternative-names": [HOSTNAME]}
ELLIPTIC = {"arn": f"{ARN}3", "domain": HOSTNAME, "key-algorithm": "EC_prime256v1"}


@pytest.fixture
def without_certificates_afterwards(world: World) -> Iterator[None]:
    yield
    world.stack.emulator.configure(certificates=[])


def certificate(world: World) -> str | None:
    """The certificate of the service with the hostname; empty if it has none, None if there is no service."""
    services = world.stack.aws("vpc-lattice")
    for item in services.list_services()["items"]:
        if item.get("customDomainName") == HOSTNAME:
            found: str = services.get_service(serviceIdentifier=item["id"]).get("certificateArn", "")
            return found
    return None


@pytest.mark.usefixtures("without_certificates_afterwards")
def test_a_certificate_is_found_by_hostname_and_replaced_by_a_better_one_without_an_edit(world: World) -> None:
    world.roll_out("parking")
    listener: dict[str, Any] = {"name": "https", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "unused"}]}}
    spec = {"gatewayClassName": "amazon-vpc-lattice", "listeners": [listener]}
    gateway = {"apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": {"name": "my-hotel", "namespace": world.namespace}, "spec": spec}
    rules = [{"backendRefs": [{"name": "parking", "kind": "Service", "port": 80}]}]
    route = {"apiVersion": GATEWAY_API, "kind": "HTTPRoute", "metadata": {"name": "rates", "namespace": world.namespace},
             "spec": {"parentRefs": [{"name": "my-hotel"}], "hostnames": [HOSTNAME], "rules": rules}}
    world.stack.emulator.configure(certificates=[ELLIPTIC])
    world.one.apply([gateway, route])
    (programmed,) = [c for c in conditions(world.programmed("httproutes", "rates")) if c["type"] == "Programmed"]
    assert f'There is no certificate for "{HOSTNAME}"' in programmed["message"]
    assert certificate(world) == ""

    for certificates, wanted in (([ELLIPTIC, WILDCARD], WILDCARD), ([ELLIPTIC, WILDCARD, EXACT], EXACT)):
        world.stack.emulator.configure(certificates=certificates)
        world.drift_pass()
        wait_for(f"the certificate for {wanted['domain']}", lambda: certificate(world), within=PROGRAMMED_SECONDS,
                 until=partial(eq, wanted["arn"]))
    wait_for("no word of a missing certificate", lambda: str(conditions(world.get("httproutes", "rates"))), within=PROGRAMMED_SECONDS,
             until=lambda told: "no certificate" not in told)
