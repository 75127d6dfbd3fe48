"""Types and reasons of conditions, from shared/gateway."""

from __future__ import annotations

from ..markdown import table
from .rust import SOURCES, constants


def conditions() -> str:
    """A table of the condition types."""
    found = constants((SOURCES / "conditions.rs").read_text())
    return table(("Type", "Says"), [(f"`{one.value}`", one.doc) for one in sorted(found, key=lambda one: ("/" in one.value, one.value))])


def reasons() -> str:
    """A table of the reasons; one that two constants have is one row."""
    said: dict[str, list[str]] = {}
    for one in constants((SOURCES / "reasons.rs").read_text()):
        said.setdefault(one.value, []).append(one.doc)
    return table(("Reason", "Says"), [(f"`{value}`", " ".join(dict.fromkeys(said[value]))) for value in sorted(said)])
