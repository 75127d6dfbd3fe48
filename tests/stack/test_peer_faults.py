"""That the page of the AWS Gateway API Controller's faults is whole, and the tests that it names are there."""

from __future__ import annotations

import re

from stack.settings import ROOT

PAGE = ROOT / "tests" / "PEER_FAULTS.md"
FAULTS = 22
#: What stands in place of tests where Trellis does not have the kind of object yet.
MISSING = "not there yet: policies"


def rows(page: str) -> dict[int, str]:
    """The last column of each fault's row."""
    return {int(number): shown for number, shown in re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", page, re.MULTILINE)}


def told(page: str) -> list[str]:
    """The last column of each row of the users' table."""
    return re.findall(r"^\| (?:(?:#\d+(?:, )?)+|code) \|.*\| ([^|]*) \|$", page, re.MULTILINE)


def faults_of(reference: str) -> list[str]:
    """What is wrong with a reference: nothing, if there is such a test."""
    name, _, function = reference.partition("::")
    path = ROOT / name
    if not function:
        return [f"{name}{ending} is not there" for ending in (".in.yaml", ".out.yaml") if not path.with_name(path.name + ending).is_file()]
    if not path.is_file():
        return [f"{name} is not there"]
    keyword = "def" if path.suffix == ".py" else "fn"
    found = re.search(rf"^\s*(?:async )?{keyword} {function}\(", path.read_text(), re.MULTILINE)
    return [] if found else [f"{name} has no {function}"]


def test_every_fault_names_its_tests_or_what_is_not_there_yet() -> None:
    found = rows(PAGE.read_text())
    assert list(found) == list(range(1, FAULTS + 1))
    assert [number for number, shown in found.items() if shown != MISSING and not re.fullmatch(r"`[^`]+`(?: `[^`]+`)*", shown)] == []


def test_every_test_that_the_page_names_is_there() -> None:
    page = PAGE.read_text()
    assert len(told(page)) == page.partition("## Told by its users")[2].count("\n| ") - 2
    references = [reference for shown in [*rows(page).values(), *told(page)] for reference in re.findall(r"`([^`]+)`", shown)]
    assert [fault for reference in references for fault in faults_of(reference)] == []


def test_a_test_that_is_gone_is_noticed() -> None:
    assert faults_of("tests/golden/no-such-case") == [
        "tests/golden/no-such-case.in.yaml is not there", "tests/golden/no-such-case.out.yaml is not there"]
    assert faults_of("tests/e2e/no_such_file.py::test_x") == ["tests/e2e/no_such_file.py is not there"]
    assert faults_of("tests/stack/test_peer_faults.py::test_x") == ["tests/stack/test_peer_faults.py has no test_x"]
    assert faults_of("tests/stack/test_peer_faults.py::test_a_test_that_is_gone_is_noticed") == []
