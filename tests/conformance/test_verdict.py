"""The verdict over a run, and that lists, report and page say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.verdict import Failure, Lists, Outcome, Skip, explain, judge, listed, results

HERE = Path(__file__).resolve().parent

LISTS = Lists(skips=(Skip("Redirect", "filters", "There is none."),),
              failures=(Failure("Secrets", (frozenset({"by name"}),), "Not read."),))
REPORT: dict[str, Any] = {"profiles": [{"name": "GATEWAY-HTTP", "core": {
    "statistics": {"Passed": 1, "Skipped": 1, "Failed": 1}, "skippedTests": ["Redirect"], "failedTests": ["Secrets"]}}]}
OUTPUT = """\
=== RUN   TestConformance/Weights
    helpers.go:1: --- FAIL: is not the beginning of this line
--- FAIL: TestConformance (301.82s)
    --- PASS: TestConformance/Weights (0.50s)
        --- PASS: TestConformance/Weights/half (0.50s)
    --- SKIP: TestConformance/Redirect (0.00s)
    --- FAIL: TestConformance/Ports (2.47s)
        --- FAIL: TestConformance/Ports/of_one (2.00s)
            --- FAIL: TestConformance/Ports/of_one/1_request_to_'foo.com:80/' (1.00s)
        --- PASS: TestConformance/Ports/of_two (0.47s)
    --- FAIL: TestConformance/Alone (1.00s)
FAIL
"""


#: What `go test` ends with when a test failed.
FAILED = 1


def outcome(*passed: str, **failed: set[str]) -> Outcome:
    return Outcome(frozenset(passed), {test: frozenset(parts) for test, parts in failed.items()})


def test_the_output_tells_which_tests_passed_and_which_failed_by_their_innermost_parts() -> None:
    assert Outcome.of(OUTPUT.splitlines(keepends=True)) == outcome(
        "Weights", Ports={"of_one/1_request_to_'foo.com:80/'"}, Alone=set())


def test_exactly_the_stated_failures_and_skips_are_as_stated() -> None:
    verdict = judge(LISTS, outcome("Weights", Secrets={"by name"}), FAILED, REPORT, whole=True)
    assert verdict.as_stated, verdict


@pytest.mark.parametrize(("seen", "sentence"), [
    (outcome(Secrets={"by name"}, Weights={"half"}), "Weights failed: half."),
    (outcome(Secrets={"by name"}, Weights=set()), "Weights failed: outside of its parts."),
    (outcome(Secrets={"by name", "by label"}), "Secrets failed in one more part: by label."),
    (outcome("Weights"), "Secrets did not run."),
])
def test_another_failure_is_worse_than_stated(seen: Outcome, sentence: str) -> None:
    verdict = judge(LISTS, seen, FAILED if seen.failed else 0, REPORT, whole=True)
    assert (verdict.worse, verdict.better) == ([sentence], [])


@pytest.mark.parametrize(("seen", "sentence"), [
    (outcome("Secrets"), "Secrets passed."),
    (outcome(Secrets=set()), "Secrets no longer fails in this part: by name."),
])
def test_a_failure_that_is_gone_is_better_than_stated(seen: Outcome, sentence: str) -> None:
    verdict = judge(LISTS, seen, FAILED if seen.failed else 0, REPORT, whole=True)
    assert (verdict.worse, verdict.better) == ([], [sentence])


@pytest.mark.parametrize(("parts", "worse", "better"), [
    ({"one/a"}, [], []),
    ({"one/b"}, [], []),
    (set(), [], ["Order no longer fails in this part: one/a or one/b."]),
    ({"one/a", "one/b"}, ["Order failed in one more part: one/b."], []),
])
def test_of_alternative_parts_exactly_one_is_to_fail(parts: set[str], worse: list[str], better: list[str]) -> None:
    lists = Lists(skips=(), failures=(Failure("Order", (frozenset({"one/a", "one/b"}),), "Either comes first."),))
    verdict = judge(lists, outcome(Order=parts), FAILED, None, whole=False)
    assert (verdict.worse, verdict.better) == (worse, better)


def test_a_suite_that_ends_early_is_worse_than_stated() -> None:
    verdict = judge(LISTS, outcome(), 2, None, whole=True)
    assert verdict.worse == ["The suite ended with status 2 and no test had failed.", "Secrets did not run.", "The suite wrote no report."]


def test_skips_are_compared_with_the_report() -> None:
    other = {"profiles": [{"name": "GATEWAY-HTTP", "core": {"statistics": {}, "skippedTests": ["Weights"]}}]}
    verdict = judge(LISTS, outcome(Secrets={"by name"}), FAILED, other, whole=True)
    assert (verdict.worse, verdict.better) == (["Weights was skipped."], ["There is no Redirect to be skipped."])


def test_a_part_of_a_run_is_judged_by_the_tests_that_ran() -> None:
    assert judge(LISTS, outcome("Weights"), 0, None, whole=False).as_stated
    assert judge(LISTS, outcome("Secrets"), 0, None, whole=False).better == ["Secrets passed."]
    assert judge(LISTS, outcome(Weights={"half"}), FAILED, None, whole=False).worse == ["Weights failed: half."]


def test_a_person_is_told_the_counts_the_reasons_and_the_differences() -> None:
    seen = outcome("Secrets", Weights={"half"})
    text = explain(LISTS, judge(LISTS, seen, FAILED, REPORT, whole=True), REPORT)
    for wanted in ("GATEWAY-HTTP core              1        1       1", "Redirect: filters", "Secrets, 1 part(s): Not read.",
                   "Worse than stated:", "Weights failed: half.", "Secrets passed."):
        assert wanted in text


@pytest.mark.parametrize("entry", ["{test: T, parts: [p]}", "{test: T, parts: [], reason: R}", "{test: T, parts: [p], reason: ''}",
                                   "{test: T, parts: [p], reason: R, more: M}", "{test: T, parts: [[]], reason: R}"])
def test_an_entry_without_all_of_its_members_is_refused(tmp_path: Path, entry: str) -> None:
    (tmp_path / "skips.yaml").write_text("[]")
    (tmp_path / "failures.yaml").write_text(f"- {entry}")
    with pytest.raises((KeyError, TypeError, ValueError)):
        Lists.read(tmp_path)


def test_the_kept_report_shows_what_the_lists_state() -> None:
    lists, report = Lists.read(HERE), yaml.safe_load((HERE / "reports" / "report.yaml").read_text())
    assert listed(report, "skippedTests") == {skip.test for skip in lists.skips}
    assert listed(report, "failedTests") == {failure.test for failure in lists.failures}


def test_the_page_names_every_skip_and_failure_and_has_the_reports_counts() -> None:
    page, lists = (HERE / "README.md").read_text(), Lists.read(HERE)
    entries: list[Skip | Failure] = [*lists.skips, *lists.failures]
    assert [entry.test for entry in entries if entry.test not in page] == []
    for name, result in results(yaml.safe_load((HERE / "reports" / "report.yaml").read_text())):
        counts = result["statistics"]
        assert f"| {name} | {counts['Passed']} | {counts['Skipped']} | {counts['Failed']} |" in page
