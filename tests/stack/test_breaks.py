"""That what is broken on purpose is still in the code, so that `make breaks` breaks it."""

from __future__ import annotations

from stack.breaks import BREAKS, caught_by
from stack.settings import ROOT


def test_every_break_finds_its_code_once() -> None:
    assert len(BREAKS) >= 10
    assert [one.name for one in BREAKS if not one.is_possible(ROOT)] == []


def test_only_the_named_law_counts_as_caught() -> None:
    words = (
        "seed 7 of Guide, Faults { a: true }: x takes y away\n"
        "seed 9 of Guide, Faults { a: true }: a batch took 45 s\n"
        "seed 9 of Guide, again: a batch took 45 s"
    )
    assert caught_by(words, "a batch took") == "9"
    assert caught_by(words, "touches what is not its own") is None
    assert caught_by("error[E0308]: mismatched types", "a batch took") is None
