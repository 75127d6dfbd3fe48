"""A PostgreSQL outside of the clusters, which clients in the second VPC reach by its domain name, and others do not."""

from __future__ import annotations

import operator
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from stack.environment import free_ports
from stack.objects import LATTICE_API, describe, is_true
from stack.waiting import wait_for
from stack.world import EXAMPLES, PROGRAMMED_SECONDS, SCHEDULED_SECONDS, World

GROUP = "trellis.application-networking.k8s.aws"
#: Of the example: under which clients reach it, and what it is called where it is.
DOMAIN = "orders.example.com"
ORIGIN = "orders.db.example.net"
#: Where it is in the first cluster's VPC: no Pod has an address there.
ADDRESS = "10.0.200.7"
#: A VPC that no Gateway has anything to do with.
STRANGER = "vpc-0a1b2c3d4e5f60077"
#: What a PostgreSQL is made and started within, on a machine that has other work.
START_SECONDS = 40.0
PLURALS = {"ResourceGateway": "resourcegateways", "ResourceConfiguration": "resourceconfigurations"}


def runs_as() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def program(name: str) -> Path:
    """A program of PostgreSQL's: Debian keeps the server's out of the path."""
    found = shutil.which(name)
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found or kept, f"{name} is not installed: tests/postgres.sh"
    return Path(found) if found else kept[-1]


@pytest.fixture
def port(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A running PostgreSQL in the first cluster's VPC; its port."""
    server, initdb = program("postgres"), program("initdb")
    prefix = world.one.spec.loopback_prefix
    place = f"{prefix}.{ADDRESS.split('.', 2)[2]}"
    (chosen,) = free_ports(1)
    # Whoever PostgreSQL runs as enters all folders above its own.
    home = Path(tempfile.mkdtemp(prefix="trellis-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    make: list[str | Path] = [initdb, "-D", data, "-U", "orders", "--auth=trust", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, cwd=home, **runs_as())
    with (tmp_path_factory.mktemp("postgres") / "log").open("wb") as log:
        process = subprocess.Popen([server, "-D", data, "-h", place, "-p", str(chosen), "-k", home, "-c", "fsync=off"],
                                   stdout=log, stderr=log, cwd=home, **runs_as())
        try:
            wait_for("PostgreSQL to answer", partial(ask, place, chosen), within=START_SECONDS, until=partial(operator.eq, "42"))
            yield chosen
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)
            shutil.rmtree(home)


def ask(address: str, port: int, name: str = DOMAIN) -> str:
    """What `psql` says that calls the server by this name, at this address; empty where it cannot."""
    connection = f"host={name} hostaddr={address} port={port} user=orders dbname=postgres connect_timeout=2"
    done = subprocess.run([program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command", "select 6 * 7", connection],
                          capture_output=True, text=True, check=False, timeout=START_SECONDS)
    return done.stdout.strip()


def resolved(world: World, vpc: str, name: str) -> list[str]:
    """The addresses that a domain name leads to for clients of a VPC."""
    found: list[str] = world.stack.emulator.admin("GET", f"dns?{urlencode({'vpc': vpc, 'name': name})}")["addresses"]
    return found


def read(world: World, kind: str, name: str) -> dict[str, Any]:
    """An object as it is."""
    path = f"/apis/{GROUP}/v1alpha1/namespaces/{world.namespace}/{PLURALS[kind]}/{name}"
    found: dict[str, Any] = world.one.get(path)
    return found


def programmed(world: World, kind: str, name: str) -> dict[str, Any]:
    """Waits until an object is Programmed, and returns it."""
    last: dict[str, Any] = {}

    def look() -> str:
        last.clear()
        last.update(read(world, kind, name))
        return "" if is_true(last, "Programmed") else describe(last)

    wait_for(f"{kind}/{name} to be Programmed", look, within=PROGRAMMED_SECONDS, until=lambda missing: not missing)
    return last


def left(world: World) -> list[str]:
    """Names of what VPC Lattice has of the namespace's resources."""
    state = world.stack.emulator.state()
    kinds = ("resourceGateways", "resourceConfigurations")
    return [one["name"] for kind in kinds for one in state[kind] if f"/{world.namespace}/" in one.get("tags", {}).get("trellis:key", "")]


@pytest.fixture
def hotels(world: World) -> Iterator[World]:
    """The Gateway my-hotel in both clusters; the second one's VPC takes all private names."""
    world.gateway()
    world.apply("gatewayclass", "my-hotel-gateway", cluster=world.two)
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"}
    spec = {"targetRef": target, "privateDnsEnabled": True, "dnsOptions": {"privateDnsPreference": "ALL_DOMAINS"}}
    policy = {"apiVersion": LATTICE_API.removeprefix("/apis/"), "kind": "VpcAssociationPolicy", "metadata": {"name": "vpc"}, "spec": spec}
    world.kubectl("apply", "--validate=strict", "-f", "-", cluster=world.two, stdin=yaml.safe_dump(policy))
    yield world
    world.kubectl("delete", "gateway", "my-hotel", "--ignore-not-found", "--timeout=20s", cluster=world.two)
    world.two.kubectl("delete", "gatewayclass", "amazon-vpc-lattice")
    world.stack.emulator.configure(names=None)


def test_a_database_is_reached_by_its_domain_name_from_the_second_vpc_and_from_no_other(hotels: World, port: int) -> None:
    hotels.stack.emulator.configure(names={ORIGIN: ADDRESS})
    items = list(yaml.safe_load_all((EXAMPLES / "orders-database.yaml").read_text()))
    items[1]["spec"]["ports"] = [port]
    hotels.kubectl("apply", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(items))
    programmed(hotels, "ResourceGateway", "databases")
    (parent,) = programmed(hotels, "ResourceConfiguration", "orders")["status"]["parents"]
    vpc = hotels.two.spec.vpc
    addresses = wait_for(f"{DOMAIN} to lead somewhere", partial(resolved, hotels, vpc, DOMAIN), within=PROGRAMMED_SECONDS, until=bool)
    wait_for("psql from the second VPC", partial(ask, addresses[0], port), within=PROGRAMMED_SECONDS, until=partial(operator.eq, "42"))
    assert resolved(hotels, vpc, parent["dnsName"]) == addresses
    assert resolved(hotels, STRANGER, DOMAIN) == resolved(hotels, STRANGER, parent["dnsName"]) == []

    # Whichever object goes first.
    hotels.kubectl("delete", "resourcegateway", "databases", "--wait=false")
    hotels.kubectl("delete", "resourceconfiguration", "orders", "--wait=false")
    wait_for("nothing of it in VPC Lattice", partial(left, hotels), within=SCHEDULED_SECONDS, until=lambda names: not names)
    assert resolved(hotels, vpc, DOMAIN) == []
    assert ask(addresses[0], port) == ""
