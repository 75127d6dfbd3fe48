"""Values of the Helm charts, from their schemas and their defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from ..markdown import table
from ..site import ROOT

CHARTS = ROOT / "deploy" / "charts"


def rows(schema: dict[str, Any], defaults: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Each value that can be set: its path, its default, what it means. What holds values of its own is no row."""
    for name, one in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        default = defaults.get(name) if isinstance(defaults, dict) else None
        if one.get("properties"):
            yield from rows(one, default, at)
        else:
            yield at, "" if default in (None, "", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`", one["description"]


def page() -> str:
    """A table for each chart."""
    text = ""
    for chart in sorted(CHARTS.iterdir()):
        schema = json.loads((chart / "values.schema.json").read_text())
        found = list(rows(schema, yaml.safe_load((chart / "values.yaml").read_text())))
        text += f"## The chart {chart.name}\n\n"
        cells = [(f"`{at}`", shown(default), said) for at, default, said in found]
        text += table(("Value", "Default", "Means"), cells) if cells else "It takes none.\n"
        text += "\n"
    return text


def shown(default: str) -> str:
    """A default that is too long for a table is told by where it stands."""
    return default if len(default) <= 80 else "see `values.yaml`"
