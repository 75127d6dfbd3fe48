"""What checkouts share of cargo's work: crates of the registry, whole units, and never a workspace's own crate."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stack.cargo import LISTS_KEPT, Store, cache, is_copy, used
from stack.settings import ROOT

LIBRARY, SCRIPT, OWN = "0123456789abcdef", "fedcba9876543210", "00000000000000aa"


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def debug(tmp_path: Path) -> Path:
    """A `target/debug` as cargo leaves it: a library, the run of a build script, a crate of the workspace."""
    folder = tmp_path / "one" / "debug"
    write(folder / ".fingerprint" / f"serde-{LIBRARY}" / "lib-serde", "hash")
    write(folder / "deps" / f"libserde-{LIBRARY}.rlib", "library")
    write(folder / "deps" / f"libserde-{LIBRARY}.rmeta", "metadata")
    write(folder / "deps" / f"serde-{LIBRARY}.d")
    write(folder / ".fingerprint" / f"ring-sys-{SCRIPT}" / "run-build-script-build-script-build", "hash")
    write(folder / "build" / f"ring-sys-{SCRIPT}" / "out" / "native.a", "object")
    write(folder / ".fingerprint" / f"trellis-hint-{OWN}" / "lib-trellis_hint", "hash")
    write(folder / "deps" / f"libtrellis_hint-{OWN}.rlib", "own")
    return folder


def test_only_what_a_registry_gave_counts() -> None:
    registry, own = "registry+https://example.org/index#serde@1.0.0", "path+file:///checkout/shared/hint#trellis-hint@0.1.0"
    messages = [
        {"reason": "compiler-artifact", "package_id": registry, "filenames": [f"/checkout/target/debug/deps/libserde-{LIBRARY}.rlib"]},
        {"reason": "build-script-executed", "package_id": registry, "out_dir": f"/checkout/target/debug/build/ring-sys-{SCRIPT}/out"},
        {"reason": "compiler-artifact", "package_id": own, "filenames": [f"/checkout/target/debug/deps/libtrellis_hint-{OWN}.rlib"]},
        {"reason": "build-finished", "success": True},
    ]
    assert used(json.dumps(message) for message in messages) == {LIBRARY, SCRIPT}


def test_another_checkout_gets_whole_units_of_one_time(debug: Path, tmp_path: Path) -> None:
    store, other = Store(tmp_path / "store", "lock"), tmp_path / "two" / "debug"
    assert store.keep(debug, {LIBRARY, SCRIPT}) == 2
    assert store.take(other) == 2
    files = {str(path.relative_to(other)): path for path in other.rglob("*") if path.is_file()}
    assert set(files) == {f".fingerprint/serde-{LIBRARY}/lib-serde", f"deps/libserde-{LIBRARY}.rlib", f"deps/libserde-{LIBRARY}.rmeta",
                          f"deps/serde-{LIBRARY}.d",
                          f".fingerprint/ring-sys-{SCRIPT}/run-build-script-build-script-build",
                          f"build/ring-sys-{SCRIPT}/out/native.a"}
    assert len({path.stat().st_mtime_ns for path in files.values()}) == 1


def test_what_is_there_is_neither_kept_nor_taken_again(debug: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "lock")
    store.keep(debug, {LIBRARY})
    library = debug / "deps" / f"libserde-{LIBRARY}.rlib"
    before = library.stat().st_mtime_ns
    assert store.keep(debug, {LIBRARY}) == 0
    assert store.take(debug) == 0
    assert library.stat().st_mtime_ns == before


def test_what_was_compiled_beside_is_not_mixed_with_what_is_here(debug: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "lock")
    store.keep(debug, {LIBRARY})
    # A second checkout compiled the same library to something else, and a crate of its own against that.
    other, user = tmp_path / "two" / "debug", "1111111111111111"
    write(other / ".fingerprint" / f"serde-{LIBRARY}" / "lib-serde", "hash")
    write(other / "deps" / f"libserde-{LIBRARY}.rmeta", "other metadata")
    write(other / ".fingerprint" / f"serde-json-{user}" / "lib-serde-json", "hash")
    write(other / "deps" / f"libserde_json-{user}.rmeta", "compiled against the other")
    assert store.strangers(other) == {f"serde-{LIBRARY}"}
    assert store.keep(other, {LIBRARY, user}) == 0
    assert store.units() == {f"serde-{LIBRARY}"}
    # It takes the one that is here, by a newer time than what it has, and from then on it adds to the store.
    assert store.take(other) == 1
    library, json_crate = other / "deps" / f"libserde-{LIBRARY}.rmeta", other / "deps" / f"libserde_json-{user}.rmeta"
    assert library.read_text() == "metadata"
    assert library.stat().st_mtime_ns > json_crate.stat().st_mtime_ns
    assert store.strangers(other) == set()
    assert store.keep(other, {LIBRARY, user}) == 1


def test_a_copied_folder_gets_its_units_anew(debug: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "lock")
    store.keep(debug, {LIBRARY, SCRIPT})
    store.replace(debug)
    assert store.take(debug) == 2
    assert (debug / ".fingerprint" / f"trellis-hint-{OWN}" / "lib-trellis_hint").exists()
    write(debug / ".checkout", "/elsewhere")
    assert is_copy(debug)
    write(debug / ".checkout", str(ROOT))
    assert not is_copy(debug)


def test_half_a_copy_is_no_unit(debug: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "lock")
    write(store.list, f"serde-{LIBRARY}")
    write(store.folder / f".serde-{LIBRARY}.1" / "deps" / f"libserde-{LIBRARY}.rlib", "cut off")
    assert store.units() == set()
    assert store.take(debug) == 0


def test_another_lock_file_begins_with_the_newest_list_and_shares_its_units(debug: Path, tmp_path: Path) -> None:
    Store(tmp_path / "store", "lock").keep(debug, {LIBRARY, SCRIPT})
    other = Store(tmp_path / "store", "other-lock")
    assert other.units() == {f"serde-{LIBRARY}", f"ring-sys-{SCRIPT}"}
    assert other.keep(debug, {LIBRARY}) == 0
    assert other.units() == {f"serde-{LIBRARY}"}


def test_a_unit_goes_with_the_last_list_that_names_it(debug: Path, tmp_path: Path) -> None:
    Store(tmp_path / "store", "lock-0").keep(debug, {LIBRARY, SCRIPT})
    os.utime(tmp_path / "store" / "lock-0.list", (0, 0))
    for number in range(1, LISTS_KEPT + 1):
        store = Store(tmp_path / "store", f"lock-{number}")
        store.keep(debug, {LIBRARY})
        store.drop()
    assert {unit.name for unit in store.folder.iterdir()} == {f"serde-{LIBRARY}"}
    assert len(store.lists()) == LISTS_KEPT


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRELLIS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache() == tmp_path / "trellis"
    monkeypatch.setenv("TRELLIS_CACHE", str(tmp_path / "elsewhere"))
    assert cache() == tmp_path / "elsewhere"
