"""Starts the emulator for the suites in this folder, which speak to it with AWS's own clients only.

The binary is `target/debug/lattice-emulator` of the workspace unless LATTICE_EMULATOR names another one.
"""

import json
import os
import pathlib
import subprocess
import urllib.request

import boto3
import botocore
import oracle
import pytest
import samples
from botocore.config import Config
from scenes import REGION, VPC

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The quotas that the walks through all operations would meet; what they do has tests of its own in Rust.
QUOTAS = ["service-networks=100000", "target-groups=100000", "domain-verifications=100000", "services=100000",
          "listeners-per-service=100000", "rules-per-listener=100000"]


class Emulator:
    """A running emulator and ways to speak to it."""

    def __init__(self, *flags):
        binary = os.environ.get("LATTICE_EMULATOR", str(ROOT / "target" / "debug" / "lattice-emulator"))
        quotas = [word for quota in QUOTAS for word in ("--quota", quota)]
        self.process = subprocess.Popen(
            [binary, "--vpc", f"{VPC}=127.64", "--delay", "all=0", "--exit-on-stdin-eof", "--seed", "1", *quotas, *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        assert ready.startswith("READY "), f"the emulator did not start: {ready!r}"
        words = dict(word.split("=", 1) for word in ready.split()[1:])
        self.url = words["control"]
        self.data_port = int(words["data-port"])

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0

    def client(self, service="vpc-lattice", checked=True, keys=("AKIDEXAMPLE", "secret", None), region=REGION, **config):
        """A client; `checked` hangs the oracle into it. Neither retries nor checks what it sends."""
        client = boto3.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1], aws_session_token=keys[2],
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, **config))
        if checked:
            oracle.watch(client)
        return client

    def admin(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/_emulator/{path}", method=method, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request) as response:
            return json.load(response)


def pytest_terminal_summary(terminalreporter):
    """Tells what was tried and by which model, also in a quiet run."""
    tried = ", ".join(f"{count} {what}" for what, count in sorted(samples.CASES.items()))
    terminalreporter.write_line(f"tried: {tried}")
    terminalreporter.write_line(f"vpc-lattice {oracle.api_version()} as in botocore {botocore.__version__}")


@pytest.fixture(scope="session")
def emulator():
    emulator = Emulator()
    yield emulator
    emulator.stop()


@pytest.fixture
def lattice(emulator):
    """A client whose every answer is held against the model, over an emulator without resources."""
    emulator.admin("POST", "reset")
    client = emulator.client()
    yield client
    assert not client.findings, "\n".join(client.findings)


@pytest.fixture
def configured(emulator):
    """Patches the settings and puts them back afterwards."""
    before = emulator.admin("GET", "config")
    yield lambda patch: emulator.admin("PUT", "config", patch)
    emulator.admin("PUT", "config", {"throttle": None, **before})
