"""Loopback addresses for VPCs, so that several stacks can run on one machine at once."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

#: The first octets to try; the emulator gives 127.70 and later to VPCs that it was told nothing of.
_CANDIDATES = range(65, 250, 2)
_RESERVED = range(70, 90)
#: Pods get their addresses from the first one on, and the guide's containers listen here.
_PROBE = ("0.1", 8090)


class Claim:
    """Two neighbouring prefixes 127.x that no other stack has, until `release` or the end of the process."""

    def __init__(self) -> None:
        for octet in _CANDIDATES:
            if octet in _RESERVED:
                continue
            lock = _lock(octet)
            if lock is None:
                continue
            if _unused(octet) and _unused(octet + 1):
                self.octet = octet
                self._lock = lock
                return
            lock.close()
        raise OSError("no loopback prefix is free")

    def release(self) -> None:
        """Lets another stack have the prefixes."""
        self._lock.close()


def _lock(octet: int) -> IO[str] | None:
    path = Path(tempfile.gettempdir()) / f"trellis-loopback-{os.getuid()}-{octet}.lock"
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _unused(octet: int) -> bool:
    # A test cluster that was started by hand takes no lock, but its Pods' ports.
    suffix, port = _PROBE
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((f"127.{octet}.{suffix}", port))
        except OSError:
            return False
    return True
