"""The relay that makes an API server hang for the functions."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator

import pytest

from .door import Door

#: Long beside what an answer takes here.
NO_ANSWER_SECONDS = 0.3


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def door() -> Iterator[Door]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = Door(server.server_address[1])
        yield made
        made.close()
        server.shutdown()


def status(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_door_that_hangs_accepts_and_answers_neither_old_connections_nor_new_ones_until_it_is_over(door: Door) -> None:
    old = http.client.HTTPConnection("127.0.0.1", door.port, timeout=NO_ANSWER_SECONDS)
    assert status(old) == 204
    with door.hanging():
        for one in (old, http.client.HTTPConnection("127.0.0.1", door.port, timeout=NO_ANSWER_SECONDS)):
            with pytest.raises(TimeoutError):
                status(one)
    assert status(http.client.HTTPConnection("127.0.0.1", door.port, timeout=5)) == 204


def test_a_closed_door_refuses_and_ends_what_it_had(door: Door) -> None:
    old = http.client.HTTPConnection("127.0.0.1", door.port, timeout=5)
    assert status(old) == 204
    door.close()
    with pytest.raises((OSError, http.client.HTTPException)):
        status(old)
    with pytest.raises(ConnectionRefusedError):
        status(http.client.HTTPConnection("127.0.0.1", door.port, timeout=5))
