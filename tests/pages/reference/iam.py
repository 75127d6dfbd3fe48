"""Rights in AWS: every statement of template.yaml, with the reason that docs/reference/iam.yaml gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from stack.template import RESOURCES, whole

from ..markdown import table
from ..site import ROOT

REASONS = ROOT / "docs" / "reference" / "iam.yaml"
#: Types of resources that have policies, in the order of the page, and what a heading says of them.
TITLES = {"AWS::IAM::Role": "Role", "AWS::IAM::ManagedPolicy": "Policy", "AWS::SQS::QueuePolicy": "Policy of queues",
          "AWS::S3::BucketPolicy": "Policy of a bucket"}


class Statement(NamedTuple):
    """A statement of a policy."""

    holder: str
    sid: str
    effect: str
    actions: tuple[str, ...]
    #: Whether a condition narrows it.
    bound: str


def _documents(name: str) -> list[dict[str, Any]]:
    own = RESOURCES[name]["Properties"]
    documents = [own["PolicyDocument"]] if "PolicyDocument" in own else []
    return documents + [whole(policy)["PolicyDocument"] for policy in own.get("Policies", [])]


def _condition(one: dict[str, Any]) -> str:
    keys = sorted({key for operands in one.get("Condition", {}).values() for key in operands})
    return ", ".join(f"`{key}`" for key in keys)


def statements() -> Iterator[Statement]:
    """All of them, those of options included."""
    for kind in TITLES:
        for name, resource in RESOURCES.items():
            if resource["Type"] != kind:
                continue
            for document in _documents(name):
                for one in (whole(part) for part in document["Statement"]):
                    actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
                    yield Statement(name, one["Sid"], one["Effect"], tuple(actions), _condition(one))


def reasons() -> dict[str, str]:
    """Sid → why it is there."""
    found: dict[str, str] = yaml.safe_load(REASONS.read_text())
    return found


def page() -> str:
    """A table for each role and policy, and one of all actions."""
    said, text = reasons(), ""
    of_action: dict[str, list[str]] = {}
    for name in dict.fromkeys(one.holder for one in statements()):
        rows = []
        for one in (one for one in statements() if one.holder == name):
            effect = "" if one.effect == "Allow" else "**never** "
            actions = ", ".join(f"`{action}`" for action in one.actions)
            rows.append((f"`{one.sid}`", f"{effect}{actions}", said[one.sid], one.bound))
            for action in one.actions if one.effect == "Allow" else ():
                of_action.setdefault(action, []).append(f"{name}: `{one.sid}`")
        kind = TITLES[RESOURCES[name]["Type"]]
        about = RESOURCES[name]["Properties"].get("Description", "")
        option = RESOURCES[name].get("Condition", "")
        only = f" Only where `{option}` holds." if option else ""
        text += f"## {name}\n\n{kind}. {about}{only}\n\n" + table(("Statement", "Actions", "Why", "Narrowed by"), rows) + "\n"
    index = [(f"`{action}`", ", ".join(holders)) for action, holders in sorted(of_action.items())]
    return f"{text}## By action\n\n" + table(("Action", "Allowed by"), index)
