"""cargo, with what it compiled of other people's crates shared by all checkouts of one user.

    python -m stack.cargo build|clippy|test --no-run … (cargo's own words)

Before, what `target/debug` lacks is copied out of the user's cache; afterwards, what the build used and the cache lacks is
copied into it. So a second worktree or clone compiles the workspace's own crates only. Go's own cache does the same for Go.

Cargo's `build.build-dir` cannot be shared instead: cargo names what it makes of a workspace's own crates by their path
within the workspace and tells changes by time, so one worktree would run what another one compiled. Crates from the
registry never change, and cargo checks of each copy whether it fits (compiler, features, profile) before it uses it.

Only the standard library is needed: this runs before the project's tools are there.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from .settings import ROOT, TARGET

#: One store for each Cargo.lock and compiler, of about 1 GB; the cache keeps those that were used last.
STORES_KEPT = 2
#: Cargo's folder of what tells that a unit is there and fits; it is copied last.
MARK = ".fingerprint"
#: A file that tells which checkout a `target/debug` was made in.
_CHECKOUT = ".checkout"
#: A unit is what cargo compiles at once; this hash of all that it depends on stands in the names of its files.
_HASH = re.compile(r"-([0-9a-f]{16})(?=[./]|$)")


def cache() -> Path:
    """Where this user's checkouts share things; `TRELLIS_CACHE` moves it."""
    chosen = os.environ.get("TRELLIS_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trellis"


def used(messages: Iterable[str]) -> set[str]:
    """The hashes of all units from a registry that a build used, fresh ones too, out of cargo's JSON messages."""
    found: set[str] = set()
    for line in messages:
        message = json.loads(line)
        if str(message.get("package_id", "")).startswith("registry+"):
            for name in (*message.get("filenames", ()), message.get("out_dir", "")):
                found |= set(_HASH.findall(name))
    return found


class Store:
    """A folder with one folder for each unit, named as cargo names it: package and hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def units(self) -> set[str]:
        """Names of the units that are there, each of them whole."""
        return {entry.name for entry in self.folder.iterdir() if not entry.name.startswith(".")} if self.folder.exists() else set()

    def keep(self, debug: Path, hashes: set[str]) -> int:
        """Copies those units of a `target/debug` that are missing here. Gives their number."""
        made = {entry.name for entry in (debug / MARK).iterdir() if entry.name.rpartition("-")[2] in hashes}
        missing = made - self.units()
        outputs: dict[str, list[Path]] = {}
        for file in (debug / "deps").iterdir():
            for found in _HASH.findall(file.name):
                outputs.setdefault(found, []).append(file)
        self.folder.mkdir(parents=True, exist_ok=True)
        for unit in missing:
            draft = self.folder / f".{unit}.{os.getpid()}"
            (draft / "deps").mkdir(parents=True)
            for file in outputs.get(unit.rpartition("-")[2], ()):
                shutil.copy(file, draft / "deps")
            for kind in ("build", MARK):
                if (debug / kind / unit).exists():
                    shutil.copytree(debug / kind / unit, draft / kind / unit, symlinks=True)
            try:
                draft.rename(self.folder / unit)
            except OSError:  # Another checkout was faster.
                shutil.rmtree(draft)
        return len(missing)

    def take(self, debug: Path) -> int:
        """Copies the units that a `target/debug` lacks into it. Gives their number."""
        there = {entry.name for entry in (debug / MARK).iterdir()} if (debug / MARK).exists() else set()
        missing = self.units() - there
        # Cargo compiles again what is older than what it depends on: all get one time.
        now = time.time_ns()

        def copy(one: str, to: str) -> None:
            shutil.copy(one, to)
            os.utime(to, ns=(now, now))

        for unit in missing:
            for kind in ("deps", "build", MARK):
                if (self.folder / unit / kind).exists():
                    shutil.copytree(self.folder / unit / kind, debug / kind, symlinks=True, dirs_exist_ok=True, copy_function=copy)
        return len(missing)


    def replace(self, debug: Path) -> None:
        """Removes the units of a `target/debug` that are here, so that they are taken.

        A folder that `cp -r` copied has the times of the copying, and cargo would compile all of it again.
        """
        for unit in self.units():
            for kind in ("build", MARK):
                shutil.rmtree(debug / kind / unit, ignore_errors=True)


def stores() -> list[Path]:
    """All stores, the one that was used last first."""
    folder = cache() / "compiled"
    return sorted(folder.iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True) if folder.exists() else []


@contextmanager
def cargos_lock(debug: Path) -> Iterator[None]:
    """Cargo's own lock of the folder, so that no build runs meanwhile."""
    debug.mkdir(parents=True, exist_ok=True)
    with (debug / ".cargo-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_copy(debug: Path) -> bool:
    """Whether a `target/debug` was made in another checkout than this one."""
    made_in = debug / _CHECKOUT
    return made_in.exists() and made_in.read_text() != str(ROOT)


def main(words: list[str]) -> int:
    """Runs cargo between a take and a keep, and returns its status."""
    debug = TARGET / "debug"
    compiler = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, capture_output=True).stdout
    store = cache() / "compiled" / sha256(compiler + (ROOT / "Cargo.lock").read_bytes()).hexdigest()[:16]
    with cargos_lock(debug):
        # Another Cargo.lock has most crates in common with this one.
        for source in map(Store, [store] if store.exists() else stores()[:1]):
            if is_copy(debug):
                source.replace(debug)
            if number := source.take(debug):
                print(f"  . {number} compiled dependencies taken from {source.folder}", file=sys.stderr, flush=True)
        (debug / _CHECKOUT).write_text(str(ROOT))
    command = ["cargo", words[0], "--message-format", "json-render-diagnostics", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        try:
            share(Store(store), debug, done.stdout)
        except OSError as error:  # The build is done all the same.
            print(f"  . compiled dependencies are not shared: {error}", file=sys.stderr, flush=True)
    return done.returncode


def share(store: Store, debug: Path, messages: str) -> None:
    """Keeps what a build used, and drops the stores that were not used for longest."""
    with cargos_lock(debug):
        store.keep(debug, used(messages.splitlines()))
    os.utime(store.folder)
    for old in stores()[STORES_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
