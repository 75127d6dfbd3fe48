"""Parameters and outputs of template.yaml."""

from __future__ import annotations

from typing import Any

from stack.template import PARAMETERS, TEMPLATE

from ..markdown import table


def bounds(one: dict[str, Any]) -> str:
    """What values a parameter takes."""
    if "AllowedValues" in one:
        return ", ".join(f"`{value}`" for value in one["AllowedValues"])
    if "MinValue" in one:
        return f"{one['MinValue']} to {one['MaxValue']}"
    if "AllowedPattern" in one:
        return str(one.get("ConstraintDescription", f"`{one['AllowedPattern']}`"))
    return {"CommaDelimitedList": "values with commas between them"}.get(one["Type"], "")


def parameters() -> str:
    """A table for each group of parameters."""
    text = ""
    for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        rows = []
        for name in group["Parameters"]:
            one = PARAMETERS[name]
            default = f"`{one['Default']}`" if one["Default"] != "" else "empty"
            rows.append((f"`{name}`", default, bounds(one), one["Description"]))
        text += f"### {group['Label']['default']}\n\n" + table(("Parameter", "Default", "Takes", "Means"), rows) + "\n"
    return text


def outputs() -> str:
    """A table of the outputs."""
    return table(("Output", "Is"), [(f"`{name}`", one["Description"]) for name, one in TEMPLATE["Outputs"].items()])
