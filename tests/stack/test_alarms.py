"""Each alarm names a figure that exists, and each figure is counted by the code."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
    ("Trellis", "ChangesMissed", "reconcile"),
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


def test_every_figure_and_every_alarm_is_explained_to_people() -> None:
    text = (ROOT / "OPERATIONS.md").read_text()
    assert [name for name in declared() if f"`{name}`" not in text] == []
    assert [name for name in ALARMS if f"`{name}`" not in text] == []
