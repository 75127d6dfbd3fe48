"""What pages of the site are made of: each maker reads the code and gives Markdown."""

from __future__ import annotations

from collections.abc import Callable

from . import alarms, annotated, charts, cli, conditions, iam, kinds, metrics, stack

#: By the names that pages call them.
MADE: dict[str, Callable[[], str]] = {
    "alarms": alarms.page,
    "annotations": annotated.page,
    "cli": cli.page,
    "conditions": conditions.conditions,
    "iam": iam.page,
    "kinds": kinds.page,
    "metrics": metrics.of_the_functions,
    "outputs": stack.outputs,
    "parameters": stack.parameters,
    "reasons": conditions.reasons,
    "tags": annotated.tags,
    "values": charts.page,
    "webhook-metrics": metrics.of_the_webhook,
}
