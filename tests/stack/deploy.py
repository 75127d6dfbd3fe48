"""`sam deploy` of template.yaml, and what an administrator does beside it: access entries, a key for the webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from .environment import Credentials
from .processes import run
from .settings import RECONCILER_GROUP, REGION, ROOT, TOOLS, ClusterSpec

STACK = "trellis"
WEBHOOK_USER = "trellis-webhook"


@dataclass(frozen=True)
class Outputs:
    """Outputs of the CloudFormation stack that the harness needs."""

    queue_url: str
    later_queue_url: str
    dead_letter_queue_url: str
    reconciler_role: str
    drift_role: str
    webhook_policy: str
    reconcile_function: str
    drift_function: str
    directory_bucket: str


def client(service: str, endpoint: str, credentials: Credentials = Credentials()) -> Any:
    """A boto3 client of the local AWS."""
    connect: Any = boto3.client
    return connect(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id=credentials.access_key,
                        aws_secret_access_key=credentials.secret_key)


def sam_deploy(template: Path, env: Mapping[str, str], log: Path) -> None:
    """Deploys the built template, with samconfig.toml's parameters of a local run."""
    run([TOOLS / "sam", "deploy", "--config-env", "local", "--config-file", ROOT / "samconfig.toml",
         "--template-file", template], env=env, cwd=ROOT, log=log)


def drift_schedule(endpoint: str) -> str:
    """The schedule's expression, as it was deployed."""
    scheduler = client("scheduler", endpoint)
    name = scheduler.list_schedules()["Schedules"][0]["Name"]
    return str(scheduler.get_schedule(Name=name)["ScheduleExpression"])


def outputs(endpoint: str) -> Outputs:
    """Reads the stack's outputs."""
    stack = client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"][0]
    found = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    return Outputs(found["QueueUrl"], found["LaterQueueUrl"], found["DeadLetterQueueUrl"], found["ReconcilerRoleArn"],
                   found["DriftRoleArn"], found["WebhookPolicyArn"], found["ReconcileFunctionName"], found["DriftFunctionName"],
                   found["DirectoryBucketName"])


def register_clusters(endpoint: str, stack: Outputs, clusters: Sequence[ClusterSpec]) -> None:
    """Maps both functions' roles to the reconciler's group in every cluster. The clusters bear the tag already."""
    eks = client("eks", endpoint)
    for cluster in clusters:
        for role in (stack.reconciler_role, stack.drift_role):
            eks.create_access_entry(clusterName=cluster.name, principalArn=role, kubernetesGroups=[RECONCILER_GROUP], type="STANDARD")


def allow_batches(endpoint: str, stack: Outputs) -> None:
    """Lets who may send a message send a batch of them.

    In AWS `sqs:SendMessage` is the permission for SendMessageBatch as well, and no action of that name exists.
    MiniStack looks for one, so the batch call is allowed here, to the same principals and for the same queue.
    """
    iam = client("iam", endpoint)
    queue = client("sqs", endpoint).get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sqs:SendMessageBatch"], "Resource": queue}]})
    for role in (stack.reconciler_role, stack.drift_role):
        iam.put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="ministack-batches", PolicyDocument=document)
    iam.put_user_policy(UserName=WEBHOOK_USER, PolicyName="ministack-batches", PolicyDocument=document)


#: What SQS calls messages that somebody has received and not deleted.
IN_WORK = "ApproximateNumberOfMessagesNotVisible"


def queue_length(endpoint: str, stack: Outputs, url: str | None = None, *, only_in_work: bool = False) -> int:
    """Messages that wait, are put off or are being worked on: in the queue of that URL, or in both that hold hints."""
    names = [IN_WORK] if only_in_work else ["ApproximateNumberOfMessages", IN_WORK, "ApproximateNumberOfMessagesDelayed"]
    sqs = client("sqs", endpoint)
    urls = [url] if url else [stack.later_queue_url, stack.queue_url]
    answers = [sqs.get_queue_attributes(QueueUrl=one, AttributeNames=names)["Attributes"] for one in urls]
    return sum(int(answer.get(name, 0)) for answer in answers for name in names)


def webhook_credentials(endpoint: str, stack: Outputs) -> Credentials:
    """A key of a user that has the webhook's policy and nothing else."""
    iam = client("iam", endpoint)
    # The client repeats a create whose answer came too late, and then finds its own user.
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=WEBHOOK_USER)
    iam.attach_user_policy(UserName=WEBHOOK_USER, PolicyArn=stack.webhook_policy)
    key = iam.create_access_key(UserName=WEBHOOK_USER)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def function_log(endpoint: str, function: str, since_ms: int = 0) -> list[str]:
    """All messages of a function's log from `since_ms` (Unix time in milliseconds) on, oldest first."""
    logs = client("logs", endpoint)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}", startTime=since_ms)
    return [event["message"].rstrip("\n") for page in pages for event in page["events"]]


def json_lines(messages: list[str]) -> list[dict[str, Any]]:
    """Those messages that are JSON objects: the functions' own, without Lambda's START, END and REPORT."""
    found = []
    for message in messages:
        if message.startswith("{"):
            try:
                found.append(json.loads(message))
            except json.JSONDecodeError:
                continue
    return found
