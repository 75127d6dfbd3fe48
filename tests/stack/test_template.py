"""What template.yaml promises about permissions and about the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from stack.settings import ROOT


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
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)
TEXT = (ROOT / "template.yaml").read_text()
RESOURCES: dict[str, Any] = yaml.load(TEXT, Loader)["Resources"]  # noqa: S506 - a SafeLoader
OWNER = {"Ref": "Owner"}


def statements(name: str) -> Iterator[dict[str, Any]]:
    """All statements of a role or a managed policy, those of the managed policies it refers to included."""
    properties = RESOURCES[name]["Properties"]
    documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for document in documents:
        yield from document["Statement"]
    for managed in properties.get("ManagedPolicyArns", []):
        if "Ref" in managed:
            yield from statements(managed["Ref"])


def actions(name: str, effect: str = "Allow") -> set[str]:
    """All actions that a role or a policy allows, or denies."""
    found: set[str] = set()
    for statement in statements(name):
        if statement["Effect"] == effect:
            named = statement["Action"]
            found |= {named} if isinstance(named, str) else set(named)
    return found


PRINCIPALS = ["ReconcilerRole", "DriftRole", "WebhookPolicy", "ReadPolicy", "VpcPolicy"]


@pytest.mark.parametrize("name", PRINCIPALS)
def test_every_action_is_named_in_full(name: str) -> None:
    assert actions(name)
    assert [action for action in actions(name) if "*" in action] == []


def test_the_drift_function_changes_nothing_in_vpc_lattice() -> None:
    lattice = {action.partition(":")[2] for action in actions("DriftRole") if action.startswith("vpc-lattice:")}
    assert lattice
    assert [action for action in lattice if not action.startswith(("Get", "List"))] == []
    assert {action for action in actions("DriftRole") if action.startswith("sqs:")} == {"sqs:SendMessage"}


def test_the_webhook_may_send_to_the_queue_and_nothing_else() -> None:
    (statement,) = statements("WebhookPolicy")
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": "Queue.Arn"}


def test_every_create_needs_our_tag_and_every_change_a_resource_that_bears_it() -> None:
    for statement in statements("ReconcilerRole"):
        named = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        verbs = {action.partition(":")[2] for action in named if action.startswith("vpc-lattice:")}
        equal = statement.get("Condition", {}).get("StringEquals", {})
        if statement["Effect"] == "Allow" and any(verb.startswith("Create") for verb in verbs):
            assert equal.get("aws:RequestTag/trellis:owner") == OWNER, statement["Sid"]
        if statement["Effect"] == "Allow" and any(verb.startswith(("Update", "Delete", "Register", "Deregister")) for verb in verbs):
            assert equal.get("aws:ResourceTag/trellis:owner") == OWNER, statement["Sid"]
        if statement["Effect"] == "Allow" and {"TagResource", "UntagResource"} & verbs:
            assert OWNER in equal.values(), statement["Sid"]


def test_the_owners_tag_can_neither_be_given_to_a_foreign_resource_nor_taken_from_ours() -> None:
    denied = [statement for statement in statements("ReconcilerRole") if statement["Effect"] == "Deny"]
    assert {statement["Action"] for statement in denied} == {"vpc-lattice:TagResource", "vpc-lattice:UntagResource"}
    for statement in denied:
        assert statement["Condition"]["ForAnyValue:StringEquals"] == {"aws:TagKeys": "trellis:owner"}
        assert statement["Resource"] == "*"


def test_the_queue_is_fifo_with_order_deduplication_and_throughput_per_unit() -> None:
    queue = RESOURCES["Queue"]["Properties"]
    assert (queue["FifoQueue"], queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == (True, "messageGroup", "perMessageGroupId")
    assert "ContentBasedDeduplication" not in queue
    assert RESOURCES["DeadLetterQueue"]["Properties"]["FifoQueue"] is True


def test_a_message_stays_invisible_for_six_times_the_functions_timeout() -> None:
    assert RESOURCES["Queue"]["Properties"]["VisibilityTimeout"] >= 6 * RESOURCES["ReconcileFunction"]["Properties"]["Timeout"]


def test_a_failed_message_alone_returns_to_the_queue() -> None:
    mapping = RESOURCES["ReconcileFunction"]["Properties"]["Events"]["Hints"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 10
    assert "MaximumBatchingWindowInSeconds" not in mapping


def test_a_unit_that_waits_comes_back_by_a_queue_with_delays_and_lambda_lets_the_chain_be() -> None:
    function, later = RESOURCES["ReconcileFunction"]["Properties"], RESOURCES["LaterQueue"]["Properties"]
    # Only a standard queue has a delay for each message.
    assert "FifoQueue" not in later
    assert later["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert function["RecursiveLoop"] == "Allow"
    mapping = function["Events"]["LaterHints"]["Properties"]
    assert (mapping["Queue"], mapping["FunctionResponseTypes"]) == ({"Fn::GetAtt": "LaterQueue.Arn"}, ["ReportBatchItemFailures"])
    (sends,) = [one for one in statements("ReconcilerRole") if "sqs:SendMessage" in one["Action"]]
    assert {"Fn::GetAtt": "LaterQueue.Arn"} in sends["Resource"]


def test_no_alias_stands_in_the_template_for_cloudformation_knows_none() -> None:
    events = list(yaml.parse(TEXT))
    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]
