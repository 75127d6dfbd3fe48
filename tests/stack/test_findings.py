"""That the pages of findings and of cases from the field name tests that are there."""

from __future__ import annotations

import re

from stack.settings import ROOT
from stack.test_peer_faults import faults_of

PAGE = ROOT / "tests" / "FINDINGS.md"
#: A row of the first table: finding, what was wrong, tests.
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (`[^|]+`) \|$", re.MULTILINE)


def test_every_finding_names_tests_that_are_there() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) >= 30, "the table cannot be read"
    references = [reference for _, _, shown in rows for reference in re.findall(r"`([^`]+)`", shown)]
    assert [fault for reference in references for fault in faults_of(reference)] == []


def test_every_case_from_the_field_names_tests_that_are_there() -> None:
    page = (ROOT / "tests" / "FIELD_CASES.md").read_text()
    shown = re.findall(r"^\| (?:\d\d|live|tried) \|.*\| (`[^|]+`) \|$", page, re.MULTILINE)
    assert len(shown) == page.count("\n| ") - 1, "a row names no test"
    references = [reference for row in shown for reference in re.findall(r"`([^`]+)`", row)]
    assert [fault for reference in references for fault in faults_of(reference)] == []
