"""A relay in front of an API server, by which it can be made to hang or to be gone while its Pods go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 64 * 1024
#: Connecting to an API server of this machine takes less than a millisecond.
_CONNECT_SECONDS = 5.0


class Door:
    """Accepts connections at `port` of 127.0.0.1 and passes bytes on to another port of it."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._answers = threading.Event()
        self._answers.set()
        self._relayed: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Meanwhile connections are accepted, old and new, and nothing is passed on: neither TLS nor a request gets an answer."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def close(self) -> None:
        """Ends all connections; new ones are refused. Safe to repeat."""
        for one in [self._listener, *self._relayed]:
            with suppress(OSError):
                # Unlike `close`, this wakes whoever waits for it.
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._answers.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # The door is closed.
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        self._answers.wait()
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._upstream), _CONNECT_SECONDS) as server:
            server.settimeout(None)
            self._relayed |= {client, server}
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            self._relayed -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._answers.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
