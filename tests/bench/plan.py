"""Measures `trellis plan`, and fails where it takes longer or more than a person at a terminal should have to bear.

    python -m bench.plan [--routes N] PROGRAM

With routes of which none has a hostname, each second one has one of its own, and each has one. The bar is for the fastest run: other
work of the machine makes none faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Routes of one Gateway: services in a network are counted against a quota of 500.
ROUTES_OF_A_GATEWAY = 500
#: Runs of each kind.
RUNS = 5
#: What 1,000 routes may take at most.
SECONDS_MAX = 2.0
MEGABYTES_MAX = 100.0
PER_ROUTE = """apiVersion: v1
kind: Service
metadata: {{name: shop-{n}, namespace: shop}}
spec: {{ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: shop-{n}-1, namespace: shop, labels: {{kubernetes.io/service-name: shop-{n}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints:
- {{addresses: ["10.{high}.{low}.1"], conditions: {{ready: true}}}}
- {{addresses: ["10.{high}.{low}.2"], conditions: {{ready: true}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop-{n}, namespace: shop}}
spec:
  parentRefs: [{{name: gateway-{gateway}}}]
  {hostnames}
  rules:
  - matches: [{{path: {{type: PathPrefix, value: /api}}}}]
    backendRefs: [{{name: shop-{n}, port: 80}}]
  - backendRefs: [{{name: shop-{n}, port: 80}}]
---
"""
GATEWAY = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gateway-{gateway}, namespace: shop}}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners: [{{name: http, protocol: HTTP, port: 80}}]
---
"""


def manifests(routes: int, named: int) -> str:
    """Routes with two rules, a Service and two endpoints each; so many, evenly among all, have a hostname."""
    gateways = range((routes + ROUTES_OF_A_GATEWAY - 1) // ROUTES_OF_A_GATEWAY)
    text = [GATEWAY.format(gateway=gateway) for gateway in gateways]
    for n in range(routes):
        is_named = (n + 1) * named // routes > n * named // routes
        hostnames = f"hostnames: [shop-{n}.example.com]" if is_named else ""
        text.append(PER_ROUTE.format(n=n, high=n // 250 % 250, low=n % 250, gateway=n // ROUTES_OF_A_GATEWAY, hostnames=hostnames))
    return "".join(text)


def run(program: Path, file: Path, told: Path) -> tuple[float, float, float]:
    """Seconds, seconds of the CPU, and megabytes at most; what it prints goes into `told`.

    Linux counts what its parent has in memory among a process's own: who reads plans meanwhile measures himself.
    """
    with told.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen([program, "plan", "-f", file, "-o", "json"], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    assert os.waitstatus_to_exitcode(status) == 0, "the plan failed"
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    """Prints figures; the exit status is 1 beyond the bars."""
    parser = argparse.ArgumentParser(prog="bench.plan", description="Measures `trellis plan`.")
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("program", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = {}
        for named in (0, arguments.routes // 2, arguments.routes):
            file, told = Path(folder) / "routes.yaml", Path(folder) / f"{named}.json"
            file.write_text(manifests(arguments.routes, named))
            measured[named] = [run(arguments.program, file, told) for _ in range(RUNS)]
        plans = {named: json.loads((Path(folder) / f"{named}.json").read_text()) for named in measured}
    print(f"{'routes':>6} {'named':>6} {'seconds':>8} {'fastest':>8} {'of CPU':>8} {'MB':>5} {'steps':>6}")
    slow = False
    for named, runs in measured.items():
        seconds, cpu, fastest = statistics.median(one[0] for one in runs), statistics.median(one[1] for one in runs), min(runs)[0]
        most = max(one[2] for one in runs)
        services = plans[named]["cost"]["services"]
        assert services == arguments.routes, f"{services} services of {arguments.routes} routes"
        print(f"{arguments.routes:6} {named:6} {seconds:8.2f} {fastest:8.2f} {cpu:8.2f} {most:5.0f} {plans[named]['summary']['add']:6}")
        slow = slow or fastest > SECONDS_MAX or most > MEGABYTES_MAX
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
