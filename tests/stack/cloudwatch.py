"""When a CloudWatch alarm rings: its statistic, periods, threshold and what it makes of missing data, over figures as they come in.

Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms". A real alarm has regard to values from a little before its window where
some of the window has none, so it may change minutes later.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

#: Values with the second in which each was emitted.
Figures = Sequence[tuple[int, float]]

STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min, "Average": fmean, "SampleCount": len}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
#: Whether a period without a value breaches. "missing" and "ignore" keep an alarm as it was: nothing of ours may hang so.
MISSING = {"breaching": True, "notBreaching": False}


def rings(alarm: Mapping[str, Any], figures: Figures, seconds: int) -> bool:
    """Whether the alarm goes off in any minute of that time; in one whose window begins before it nothing can be said."""
    window = alarm["Period"] * alarm["EvaluationPeriods"]
    assert window <= seconds, "the figures do not fill the alarm's window"
    return any(_breaches(alarm, figures, end) for end in range(window, seconds + 1, 60))


def _breaches(alarm: Mapping[str, Any], figures: Figures, end: int) -> bool:
    period, periods = alarm["Period"], alarm["EvaluationPeriods"]
    statistic, compare = STATISTICS[alarm["Statistic"]], COMPARISONS[alarm["ComparisonOperator"]]
    breaching = 0
    for begin in range(end - period * periods, end, period):
        values = [value for second, value in figures if begin <= second < begin + period]
        breaching += compare(statistic(values), alarm["Threshold"]) if values else MISSING[alarm["TreatMissingData"]]
    enough: int = alarm.get("DatapointsToAlarm", periods)
    return breaching >= enough
