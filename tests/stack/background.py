"""A stack that goes on running after the command that started it: one process holds it until it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from . import exports
from .build import build
from .processes import tail
from .settings import ROOT, Settings
from .stack import running
from .waiting import Expectation, wait_for

#: From the first process to the last readiness: about 30 s on two idle cores.
START_SECONDS = 300.0
STOP_SECONDS = 60.0


def _pid_file(settings: Settings) -> Path:
    # Beside the folder, which is emptied at each start.
    return settings.state.parent / f"{settings.name}.pid"


def holder(settings: Settings) -> int:
    """Process id of the running holder, or 0."""
    try:
        pid = int(_pid_file(settings).read_text())
        # The id may have been given to another program since.
        return pid if b"stack" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except (OSError, ValueError):
        return 0


def up(settings: Settings) -> None:
    """Starts a holder in a session of its own and waits until the stack is ready."""
    if holder(settings):
        raise Expectation(f"no stack named {settings.name} to run", "one runs already; end it with `make demo-down`")
    build(settings.state.parent / "build")
    ready = settings.state / "ready.txt"
    ready.unlink(missing_ok=True)
    log = settings.state.parent / f"{settings.name}.log"
    with log.open("wb") as out:
        child = subprocess.Popen([sys.executable, "-m", "stack", "hold", "--name", settings.name], cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def look() -> bool:
        if child.poll() is not None:
            raise Expectation("the stack to start", f"it ended with status {child.returncode}, log {log}:\n{tail(log)}")
        return ready.exists()

    wait_for(f"the stack to be ready (log: {log})", look, within=START_SECONDS)
    print(ready.read_text())


def hold(settings: Settings) -> None:
    """Runs the stack until SIGTERM."""
    pid_file = _pid_file(settings)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(str(os.getpid()))
    try:
        with running(settings) as stack:
            draft = stack.state / "ready.part"
            draft.write_text(exports.usage(stack, exports.write(stack)))
            draft.rename(stack.state / "ready.txt")
            while True:
                signal.pause()
    finally:
        pid_file.unlink(missing_ok=True)


def down(settings: Settings) -> None:
    """Ends the holder and everything that it started."""
    pid = holder(settings)
    if not pid:
        print("Nothing runs.")
        return
    os.kill(pid, signal.SIGTERM)
    wait_for(f"process {pid} to end", lambda: not Path(f"/proc/{pid}").exists(), within=STOP_SECONDS)
    print("Ended.")
