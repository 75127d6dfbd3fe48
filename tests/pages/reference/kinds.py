"""The kinds of Trellis, from their CRDs: what `kubectl explain` says, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ..markdown import table
from ..site import ROOT

CRDS = ROOT / "deploy" / "charts" / "trellis-crds" / "templates"
#: Every object has these, and nothing is to be said of them.
BESIDE = {"apiVersion", "kind", "metadata"}


def definitions() -> list[dict[str, Any]]:
    """All CRDs by kind."""
    found = [yaml.safe_load(path.read_text()) for path in CRDS.glob("*.yaml")]
    return sorted(found, key=lambda one: str(one["spec"]["names"]["kind"]))


def takes(field: dict[str, Any]) -> str:
    """The type of a field, with its bounds."""
    kind = str(field.get("type", "any"))
    if kind == "array":
        kind = f"list of {takes(field['items'])}"
    elif kind == "object" and isinstance(field.get("additionalProperties"), dict):
        kind = f"map of {takes(field['additionalProperties'])}"
    said = [kind]
    if "enum" in field:
        said.append(", ".join(f"`{value}`" for value in field["enum"]))
    bounds = [f"{field[key]}" for key in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems") if key in field]
    low = next((field[key] for key in ("minimum", "minLength", "minItems") if key in field), None)
    high = next((field[key] for key in ("maximum", "maxLength", "maxItems") if key in field), None)
    if bounds:
        unit = "" if "minimum" in field or "maximum" in field else " characters" if kind == "string" else " entries"
        said.append(f"{low} to {high}{unit}" if low is not None and high is not None
                    else f"at least {low}{unit}" if high is None else f"at most {high}{unit}")
    if "default" in field:
        said.append(f"default `{field['default']}`")
    return "; ".join(said)


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each field below `path`, whether it is required with it."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        at = f"{path}.{name}"
        yield at, field, name in required
        yield from fields(field, at)
        if "items" in field:
            yield from fields(field["items"], f"{at}[]")


def page() -> str:
    """A section for each kind."""
    text = ""
    for one in definitions():
        spec, names = one["spec"], one["spec"]["names"]
        short = "".join(f", `{name}`" for name in names.get("shortNames", []))
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            text += f"## {names['kind']}\n\n{schema['description']}\n\n"
            scope = "in a namespace" if spec["scope"] == "Namespaced" else "of the cluster"
            text += f"`{spec['group']}/{version['name']}`, {scope}; for kubectl `{names['plural']}`{short}.\n\n"
            rows = [(f"`{at}`" + (" (required)" if needed else ""), takes(field), field.get("description", ""))
                    for part in schema["properties"] if part not in BESIDE | {"status"}
                    for at, field, needed in [(part, schema["properties"][part], part in schema.get("required", [])),
                                              *fields(schema["properties"][part], part)]]
            text += table(("Field", "Takes", "Means"), rows) + "\n"
    return text
