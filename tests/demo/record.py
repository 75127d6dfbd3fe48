"""What the walk-through measured, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stack.emulator import Emulator
from stack.objects import Times


@dataclass
class Step:
    """One step's times and VPC Lattice calls."""

    name: str
    times: Times = field(default_factory=Times)
    calls: Counter[str] = field(default_factory=Counter)


class Record:
    """Steps in their order."""

    def __init__(self, emulator: Emulator, drift: str) -> None:
        """`drift`: the function whose calls do not count. It makes them beside the steps, whenever it is its time."""
        self._emulator = emulator
        self._drift = drift
        self.steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Counts the calls that are made within the `with`."""
        before = self._emulator.mark()
        step = Step(name)
        self.steps.append(step)
        yield step
        step.calls = self._emulator.operations(before, but_of=self._drift)

    def table(self) -> str:
        """The table that ends the walk-through."""
        lines = [f"{'step':<22}{'DNS name':>10}{'Programmed':>12}{'calls':>7}  VPC Lattice calls of the reconciler by operation"]
        for step in self.steps:
            operations = ", ".join(f"{name} {count}" for name, count in sorted(step.calls.items()))
            lines.append(f"{step.name:<22}{_seconds(step.times.dns_name):>10}{_seconds(step.times.programmed):>12}"
                         f"{step.calls.total():>7}  {operations}")
        return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
