"""template.yaml as it is read by tests: its resources, and what its roles may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from .settings import ROOT


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as single-key mappings."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)

TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE: dict[str, Any] = yaml.load(TEXT, Loader)  # noqa: S506 - a SafeLoader
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
NO_VALUE = {"Ref": "AWS::NoValue"}


def properties(name: str) -> dict[str, Any]:
    """Properties of a resource."""
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of a type, by logical id."""
    return {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] == kind}


def whole(value: Any) -> Any:
    """A value as it is when every option is taken: of an `!If`, the part that is not left out."""
    if isinstance(value, dict) and "Fn::If" in value:
        _, given, otherwise = value["Fn::If"]
        return whole(given if given != NO_VALUE else otherwise)
    return value


def statements(name: str) -> Iterator[dict[str, Any]]:
    """All statements of a role or a managed policy, those of the managed policies it refers to included."""
    own = properties(name)
    documents = [own["PolicyDocument"]] if "PolicyDocument" in own else []
    documents += [whole(policy)["PolicyDocument"] for policy in own.get("Policies", [])]
    for document in documents:
        yield from (whole(statement) for statement in document["Statement"])
    for managed in own.get("ManagedPolicyArns", []):
        yield from statements(whole(managed)["Ref"])


def actions(name: str, effect: str = "Allow") -> set[str]:
    """All actions that a role or a policy allows, or denies."""
    found: set[str] = set()
    for statement in statements(name):
        if statement["Effect"] == effect:
            named = statement["Action"]
            found |= {named} if isinstance(named, str) else set(named)
    return found
