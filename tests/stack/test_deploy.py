"""The template as it deploys: into a local AWS of its own, with functions that do nothing, with every option off and on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import deploy, ministack
from .environment import aws_variables, free_ports, inherited
from .processes import run
from .settings import ACCOUNT, ROOT, TOOLS

#: Nothing listens there: no function of this stack ever runs.
NOWHERE = "http://127.0.0.1:9"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/0123"
#: Every option that a local run does not take.
OPTIONS = {
    "Owner": "blue", "IamPath": "/platform/", "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary", "KmsKeyArn": KEY,
    "WatchChanges": "false", "WatchInstances": "false", "ReserveDriftConcurrency": "false", "AllowedNetworks": "corporate,shared",
    "AccessLogDestinations": "arn:aws:s3:::logs,arn:aws:firehose:us-west-2:123456789012:deliverystream/logs",
    "LeavingClusters": f"arn:aws:eks:us-west-2:{ACCOUNT}:cluster/old", "SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1",
    "AlarmTopicArn": f"arn:aws:sns:us-west-2:{ACCOUNT}:alarms", "DriftSchedule": "rate(15 minutes)",
}
#: Role of the session in the sample that stands for a change of our own.
OWN = f"arn:aws:iam::{ACCOUNT}:role/trellis-ReconcilerRole-EXAMPLE"


@dataclass(frozen=True)
class Deployed:
    """A local AWS with the stack in it."""

    url: str
    outputs: deploy.Outputs

    def client(self, service: str) -> Any:
        return deploy.client(service, self.url)


def stub(folder: Path) -> Path:
    """The template with a program in place of the functions' sources, so that nothing has to be built."""
    code = folder / "code"
    code.mkdir()
    program = code / "bootstrap"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    copy = folder / "template.yaml"
    copy.write_text((ROOT / "template.yaml").read_text().replace("CodeUri: .\n", "CodeUri: ./code\n"))
    return copy


def deployed(folder: Path, overrides: list[str]) -> Iterator[Deployed]:
    (port,) = free_ports(1)
    aws = ministack.MiniStack(port, folder / "aws", folder, NOWHERE)
    try:
        aws.wait_ready()
        run([TOOLS / "sam", "deploy", "--config-env", "local", "--config-file", ROOT / "samconfig.toml", "--template-file", stub(folder),
             *overrides], env=inherited() | aws_variables(aws.url, NOWHERE), cwd=folder, log=folder / "deploy.log")
        yield Deployed(aws.url, deploy.outputs(aws.url))
    finally:
        aws.process.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """As a local run deploys it."""
    yield from deployed(tmp_path_factory.mktemp("local"), [])


@pytest.fixture(scope="module")
def optional(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """With every option taken."""
    overrides = " ".join(f"{name}={value!r}" for name, value in OPTIONS.items())
    yield from deployed(tmp_path_factory.mktemp("optional"), ["--parameter-overrides", overrides])


def matches(stack: Deployed, sample: dict[str, Any]) -> bool:
    """Whether one of the deployed rules takes an event."""
    events = stack.client("events")
    text = json.dumps(sample).replace(OWN, stack.outputs.reconciler_role)
    rules = events.list_rules()["Rules"]
    return any(events.test_event_pattern(EventPattern=rule["EventPattern"], Event=text)["Result"] for rule in rules)


def of_ec2(sample: dict[str, Any], call: str) -> dict[str, Any]:
    """The event as one of EC2."""
    return {**sample, "source": "aws.ec2", "detail": {**sample["detail"], "eventSource": "ec2.amazonaws.com", "eventName": call}}


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / name).read_text())
    return loaded


def test_the_rule_takes_what_others_changed_and_neither_our_own_changes_nor_what_failed(local: Deployed) -> None:
    names = sorted(path.name for path in (ROOT / "events").glob("lattice-*.json"))
    taken = {name for name in names if matches(local, sample(name))}
    assert set(names) - taken == {"lattice-create-service-refused.json", "lattice-delete-rule-own.json"}


def test_the_rule_takes_no_reads_and_nothing_of_other_services(local: Deployed) -> None:
    event = sample("lattice-delete-rule.json")
    assert matches(local, event)
    assert not matches(local, {**event, "source": "aws.ec2"})
    assert not matches(local, {**event, "source": "aws.autoscaling"})
    assert not matches(local, {**event, "detail": {**event["detail"], "readOnly": True}})


def test_of_ec2_the_rules_take_what_others_do_to_endpoints_and_nothing_else(local: Deployed) -> None:
    others, own = sample("lattice-delete-rule.json"), sample("lattice-delete-rule-own.json")
    for call in ("DeleteVpcEndpoints", "ModifyVpcEndpoint"):
        assert matches(local, of_ec2(others, call))
        assert not matches(local, of_ec2(own, call))
    assert not matches(local, of_ec2(others, "TerminateInstances"))


def test_the_rules_take_what_becomes_of_instances_but_for_what_only_begins(local: Deployed) -> None:
    samples = {path.name: sample(path.name) for path in (ROOT / "events").glob("instance-*.json")}
    assert len(samples) == 4
    assert [name for name, event in samples.items() if not matches(local, event)] == []
    running = samples["instance-running.json"]
    assert not matches(local, {**running, "detail": {**running["detail"], "state": "pending"}})
    tags = samples["instance-tags.json"]
    assert not matches(local, {**tags, "detail": {**tags["detail"], "resource-type": "volume"}})


def test_the_queues_feed_the_reconcile_function_and_hints_have_the_larger_part(local: Deployed) -> None:
    mappings = local.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    share = {one["EventSourceArn"].rpartition(":")[2].split("-")[1]: one["ScalingConfig"]["MaximumConcurrency"] for one in mappings}
    assert share["ChangesQueue"] == share["InstancesQueue"] < share["Queue"]
    assert {one["FunctionArn"].rpartition(":")[2] for one in mappings} == {local.outputs.reconcile_function}


def test_a_failed_drift_pass_is_not_repeated(local: Deployed) -> None:
    config = local.client("lambda").get_function_event_invoke_config(FunctionName=local.outputs.drift_function, Qualifier="$LATEST")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)


def test_functions_and_schedule_are_named_after_the_owner(optional: Deployed) -> None:
    assert (optional.outputs.reconcile_function, optional.outputs.drift_function) == ("blue-reconcile", "blue-drift")
    (schedule,) = optional.client("scheduler").list_schedules()["Schedules"]
    assert schedule["Name"] == "blue-drift"


def test_all_roles_lie_below_the_path(optional: Deployed) -> None:
    roles = optional.client("iam").list_roles()["Roles"]
    assert len(roles) == 4
    assert {role["Path"] for role in roles} == {"/platform/"}


def test_a_queue_refuses_whoever_does_not_speak_tls(optional: Deployed) -> None:
    sqs = optional.client("sqs")
    with pytest.raises(sqs.exceptions.ClientError, match="AccessDenied"):
        sqs.get_queue_attributes(QueueUrl=optional.outputs.queue_url, AttributeNames=["All"])


def test_nothing_of_the_changes_of_others_is_left_where_it_is_not_wanted(optional: Deployed) -> None:
    assert optional.client("events").list_rules()["Rules"] == []
    mappings = optional.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert not [one["EventSourceArn"] for one in mappings if "ChangesQueue" in one["EventSourceArn"]]
    alarms = optional.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not [alarm["AlarmName"] for alarm in alarms if "OldestChange" in alarm["AlarmName"]]
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(OPTIONS["AlarmTopicArn"],)}


def test_the_functions_are_told_what_the_parameters_say(optional: Deployed) -> None:
    found = optional.client("lambda").get_function_configuration(FunctionName="blue-drift")
    variables = found["Environment"]["Variables"]
    assert variables["TRELLIS_ALLOWED_NETWORKS"] == OPTIONS["AllowedNetworks"]
    assert variables["TRELLIS_LEAVING_CLUSTERS"] == OPTIONS["LeavingClusters"]
    assert variables["TRELLIS_OWNER"] == "blue"
    assert found["Timeout"] == 900
