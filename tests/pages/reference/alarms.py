"""Alarms of template.yaml, each with its runbook."""

from __future__ import annotations

from typing import Any

from stack.template import of_type

from ..markdown import table
from ..site import ROOT, repository

FOLDER = ROOT / "docs" / "runbooks"
SIGNS = {"GreaterThanOrEqualToThreshold": "at least", "LessThanThreshold": "less than"}


def alarms() -> dict[str, dict[str, Any]]:
    """Properties of the alarms by logical id."""
    return dict(sorted(of_type("AWS::CloudWatch::Alarm").items()))


def runbooks() -> set[str]:
    """Alarms that have a page."""
    return {path.stem for path in FOLDER.glob("*.md")} - {"index"}


def address(name: str) -> str:
    """Where a description leads to."""
    return f"{repository()}/blob/main/{(FOLDER / name).relative_to(ROOT).as_posix()}.md"


def when(alarm: dict[str, Any]) -> str:
    """When it rings, in words."""
    periods = alarm["EvaluationPeriods"]
    count = f"`{periods['Ref']}`" if isinstance(periods, dict) else str(periods)
    times = "" if count == "1" else f", {count} times in a row"
    value = f"{SIGNS[alarm['ComparisonOperator']]} {alarm['Threshold']} in {alarm['Period']} s"
    return f"{alarm['Statistic']} of `{alarm['MetricName']}` {value}{times}"


def page() -> str:
    """A table of all alarms."""
    return table(("Alarm", "Rings when"), [(f"[{name}]({name}.md)", when(alarm)) for name, alarm in alarms().items()])
