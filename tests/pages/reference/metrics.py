"""Metrics: those of the functions, from shared/telemetry, and those of the webhook."""

from __future__ import annotations

import re

from ..markdown import table
from ..site import ROOT
from .rust import doc

METRIC = re.compile(r"((?:^ {4}///[^\n]*\n)+)^ {4}(\w+): (\w+),$", re.MULTILINE)
REGISTERED = re.compile(r'register\(\s*"(\w+)",\s*"([^"]+)",\s*self\.(\w+)')
PREFIX = re.compile(r'with_prefix\("(\w+)"\)')
#: Whose a metric is, where it is not the reconcile function's alone.
OF = re.compile(r" Of (both functions|drift)\.$")


def declared() -> dict[str, tuple[str, str]]:
    """Metric → its unit and what it counts."""
    text = (ROOT / "shared/telemetry/src/metric.rs").read_text().rpartition("metrics! {")[2]
    return {name: (unit, doc(comment)) for comment, name, unit in METRIC.findall(text)}


def of_the_functions() -> str:
    """A table of what the functions emit."""
    rows = []
    for name, (unit, said) in declared().items():
        whose = OF.search(said)
        rows.append((f"`{name}`", whose[1] if whose else "reconcile", unit, OF.sub("", said)))
    return table(("Metric", "Of", "Unit", "Tells"), rows)


def registered() -> dict[str, tuple[str, str]]:
    """Metric of the webhook → its type in Rust and what it tells."""
    text = (ROOT / "functions/webhook/src/metrics.rs").read_text()
    (prefix,) = set(PREFIX.findall(text))
    types = dict(re.findall(r"^ +(?:pub(?:\([a-z]+\))? )?(\w+): (\w+)", text, re.MULTILINE))
    return {f"{prefix}_{name}": (types[field], said) for name, said, field in REGISTERED.findall(text)}


#: As Prometheus calls them; a counter's name ends in `_total` where it is read.
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram", "Family": "counter, by label"}


def of_the_webhook() -> str:
    """A table of what the webhook serves on port 8080."""
    rows = [(f"`{name}`", KINDS[kind], said) for name, (kind, said) in registered().items()]
    return table(("Metric", "Type", "Tells"), rows)
