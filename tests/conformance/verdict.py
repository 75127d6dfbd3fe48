"""Whether a run of the suite showed what `skips.yaml` and `failures.yaml` say. Nothing is run here.

A run that is worse is a fault. A run that is better is one too: a list that says less than is true would hide the next fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

#: The end of a test in the output of `go test -v`. Names of parts may hold slashes, never blanks.
_ENDED = re.compile(r"\s*--- (?P<how>PASS|FAIL|SKIP): TestConformance/(?P<test>[^/\s]+)(?:/(?P<part>\S+))? \([\d.]+s\)\s*")


@dataclass(frozen=True)
class Skip:
    """A test that asks for what VPC Lattice itself cannot do."""

    test: str
    category: str
    reason: str


@dataclass(frozen=True)
class Failure:
    """A test that fails, by which of its parts, and why. Of a part with alternatives exactly one fails, whichever it is."""

    test: str
    parts: tuple[frozenset[str], ...]
    reason: str


@dataclass(frozen=True)
class Lists:
    """What is stated beforehand."""

    skips: tuple[Skip, ...]
    failures: tuple[Failure, ...]

    @classmethod
    def read(cls, folder: Path) -> Lists:
        """Reads both lists. A member that is missing or unknown is a `TypeError`, an empty one a `ValueError`."""
        skips = tuple(Skip(**entry) for entry in _entries(folder / "skips.yaml"))
        failures = tuple(Failure(**entry | {"parts": _parts(entry["parts"])}) for entry in _entries(folder / "failures.yaml"))
        return cls(skips, failures)


def _parts(entries: list[str | list[str]]) -> tuple[frozenset[str], ...]:
    if not all(entries):
        raise ValueError(f"failures.yaml: a part without a name among {entries}")
    return tuple(frozenset([entry] if isinstance(entry, str) else entry) for entry in entries)


def _entries(file: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(file.read_text()) or []
    for entry in entries:
        if not all(entry.values()):
            raise ValueError(f"{file.name}: {entry} has an empty member")
    return entries


@dataclass(frozen=True)
class Outcome:
    """What the suite's output tells of each test that ran."""

    passed: frozenset[str]
    #: Failed tests with the innermost of their parts that failed; a test that failed by itself has none.
    failed: dict[str, frozenset[str]]

    @classmethod
    def of(cls, output: Iterable[str]) -> Outcome:
        """Reads the lines of `go test -v`."""
        passed: set[str] = set()
        failed: dict[str, set[str]] = {}
        for line in output:
            ended = _ENDED.fullmatch(line)
            if ended is None or ended["how"] == "SKIP":
                continue
            if ended["how"] == "FAIL":
                failed.setdefault(ended["test"], set()).update([ended["part"]] if ended["part"] else [])
            elif not ended["part"]:
                passed.add(ended["test"])
        return cls(frozenset(passed), {test: _innermost(parts) for test, parts in failed.items()})


def _innermost(parts: set[str]) -> frozenset[str]:
    return frozenset(part for part in parts if not any(other.startswith(f"{part}/") for other in parts))


@dataclass
class Verdict:
    """In which ways a run differs from the lists, as sentences."""

    worse: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)

    @property
    def as_stated(self) -> bool:
        """Whether it does not differ."""
        return not self.worse and not self.better


def judge(lists: Lists, outcome: Outcome, status: int, report: dict[str, Any] | None, *, whole: bool) -> Verdict:
    """Compares a run with the lists.

    `status` is that of `go test`, `report` the ConformanceReport if one was written. Of a run that is not whole only the
    tests that ran are looked at.
    """
    verdict = Verdict()
    stated = {failure.test: failure.parts for failure in lists.failures}
    for test, parts in sorted(outcome.failed.items()):
        if test not in stated:
            verdict.worse.append(f"{test} failed: {', '.join(sorted(parts)) or 'outside of its parts'}.")
            continue
        _compare_parts(verdict, test, parts, stated[test])
    verdict.better += [f"{test} passed." for test in sorted(outcome.passed & stated.keys())]
    if status != 0 and not outcome.failed:
        verdict.worse.append(f"The suite ended with status {status} and no test had failed.")
    if whole:
        ran = outcome.passed | outcome.failed.keys()
        verdict.worse += [f"{test} did not run." for test in sorted(stated.keys() - ran)]
        _compare_skips(verdict, lists, report)
    return verdict


def _compare_parts(verdict: Verdict, test: str, seen: frozenset[str], stated: tuple[frozenset[str], ...]) -> None:
    more = seen - frozenset().union(*stated)
    for alternatives in stated:
        found = sorted(seen & alternatives)
        more |= frozenset(found[1:])
        if not found:
            verdict.better.append(f"{test} no longer fails in this part: {' or '.join(sorted(alternatives))}.")
    verdict.worse += [f"{test} failed in one more part: {part}." for part in sorted(more)]


def _compare_skips(verdict: Verdict, lists: Lists, report: dict[str, Any] | None) -> None:
    if report is None:
        verdict.worse.append("The suite wrote no report.")
        return
    stated, seen = {skip.test for skip in lists.skips}, listed(report, "skippedTests")
    verdict.worse += [f"{test} was skipped." for test in sorted(seen - stated)]
    verdict.better += [f"There is no {test} to be skipped." for test in sorted(stated - seen)]


def results(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The results of each profile's core and extended tests, where there are any."""
    return [(f"{profile['name']} {part}", profile[part])
            for profile in report["profiles"] for part in ("core", "extended") if part in profile]


def listed(report: dict[str, Any], member: str) -> set[str]:
    """All tests of a member such as `failedTests`; a test may be in several profiles."""
    return {test for _, result in results(report) for test in result.get(member, [])}


def explain(lists: Lists, verdict: Verdict, report: dict[str, Any] | None) -> str:
    """The whole result for a person."""
    lines: list[str] = []
    if report is not None:
        lines += ["", f"{'profile':<24}{'passed':>8}{'skipped':>9}{'failed':>8}"]
        for name, result in results(report):
            counts = result["statistics"]
            lines.append(f"{name:<24}{counts['Passed']:>8}{counts['Skipped']:>9}{counts['Failed']:>8}")
        lines += ["", "Skipped, each for a fact about VPC Lattice (skips.yaml):"]
        lines += [f"  {skip.test}: {skip.category}" for skip in lists.skips]
        lines += ["", "Known to fail (failures.yaml):"]
        lines += [f"  {failure.test}, {len(failure.parts)} part(s): {failure.reason}" for failure in lists.failures]
    for title, sentences in (("Worse than stated:", verdict.worse), ("Better than stated; correct failures.yaml, skips.yaml and "
                                                                    "README.md:", verdict.better)):
        if sentences:
            lines += ["", title, *[f"  {sentence}" for sentence in sentences]]
    if verdict.as_stated:
        lines += ["", "The result is what skips.yaml and failures.yaml state."]
    return "\n".join(lines)
