"""Processes that never outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .waiting import Expectation, wait_for

#: How long a process may take to end after SIGTERM, in seconds. kube-apiserver needs about 1.2.
STOP_GRACE = 15.0
#: How much of a log an error shows.
TAIL_LINES = 25
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _end_with_parent() -> None:
    """Runs in the child: SIGTERM when the parent dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


class Process:
    """One child in a process group of its own, with its output in the state folder."""

    def __init__(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str], logs: Path,
                 cwd: Path | None = None) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = logs / f"{name}.log"
        self._out = logs / f"{name}.out"
        with self._out.open("wb") as out, self.log.open("ab") as err:
            self._popen = subprocess.Popen(
                [str(a) for a in argv], env=dict(env), cwd=cwd, stdin=subprocess.PIPE, stdout=out, stderr=err,
                process_group=0, preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Process id, which is the process group's as well."""
        return self._popen.pid

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def ready_line(self, *, within: float) -> str:
        """Waits for the line on standard output that begins with READY and returns it."""

        def look() -> str:
            if not self.running():
                raise Expectation(f"{self.name} to run", f"it ended with status {self._popen.returncode}:\n{tail(self.log)}")
            lines = self._out.read_text(errors="replace").splitlines()
            return next((line for line in lines if line.startswith("READY")), "")

        return wait_for(f"READY from {self.name} (log: {self.log})", look, within=within)

    def signal(self, number: int) -> None:
        """Sends a signal to the whole group."""
        if self.running():
            os.killpg(self.pid, number)

    def wait(self, within: float) -> int:
        """Waits for the end and returns the status."""
        return self._popen.wait(timeout=within)

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait(STOP_GRACE)

    def ask_to_end(self) -> None:
        """Closes its standard input and sends SIGTERM, and does not wait."""
        if self._popen.stdin:
            self._popen.stdin.close()
        # A stopped process would never see the SIGTERM.
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """Asks it to end, and insists after `STOP_GRACE` seconds."""
        self.ask_to_end()
        try:
            self.wait(STOP_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()


class Supervisor:
    """The children of one stack, stopped together."""

    def __init__(self) -> None:
        self._children: list[Process] = []

    def add(self, process: Process) -> Process:
        """Takes a child into care."""
        self._children.append(process)
        return process

    def stop(self) -> None:
        """Asks all to end, the youngest first, then waits for each. Safe to repeat."""
        for child in reversed(self._children):
            child.ask_to_end()
        while self._children:
            self._children.pop().stop()


def run(argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path | None = None, cwd: Path | None = None,
        stdin: str | None = None, within: float = 600.0) -> str:
    """Runs a command to its end and returns its standard output; a failure tells the command and its output."""
    began = time.monotonic()
    done = subprocess.run([str(a) for a in argv], env=dict(env), cwd=cwd, input=stdin, capture_output=True, text=True,
                          timeout=within, check=False)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"$ {' '.join(map(str, argv))}\n{done.stdout}{done.stderr}({time.monotonic() - began:.1f} s)\n")
    if done.returncode != 0:
        command = " ".join(map(str, argv))
        raise Expectation(f"status 0 of `{command}`", f"status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout
