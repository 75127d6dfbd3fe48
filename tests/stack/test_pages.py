"""Commands that the pages tell people to run, and the answers that they show."""

from __future__ import annotations

import re

import pytest

from .settings import ROOT

PAGES = ["README.md", "OPERATIONS.md", "MIGRATION.md",
         *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_who_invokes_a_function_waits_for_it(page: str) -> None:
    # The AWS CLI gives up after 60 s and invokes once more, and there is one concurrent execution.
    commands = re.findall(r"aws lambda invoke[^\n]*", (ROOT / page).read_text())
    assert [command for command in commands if "--cli-read-timeout 0 " not in command] == []


def test_the_report_is_shown_as_a_pass_answers() -> None:
    (shown,) = re.findall(r"aws lambda invoke[^\n]*# (\{.*)", (ROOT / "OPERATIONS.md").read_text())
    # By ARN, and an object of each.
    found = re.fullmatch(r'\{"clusters":\{"arn:…:cluster/C":\{"state":"(\w+)",…', shown)
    assert found, shown
    report = (ROOT / "shared" / "engine" / "src" / "drift" / "report.rs").read_text()
    states = re.findall(r"^    (\w+),$", report.partition("pub enum Life {")[2].partition("\n}")[0], re.MULTILINE)
    assert found[1] in {name[0].lower() + name[1:] for name in states}
