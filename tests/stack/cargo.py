"""cargo, with what it compiled of other people's crates shared by all checkouts of one user.

    python -m stack.cargo build|clippy|test --no-run … (cargo's own words)

Before, what `target/debug` lacks is copied out of the user's cache; afterwards, what the build used and the cache lacks is
copied into it. So a second worktree or clone compiles the workspace's own crates only. Go's own cache does the same for Go.

Cargo's `build.build-dir` cannot be shared instead: cargo names what it makes of a workspace's own crates by their path
within the workspace and tells changes by time, so one worktree would run what another one compiled. Crates from the
registry never change, and cargo checks of each copy whether it fits (compiler, features, profile) before it uses it.

What cargo does not check is whether two units were compiled against the same third one: its names do not tell what two
checkouts compiled of one crate apart, but the compiler does ("can't find crate"), as soon as a path or the order of a
macro's words went into it. So all units of the cache stem from one line of builds: a checkout adds to it only while what
both have is the same, byte by byte, and otherwise takes what the cache has instead of its own.

Only the standard library is needed: this runs before the project's tools are there.
"""

from __future__ import annotations

import fcntl
import filecmp
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

#: A list for each Cargo.lock and compiler tells which units it uses; what none of the last few lists names is dropped.
LISTS_KEPT = 4
#: Cargo's folder of what tells that a unit is there and fits; it is copied last.
MARK = ".fingerprint"
#: A file that tells which checkout a `target/debug` was made in.
_CHECKOUT = ".checkout"
#: Files of `deps` that differ wherever two compilations of one unit do: a library's metadata, a macro's code.
_TELLING = frozenset({".rmeta", ".so", ".dylib"})
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
    """Units that cargo compiled, each in a folder that is named as cargo names it (package and hash), and lists of them.

    A unit's folder is made as a whole and never changed. All lists together have about 1 GB for each set of features.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / "units"
        self.list = folder / f"{key}.list"

    def lists(self) -> list[Path]:
        """All lists, the one that was used last first."""
        return sorted(self.list.parent.glob("*.list"), key=lambda one: one.stat().st_mtime, reverse=True)

    def listed(self) -> set[str]:
        """Names of the units of the own list, or of the newest one while there is none: most crates are the same."""
        lists = [self.list] if self.list.exists() else self.lists()[:1]
        return {name for one in lists for name in one.read_text().split()}

    def units(self) -> set[str]:
        """Those of the listed units that are there."""
        return {name for name in self.listed() if (self.folder / name).exists()}

    def strangers(self, debug: Path) -> set[str]:
        """Names of units that both have and that were not compiled to the same: nothing of the one fits to the other."""
        there = {entry.name for entry in (debug / MARK).iterdir()} if (debug / MARK).exists() else set()
        return {unit for unit in there if (self.folder / unit).exists() and not self._is_same(debug, unit)}

    def _is_same(self, debug: Path, unit: str) -> bool:
        told = [file.name for file in (self.folder / unit / "deps").iterdir() if file.suffix in _TELLING]
        pairs = [(self.folder / unit / "deps" / name, debug / "deps" / name) for name in told]
        return all(mine.exists() and filecmp.cmp(ours, mine, shallow=False) for ours, mine in pairs)

    def keep(self, debug: Path, hashes: set[str]) -> int:
        """Copies those units of a `target/debug` that are missing here, if they fit to what is here. Gives their number."""
        if self.strangers(debug):
            return 0
        made = {entry.name for entry in (debug / MARK).iterdir() if entry.name.rpartition("-")[2] in hashes}
        missing = {name for name in made if not (self.folder / name).exists()}
        self.folder.mkdir(parents=True, exist_ok=True)
        # The list comes first: another checkout may look for what is to be dropped.
        self.list.write_text("\n".join(sorted(made | (self.listed() if self.list.exists() else set()))))
        outputs: dict[str, list[Path]] = {}
        for file in (debug / "deps").iterdir():
            for found in _HASH.findall(file.name):
                outputs.setdefault(found, []).append(file)
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

    def drop(self) -> None:
        """Drops old lists, and the units that no list names."""
        for old in self.lists()[LISTS_KEPT:]:
            old.unlink()
        named = {name for one in self.lists() for name in one.read_text().split()}
        for unit in self.folder.iterdir():
            if unit.name not in named and not unit.name.startswith("."):
                shutil.rmtree(unit, ignore_errors=True)

    def take(self, debug: Path) -> int:
        """Copies the units that a `target/debug` lacks into it, and those that are strangers here. Gives their number.

        What was compiled against a stranger is older than what takes its place, so cargo compiles it anew.
        """
        strangers = self.strangers(debug)
        self._remove(debug, strangers)
        there = {entry.name for entry in (debug / MARK).iterdir()} if (debug / MARK).exists() else set()
        missing = (self.units() | strangers) - there
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
        self._remove(debug, self.units())

    def _remove(self, debug: Path, units: set[str]) -> None:
        for unit in units:
            for kind in ("build", MARK):
                shutil.rmtree(debug / kind / unit, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Cargo's own lock of a `target/debug`, so that no build runs meanwhile; the same for a store, which has the name too."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".cargo-lock").open("a") as lock:
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
    store = Store(cache() / "dependencies", sha256(compiler + (ROOT / "Cargo.lock").read_bytes()).hexdigest()[:16])
    with _best_effort(debug, store):
        if is_copy(debug):
            store.replace(debug)
        if number := store.take(debug):
            print(f"  . {number} compiled dependencies taken from {store.folder}", file=sys.stderr, flush=True)
        (debug / _CHECKOUT).write_text(str(ROOT))
    command = ["cargo", words[0], "--message-format", "json-render-diagnostics", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        with _best_effort(debug, store):
            store.keep(debug, used(done.stdout.splitlines()))
            store.drop()
    return done.returncode


@contextmanager
def _best_effort(debug: Path, store: Store) -> Iterator[None]:
    """Holds the locks of both, and takes a full disk or a cache that cannot be written as what it is: a slower build."""
    try:
        with locked(debug), locked(store.folder.parent):
            yield
    except OSError as error:
        print(f"  . compiled dependencies are not shared: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
