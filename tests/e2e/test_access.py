"""Who may do what: RBAC in the clusters and IAM in AWS, as they are deployed."""

from __future__ import annotations

import subprocess

import pytest
from botocore.exceptions import ClientError

from stack import deploy
from stack.cluster import Cluster
from stack.environment import inherited
from stack.settings import RECONCILER_GROUP
from stack.stack import Stack

RECONCILER = ("--as", "arn:aws:sts::000000000000:assumed-role/reconciler/session", "--as-group", RECONCILER_GROUP)
WEBHOOK = ("--as", "system:serviceaccount:trellis-system:trellis-webhook")


def may(cluster: Cluster, who: tuple[str, ...], verb: str, resource: str, *more: str) -> bool:
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "auth", "can-i", verb, resource, *more, "--all-namespaces", *who]
    return subprocess.run(argv, env=inherited(), capture_output=True, text=True, check=False, timeout=30).stdout.strip() == "yes"


@pytest.mark.parametrize("resource", ["gateways", "httproutes", "serviceexports", "services", "endpointslices", "namespaces", "pods"])
def test_the_reconciler_may_read_what_routes_refer_to(stack: Stack, resource: str) -> None:
    for cluster in stack.clusters:
        assert may(cluster, RECONCILER, "get", resource)
        assert may(cluster, RECONCILER, "list", resource)


@pytest.mark.parametrize("resource", ["gateways", "httproutes", "grpcroutes", "serviceexports", "pods"])
def test_the_reconciler_may_patch_status_and_not_the_object(stack: Stack, resource: str) -> None:
    for cluster in stack.clusters:
        assert may(cluster, RECONCILER, "patch", resource, "--subresource=status")
        assert not may(cluster, RECONCILER, "patch", resource)
        assert not may(cluster, RECONCILER, "delete", resource)


@pytest.mark.parametrize("who", [RECONCILER, WEBHOOK], ids=["reconciler", "webhook"])
@pytest.mark.parametrize("resource", ["secrets", "configmaps"])
def test_nobody_of_ours_reads_the_clusters_secrets(stack: Stack, who: tuple[str, ...], resource: str) -> None:
    for cluster in stack.clusters:
        assert not may(cluster, who, "list", resource)


def test_the_webhook_reads_no_pods_and_changes_none_but_by_its_answers(stack: Stack) -> None:
    for cluster in stack.clusters:
        for verb in ("list", "watch", "create", "patch", "delete"):
            assert not may(cluster, WEBHOOK, verb, "pods")


def test_the_webhooks_key_opens_nothing_but_sending_to_the_queue(stack: Stack) -> None:
    sqs = deploy.client("sqs", stack.ministack.url, stack.webhook_credentials)
    eks = deploy.client("eks", stack.ministack.url, stack.webhook_credentials)
    url = stack.outputs.queue_url
    for attempt in (lambda: sqs.receive_message(QueueUrl=url), lambda: sqs.purge_queue(QueueUrl=url), eks.list_clusters):
        with pytest.raises(ClientError, match="not authorized"):
            attempt()
