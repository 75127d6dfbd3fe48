"""Each alarm names a figure that exists, and each figure is counted by the code."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from .cloudwatch import Figures, rings
from .settings import ROOT
from .template import PARAMETERS, of_type, whole

ALARMS = of_type("AWS::CloudWatch::Alarm")

#: AWS Lambda Developer Guide, "Types of metrics for Lambda functions".
LAMBDA_METRICS = {"Errors", "Throttles", "RecursiveInvocationsDropped", "AsyncEventsDropped", "Duration"}
#: Amazon SQS Developer Guide, "Available CloudWatch metrics".
SQS_METRICS = {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}

#: What somebody must be told of: namespace, metric, and whose.
NEEDED = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetterQueue"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Queue"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "ChangesQueue"),
    ("AWS/Lambda", "Errors", "ReconcileFunction"),
    ("AWS/Lambda", "Errors", "DriftFunction"),
    ("AWS/Lambda", "Throttles", "ReconcileFunction"),
    ("AWS/Lambda", "Throttles", "DriftFunction"),
    ("AWS/Lambda", "RecursiveInvocationsDropped", "ReconcileFunction"),
    ("Trellis", "DriftPasses", "drift"),
    ("Trellis", "PlansRefused", "reconcile"),
    ("Trellis", "ClustersUnreadable", "drift"),
    ("Trellis", "Orphans", "drift"),
    ("Trellis", "UnitsLeftOut", "reconcile"),
    ("Trellis", "UnitsLeftOut", "drift"),
    ("Trellis", "ChangesMissed", "reconcile"),
}

HOUR = 3600
#: Seconds that a part of a look takes at most (shared/engine/src/drift/look.rs, MESSAGES_MAX).
PART = 45


def every(seconds: int, *values: float) -> Figures:
    """A value each so many seconds of an hour, in turn."""
    return [(second, values[number % len(values)]) for number, second in enumerate(range(0, HOUR, seconds))]


def but(figures: Figures, *others: tuple[int, float]) -> Figures:
    """The figures with other values in some seconds of theirs."""
    assert {second for second, _ in others} <= {second for second, _ in figures}
    return sorted((dict(figures) | dict(others)).items())


def passes(*values: float) -> Figures:
    """A figure of the drift function, which tells each of them once a pass, also 0 (functions/drift/src/main.rs, figures)."""
    return every(300, *values)


def parts(*values: float) -> Figures:
    """A figure of looks at clusters, which each part of each look tells, also 0 (shared/engine/src/drift/look.rs, note)."""
    return every(PART, *values)


class Hours(NamedTuple):
    """What is emitted in an hour in which somebody must be told, and in one in which nobody must."""

    bad: Figures
    good: Figures


#: As the functions, SQS and Lambda emit them. SQS tells each minute, Lambda with each invocation, both also 0.
FIGURES = {
    "DeadLetterAlarm": Hours(bad=but(every(60, 0), (1800, 1)), good=every(60, 0)),
    # One hint that fails again and again; hints that are soon taken.
    "OldestHintAlarm": Hours(bad=[(second, second) for second in range(0, HOUR, 60)], good=every(60, 0, 2, 200)),
    "OldestChangeAlarm": Hours(bad=[(second, second) for second in range(0, HOUR, 60)], good=every(60, 0, 3, 90)),
    "ReconcileErrorsAlarm": Hours(bad=but(every(5, 0), (1800, 1)), good=every(5, 0)),
    # A burst of many changes is over soon.
    "ReconcileThrottlesAlarm": Hours(bad=every(60, 0, 0, 4), good=but(every(60, 0), (1740, 9), (1800, 50))),
    "DriftErrorsAlarm": Hours(bad=but(passes(0), (1800, 1)), good=passes(0)),
    # One pass that is begun by hand is no reason.
    "DriftThrottlesAlarm": Hours(bad=passes(0, 1), good=but(passes(0), (1800, 1))),
    "DriftOverdueAlarm": Hours(bad=passes(1)[:3], good=passes(1)),
    # Counted where a plan is refused, and nowhere else (shared/engine/src/reconcile.rs, assess).
    "PlansRefusedAlarm": Hours(bad=[(1800, 1)], good=[]),
    # In three passes; in one alone.
    "ClustersUnreadableAlarm": Hours(bad=but(passes(0), (1500, 1), (1800, 2), (2100, 1)), good=but(passes(0), (1800, 1))),
    # What a deleted route had goes within a minute or two, and some pass may meet it.
    "OrphansAlarm": Hours(bad=passes(2), good=passes(0, 4)),
    # A look has eighty messages, and tells in the last one what it leaves out. No other part has anything to tell.
    "LeftOutAlarm": Hours(bad=but(parts(0), (79 * PART, 2800)), good=parts(0)),
    # A pass that leaves anything out has taken its 15 minutes.
    "PassLeftOutAlarm": Hours(bad=every(900, 0, 0, 7, 0), good=passes(0)),
    "ChangesMissedAlarm": Hours(bad=but(parts(0), (40 * PART, 1)), good=parts(0)),
    # Lambda emits it where it has dropped something only.
    "RecursionAlarm": Hours(bad=[(1800, 1)], good=[]),
}


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {one["Name"]: one["Value"] for one in alarm["Dimensions"]}


def whose(alarm: dict[str, Any]) -> str:
    """Logical id of the alarm's queue or function; for a figure of our own the function's short name."""
    found = dimensions(alarm)
    if "QueueName" in found:
        return str(found["QueueName"]["Fn::GetAtt"]).partition(".")[0]
    return str(found["FunctionName"]["Ref"]) if "FunctionName" in found else str(found["Function"])


def declared() -> dict[str, str]:
    """Metric → unit, as shared/telemetry declares them."""
    table = (ROOT / "shared/telemetry/src/metric.rs").read_text().rpartition("metrics! {")[2]
    return dict(re.findall(r"^ {4}(\w+): (\w+),$", table, re.MULTILINE))


def emitted(function: str) -> set[str]:
    """The metrics that the code of a function counts, in its own folder or in what the functions share; tests left aside."""
    paths = [*(ROOT / "shared").glob("*/src/**/*.rs"), *(ROOT / "functions" / function / "src").rglob("*.rs")]
    texts = [path.read_text().partition("#[cfg(test)]")[0] for path in paths if "telemetry" not in path.parts]
    return {name for text in texts for name in re.findall(r"\bMetric::(\w+)", text)}


def test_everything_that_somebody_must_be_told_of_has_an_alarm() -> None:
    assert {(alarm["Namespace"], alarm["MetricName"], whose(alarm)) for alarm in ALARMS.values()} == NEEDED


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_names_a_figure_that_exists_and_the_installation(name: str) -> None:
    alarm = ALARMS[name]
    metric = alarm["MetricName"]
    if alarm["Namespace"] == "AWS/Lambda":
        assert metric in LAMBDA_METRICS
    elif alarm["Namespace"] == "AWS/SQS":
        assert metric in SQS_METRICS
    else:
        telemetry = (ROOT / "shared/telemetry/src/emf.rs").read_text()
        assert f'EMF_NAMESPACE: &str = "{alarm["Namespace"]}"' in telemetry
        assert f"DIMENSIONS: [&str; 2] = {list(dimensions(alarm))}".replace("'", '"') in telemetry
        assert dimensions(alarm)["Installation"] == {"Ref": "Owner"}
        assert metric in declared()
        assert metric in emitted(whose(alarm))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_it_means_and_tells_the_topic(name: str) -> None:
    alarm = ALARMS[name]
    # CloudWatch takes 1,024 characters.
    assert 80 <= len(alarm["AlarmDescription"]) <= 1024
    for actions in ("AlarmActions", "OKActions"):
        assert whole(alarm[actions]) == [{"Ref": "AlarmTopicArn"}]


def settled(alarm: dict[str, Any]) -> dict[str, Any]:
    """The alarm with the defaults of the parameters that it names."""
    return {name: PARAMETERS[value["Ref"]]["Default"] if name == "EvaluationPeriods" and isinstance(value, dict) else value
            for name, value in alarm.items()}


def test_each_alarm_has_figures_of_a_bad_and_of_a_good_hour() -> None:
    assert set(FIGURES) == set(ALARMS)


@pytest.mark.parametrize("name", FIGURES)
def test_an_alarm_rings_in_a_bad_hour_and_not_in_a_good_one(name: str) -> None:
    alarm, hours = settled(ALARMS[name]), FIGURES[name]
    assert rings(alarm, hours.bad, HOUR), "it cannot ring"
    assert not rings(alarm, hours.good, HOUR), "it rings for nothing"


@pytest.mark.parametrize(("statistic", "threshold", "expected"), [
    ("Sum", 6, True), ("Sum", 7, False), ("Maximum", 4, True), ("Maximum", 5, False), ("Minimum", 0, True), ("Minimum", 1, False),
    ("Average", 2, True), ("Average", 3, False), ("SampleCount", 3, True), ("SampleCount", 4, False)])
def test_a_statistic_is_of_all_values_of_a_period(statistic: str, threshold: int, expected: bool) -> None:
    alarm = {"Statistic": statistic, "Period": 300, "EvaluationPeriods": 1, "Threshold": threshold,
             "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching"}
    assert rings(alarm, [(0, 2), (100, 4), (299, 0)], 300) == expected
    assert not rings(alarm, [(300, 9)], 300), "of the next period"


@pytest.mark.parametrize(("missing", "enough", "figures", "expected"), [
    ("notBreaching", 3, [(0, 1), (60, 1), (120, 1)], True),
    ("notBreaching", 3, [(0, 1), (120, 1)], False), ("notBreaching", 2, [(0, 1), (120, 1)], True), ("notBreaching", 1, [], False),
    ("breaching", 3, [(0, 1), (120, 1)], True), ("breaching", 3, [(0, 1), (60, 0), (120, 1)], False), ("breaching", 3, [], True)])
def test_a_period_without_a_value_counts_as_the_alarm_says(missing: str, enough: int, figures: Figures, expected: bool) -> None:
    alarm = {"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": enough, "Threshold": 1,
             "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": missing}
    assert rings(alarm, figures, 180) == expected


def test_only_the_missing_heartbeat_is_an_alarm_by_itself() -> None:
    assert {name for name, alarm in ALARMS.items() if alarm["TreatMissingData"] == "breaching"} == {"DriftOverdueAlarm"}
    overdue = ALARMS["DriftOverdueAlarm"]
    assert (overdue["Period"], overdue["EvaluationPeriods"]) == (60, {"Ref": "DriftOverdueMinutes"})
    minutes = re.fullmatch(r"rate\((\d+) minutes?\)", PARAMETERS["DriftSchedule"]["Default"])
    assert minutes is not None
    assert PARAMETERS["DriftOverdueMinutes"]["Default"] >= 3 * int(minutes[1])


def test_every_figure_that_is_declared_is_counted_by_a_function() -> None:
    counted = emitted("reconcile") | emitted("drift")
    assert sorted(set(declared()) - counted) == [], "declared and never counted"
    assert sorted(counted - set(declared())) == []


def test_every_alarm_is_explained_to_people() -> None:
    text = (ROOT / "OPERATIONS.md").read_text()
    assert [name for name in ALARMS if f"[`{name}`](docs/runbooks/{name}.md)" not in text] == []


def test_the_costs_count_the_alarms() -> None:
    assert re.findall(r"(\d+) alarms", (ROOT / "OPERATIONS.md").read_text()) == [str(len(ALARMS))]


#: A heading of a page, as descriptions refer to it.
REFERENCE = re.compile(r"\b([A-Z]+)(?:\.md)?, ([A-Z][a-z]+(?: [a-z]+)*)")


def test_what_a_description_refers_to_is_there() -> None:
    described = [alarm["AlarmDescription"] for alarm in ALARMS.values()] + [one["Description"] for one in PARAMETERS.values()]
    references = {found for text in described for found in REFERENCE.findall(text) if (ROOT / f"{found[0]}.md").is_file()}
    assert len(references) >= 3
    headings = {page: re.findall(r"^## (.+)$", (ROOT / f"{page}.md").read_text(), re.MULTILINE) for page, _ in references}
    assert sorted((page, heading) for page, heading in references if heading not in headings[page]) == []
