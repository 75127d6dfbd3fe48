"""The dashboard shows figures that are emitted, and the saved queries ask for lines that are logged."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from .settings import ROOT
from .template import PARAMETERS, RESOURCES, of_type
from .test_alarms import ALARMS, LAMBDA_METRICS, SQS_METRICS, declared, emitted

#: VPC Lattice User Guide, "CloudWatch metrics for Amazon VPC Lattice", of a service.
LATTICE_METRICS = {"HTTPCode_5XX_Count", "RequestTime"}
STATISTIC = re.compile(r"Sum|Minimum|Maximum|Average|p\d\d")
#: Columns of a dashboard (Amazon CloudWatch User Guide, "Dashboard body structure and syntax").
COLUMNS = 24
QUERIES = of_type("AWS::Logs::QueryDefinition")


def widgets() -> list[dict[str, Any]]:
    """The widgets, with each reference by its name."""
    ((_, dashboard),) = of_type("AWS::CloudWatch::Dashboard").items()
    text: str = dashboard["DashboardBody"]["Fn::Sub"]
    named = {name.partition(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", text)}
    assert named <= {*RESOURCES, *PARAMETERS}
    found: list[dict[str, Any]] = json.loads(re.sub(r"\$\{([\w.:]+)\}", r"\1", text))["widgets"]
    return found


def rows() -> list[list[Any]]:
    """The metrics of all widgets."""
    return [row for widget in widgets() for row in widget["properties"]["metrics"]]


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(str(one) for one in row if isinstance(one, str)) or "search")
def test_a_figure_is_emitted_by_whom_the_dashboard_names(row: list[Any]) -> None:
    if isinstance(row[0], dict):
        found = re.fullmatch(r"SEARCH\('\{AWS/VpcLattice,Service\} MetricName=\"(\w+)\"', '\w+', 300\)", row[0]["expression"])
        assert found and found[1] in LATTICE_METRICS
        return
    namespace, metric, *pairs = [one for one in row if isinstance(one, str)]
    of = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if namespace == "Trellis":
        assert list(of) == ["Installation", "Function"] and of["Installation"] == "Owner"
        assert metric in declared() and metric in emitted(of["Function"])
        # What is emitted at all tells nothing of who does: these are the drift function's alone.
        assert (metric in {"DriftPasses", "PassDuration", "Orphans", "ClustersUnreadable"}) <= (of["Function"] == "drift")
    elif namespace == "AWS/SQS":
        assert metric in SQS_METRICS and RESOURCES[of["QueueName"].partition(".")[0]]["Type"] == "AWS::SQS::Queue"
    else:
        assert namespace == "AWS/Lambda" and metric in LAMBDA_METRICS
        assert RESOURCES[of["FunctionName"]]["Type"] == "AWS::Serverless::Function"
    assert all(STATISTIC.fullmatch(one["stat"]) for one in row if isinstance(one, dict) and "stat" in one)


def test_widgets_lie_side_by_side() -> None:
    boxes = [(one["x"], one["y"], one["x"] + one["width"], one["y"] + one["height"]) for one in widgets()]
    assert max(right for _, _, right, _ in boxes) <= COLUMNS
    assert [pair for pair in combinations(boxes, 2)
            if pair[0][0] < pair[1][2] and pair[1][0] < pair[0][2] and pair[0][1] < pair[1][3] and pair[1][1] < pair[0][3]] == []
    assert all(STATISTIC.fullmatch(one["properties"]["stat"]) for one in widgets())


def logged(message: str) -> set[str]:
    """The fields of the lines with a message, in what the functions share."""
    texts = [path.read_text().partition("#[cfg(test)]")[0] for path in (ROOT / "shared" / "engine" / "src").rglob("*.rs")]
    calls = [call for text in texts for call in re.findall(rf'tracing::\w+!\(([^;]*?)"{re.escape(message)}"\s*\)', text)]
    assert calls, message
    return {field for call in calls for field in re.findall(r"[%?]?\b([a-z_]+)\b(?= =|,)", call)}


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_asks_for_lines_and_fields_that_there_are(name: str) -> None:
    query: str = QUERIES[name]["QueryString"]
    (message,) = re.findall(r'message = "([^"]+)"', query)
    fields = logged(message)
    given = set(re.findall(r" as (\w+)", query))
    words = set(re.findall(r"[a-z_@.]+", re.sub(r'"[^"]*"', "", query)))
    language = {"fields", "filter", "sort", "stats", "limit", "desc", "by", "as", "and", "or", "max", "avg", "count", "latest", "message",
                "@timestamp"}
    # `span.unit` is the unit that a line was logged for.
    asked = words - language - given - {"span.unit"}
    assert asked and asked <= fields, sorted(asked - fields)
    outcomes = set(re.findall(r'outcome = "(\w+)"', query))
    assert outcomes <= set(re.findall(r'outcome = "(\w+)"', (ROOT / "shared/engine/src/lib.rs").read_text()))


def test_monitoring_is_a_choice() -> None:
    assert PARAMETERS["Monitoring"]["Default"] == "alarms"
    conditions = {name: resource.get("Condition") for name, resource in RESOURCES.items()}
    assert {conditions[name] for name in ALARMS} == {"HasAlarms", "HasAlarmsOfChanges"}
    assert conditions["OldestChangeAlarm"] == "HasAlarmsOfChanges"
    assert {conditions[name] for name in [*QUERIES, *of_type("AWS::CloudWatch::Dashboard")]} == {"HasDashboard"}
