"""The rule that tells of what others change in VPC Lattice, asked at the deployed stack with the samples of `events/`."""

from __future__ import annotations

import json
from typing import Any

from stack.settings import ROOT
from stack.stack import Stack
from stack.world import event

#: Role of the session in the sample that stands for a change of our own.
OWN = "arn:aws:iam::000000000000:role/trellis-ReconcilerRole-EXAMPLE"


def matches(stack: Stack, sample: dict[str, Any]) -> bool:
    events = stack.aws("events")
    (rule,) = events.list_rules()["Rules"]
    text = json.dumps(sample).replace(OWN, stack.outputs.reconciler_role)
    return bool(events.test_event_pattern(EventPattern=rule["EventPattern"], Event=text)["Result"])


def test_the_rule_takes_what_others_changed_and_neither_our_own_changes_nor_what_failed(stack: Stack) -> None:
    samples = sorted(path.name for path in (ROOT / "events").glob("lattice-*.json"))
    taken = {name for name in samples if matches(stack, event(name))}
    assert set(samples) - taken == {"lattice-create-service-refused.json", "lattice-delete-rule-own.json"}


def test_the_rule_takes_no_reads_and_nothing_of_other_services(stack: Stack) -> None:
    sample = event("lattice-delete-rule.json")
    assert not matches(stack, {**sample, "source": "aws.ec2"})
    assert not matches(stack, {**sample, "detail": {**sample["detail"], "readOnly": True}})
