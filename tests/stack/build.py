"""Builds what a stack needs. Every step is incremental; the Go build runs beside the Rust one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .environment import inherited
from .processes import tail
from .settings import REGION, ROOT, TOOLS
from .waiting import Expectation

SAM_BUILD = ROOT / ".aws-sam" / "build"
#: A cold build on two cores takes about ten minutes for each language.
BUILD_SECONDS = 3000.0


@dataclass(frozen=True)
class Binaries:
    """The programs that are not Lambda functions."""

    emulator: Path
    webhook: Path


class _Step:
    """One build command that runs in the background."""

    def __init__(self, name: str, argv: list[str | Path], cwd: Path, logs: Path, **extra: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self.log = logs / f"build-{name}.log"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen([str(a) for a in argv], cwd=cwd, env=inherited() | extra, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=subprocess.STDOUT)

    def finish(self) -> None:
        status = self._popen.wait(timeout=BUILD_SECONDS)
        if status != 0:
            raise Expectation(f"{self.name} to build", f"status {status}, log {self.log}:\n{tail(self.log)}")
        print(f"    {self.name} built in {time.monotonic() - self.began:.1f} s", file=sys.stderr, flush=True)


def build(logs: Path) -> Binaries:
    """Builds the test cluster, the functions, the emulator and the webhook."""
    logs.mkdir(parents=True, exist_ok=True)
    print(f"  . building what is missing or changed; logs: {logs}/build-*.log", file=sys.stderr, flush=True)
    beside = _Step("testcluster", [ROOT / "tests" / "build-testcluster.sh"], ROOT, logs)
    binaries = build_rust(logs)
    beside.finish()
    return binaries


def build_rust(logs: Path) -> Binaries:
    """`sam build` for the functions, then the two other programs by the same compiler into the same folder.

    The dependencies of the second are then there already; a plain `cargo build` would compile them again.
    """
    # cargo-lambda asks rustup for a target that it thinks is missing; nothing is to be fetched behind the lock files' back.
    offline = {"RUSTUP_DIST_SERVER": "http://127.0.0.1:9", "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    _Step("functions", [TOOLS / "sam", "build"], ROOT, logs, **offline).finish()
    programs = ("lattice-emulator", "trellis-webhook")
    _Step("programs", [TOOLS / "cargo-lambda", "lambda", "build", "--release", *[word for name in programs for word in ("--bin", name)]],
          ROOT, logs, **offline).finish()
    # cargo-lambda calls everything that it builds bootstrap, in a folder of the program's name.
    emulator, webhook = (_set_aside(ROOT / "target" / "lambda" / name / "bootstrap", name, logs) for name in programs)
    return Binaries(emulator, webhook)


def _set_aside(built: Path, name: str, logs: Path) -> Path:
    """A copy to run: the next build must be able to write its file while a stack still runs this one."""
    copy = logs / name
    new = copy.with_suffix(f".{os.getpid()}")
    shutil.copy2(built, new)
    new.replace(copy)  # The old file lives on for those who run it.
    return copy
