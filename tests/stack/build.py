"""Builds what a stack needs. Every step is incremental; the Go build runs beside the Rust one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .environment import inherited
from .processes import run, tail
from .settings import ROOT, TARGET
from .waiting import Expectation

#: A cold build of both languages on two cores takes about ten minutes.
BUILD_SECONDS = 3000.0


@dataclass(frozen=True)
class Built:
    """What runs here: all programs stripped, in a folder that the next build does not write into while they run."""

    emulator: Path
    webhook: Path
    #: template.yaml, with each function's program beside it.
    template: Path


def left_in(folder: Path) -> Built:
    """What a build leaves in its folder."""
    return Built(folder / "lattice-emulator", folder / "trellis-webhook", folder / "functions" / "template.yaml")


class _Step:
    """One build command that runs in the background."""

    def __init__(self, name: str, argv: list[str | Path], cwd: Path, logs: Path) -> None:
        self.name = name
        self.began = time.monotonic()
        self.log = logs / f"build-{name}.log"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen([str(a) for a in argv], cwd=cwd, env=inherited(), stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=subprocess.STDOUT)

    def finish(self) -> None:
        status = self._popen.wait(timeout=BUILD_SECONDS)
        if status != 0:
            raise Expectation(f"{self.name} to build", f"status {status}, log {self.log}:\n{tail(self.log)}")
        print(f"    {self.name} built in {time.monotonic() - self.began:.1f} s", file=sys.stderr, flush=True)


def build(folder: Path) -> Built:
    """Builds the test cluster, the functions, the emulator and the webhook; logs and what is to run go into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # Stacks that start at once build once: the others find everything made.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(folder)


def _build(folder: Path) -> Built:
    print(f"  . building what is missing or changed; logs: {folder}/build-*.log", file=sys.stderr, flush=True)
    beside = _Step("testcluster", [ROOT / "tests" / "build-testcluster.sh"], ROOT, folder)
    _Step("programs", [ROOT / "tests" / "build-programs.sh"], ROOT, folder).finish()
    built = _set_aside_all(folder)
    beside.finish()
    return built


def _set_aside_all(folder: Path) -> Built:
    built = left_in(folder)
    _set_aside("lattice-emulator", built.emulator)
    _set_aside("trellis-webhook", built.webhook)
    text, programs = packaged((ROOT / "template.yaml").read_text())
    for name in programs:
        _set_aside(name, built.template.parent / name / "bootstrap")
    built.template.write_text(text)
    return built


def packaged(template: str) -> tuple[str, list[str]]:
    """The template as `sam build` would leave it for `sam deploy`, and the programs that it then expects.

    Each function's `CodeUri` becomes the folder of its program, which is named as the program; nothing else changes.
    `sam build` itself always compiles for release, for another linker and into another folder: `make release` proves it.
    """
    lines, programs, program = [], [], ""
    for line in template.splitlines(keepends=True):
        word, _, value = line.strip().partition(": ")
        if word == "Binary":
            program = value
        elif word == "CodeUri":
            if not program or value != ".":
                raise Expectation("`CodeUri: .` after the function's `Binary`", line.strip())
            line = line.replace(": .", f": {program}")
            programs.append(program)
            program = ""
        lines.append(line)
    if program or not programs:
        raise Expectation("a `CodeUri` for every function's `Binary`", program or "none at all")
    return "".join(lines), programs


def _set_aside(name: str, copy: Path) -> None:
    """Makes a copy to run, for the next build must be able to write its file while a stack still runs this one.

    It is stripped: two thirds of a program are what debuggers want, and a function's zip is packed at every start.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    new = copy.with_suffix(f".{os.getpid()}")
    run(["strip", "-o", new, TARGET / "debug" / name], env=inherited())
    new.replace(copy)  # The old file lives on for those who run it.
