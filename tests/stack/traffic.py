"""A client that sends requests beside whatever else goes on."""

from __future__ import annotations

import http.client
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from .stack import Stack
from .waiting import wait_for

#: Between two requests, in seconds, while something else is measured: on two cores a busy client would be measured with it.
PACE = 0.01
#: What the data plane and a Pod need for an answer, many times over.
ANSWER_SECONDS = 10.0


class Traffic:
    """One request after the other to a service, from a client in a cluster's VPC.

    An answer is kept as the text of the Pod that gave it, without the Pod's name and in lower case, or as what else came.
    """

    def __init__(self, stack: Stack, name: str, number: int = 0) -> None:
        self._name = name
        self._address = stack.clusters[number].spec.data_plane_address, stack.emulator.data_port
        self._over = threading.Event()
        self._pace = PACE
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.answers: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def sent(self) -> int:
        """How many requests have an answer, or failed."""
        return len(self.answers)

    def at_least(self, requests: int, *, since: int, within: float) -> Counter[str]:
        """Sends as fast as it goes until there were so many requests since that one, and counts their answers."""
        self._pace = 0.0
        try:
            wait_for(f"{requests} requests", lambda: self.sent() - since, within=within, until=lambda sent: sent >= requests)
        finally:
            self._pace = PACE
        return Counter(self.answers[since:since + requests])

    def _send(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=ANSWER_SECONDS)
        while not self._over.is_set():
            try:
                connection.request("GET", "/", headers={"host": self._name})
                answer = connection.getresponse()
                body = answer.read().decode(errors="replace")
                self.answers.append(body.rpartition("): ")[2].strip().lower() if answer.status == 200 else f"{answer.status}: {body}")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.answers.append(f"failed: {error!r}")
            if self._pace:
                self._over.wait(self._pace)


@contextmanager
def no_failed_http2_request(stack: Stack, name: str, log: Path, *, a_second: int, path: str = "/", grpc: bool = False) -> Iterator[None]:
    """Sends requests by HTTP/2 over TLS from the first cluster's VPC meanwhile, each of which must be answered with 200.

    `curl` keeps one connection. With `grpc` they look as those of a gRPC client do.
    """
    place = f"{stack.clusters[0].spec.data_plane_address}:{stack.emulator.data_port}"
    command = ["curl", "--http2", "--insecure", "--silent", "--show-error", "--max-time", str(ANSWER_SECONDS), "--rate", f"{a_second}/s",
               "--connect-to", f"::{place}", "--output", "/dev/null", "--write-out", "%{stderr}%{http_code} by HTTP/%{http_version}\\n"]
    if grpc:
        command += ["--header", "content-type: application/grpc", "--header", "te: trailers", "--data", ""]
    with log.open("w") as answers:
        client = subprocess.Popen([*command, f"https://{name}{path}?[1-1000000]"], stderr=answers)
    try:
        yield
    finally:
        client.terminate()
        client.wait()
    answered = log.read_text().splitlines()
    failed = [answer for answer in answered if answer != "200 by HTTP/2"]
    print(f"{len(answered)} requests by HTTP/2{' as gRPC' if grpc else ''}, {len(failed)} failed")
    assert len(answered) > 2 * a_second and not failed, f"{len(failed)} of {len(answered)} requests failed: {failed[:3]}"
