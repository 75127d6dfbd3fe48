"""The roles may do what the code calls, and no more: the calls are read from the sources, the names from AWS's API models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import botocore.model
from botocore import xform_name

from .settings import ROOT
from .template import actions

#: Crate of the AWS SDK for Rust → service in botocore, prefix of its actions in IAM.
SDKS = {
    "vpclattice": ("vpc-lattice", "vpc-lattice"),
    "eks": ("eks", "eks"),
    "sqs": ("sqs", "sqs"),
    "resourcegroupstagging": ("resourcegroupstaggingapi", "tag"),
    "servicequotas": ("service-quotas", "servicequotas"),
    "acm": ("acm", "acm"),
    "sts": ("sts", "sts"),
    "ec2": ("ec2", "ec2"),
    "lambda": ("lambda", "lambda"),
    "s3": ("s3", "s3"),
    "autoscaling": ("autoscaling", "autoscaling"),
    "elbv2": ("elbv2", "elasticloadbalancing"),
}

#: Operations that have no action of their own (Service Authorization Reference).
ACTION_OF = {"vpc-lattice:BatchUpdateRule": "vpc-lattice:UpdateRule", "sqs:SendMessageBatch": "sqs:SendMessage"}

#: Actions that are needed without a call of the code, and who needs them.
IMPLIED = {
    "logs:CreateLogStream": "Lambda's log",
    "logs:PutLogEvents": "Lambda's log",
    "sqs:ReceiveMessage": "the event source mapping",
    "sqs:DeleteMessage": "the event source mapping",
    "sqs:GetQueueAttributes": "the event source mapping",
    "kms:Decrypt": "SQS, with a key of the account",
    "kms:GenerateDataKey": "SQS, with a key of the account",
    "iam:CreateServiceLinkedRole": "VPC Lattice in the caller's name, once in an account",
    "lambda:GetFunction": "VPC Lattice in the caller's name, for a function that becomes a target",
    "ec2:DescribeVpcs": "VPC Lattice in the caller's name",
    "ec2:DescribeSecurityGroups": "VPC Lattice in the caller's name",
    "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation": "EC2 in the caller's name, for an endpoint of a service network",
    **dict.fromkeys(
        ("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
         "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy",
         "firehose:TagDeliveryStream"),
        "VPC Lattice in the caller's name, where access logs may be delivered",
    ),
    "ec2:CreateNetworkInterface": "Lambda in a VPC",
    "ec2:DeleteNetworkInterface": "Lambda in a VPC",
    "ec2:DescribeNetworkInterfaces": "Lambda in a VPC",
    "ec2:AssignPrivateIpAddresses": "Lambda in a VPC",
    "ec2:UnassignPrivateIpAddresses": "Lambda in a VPC",
}

READING = ("Get", "List", "Describe")


def operations(sdk: str) -> dict[str, str]:
    """Method of the SDK for Rust → operation."""
    service, _ = SDKS[sdk]
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"))
    return {xform_name(name): name for name in model.operation_names}


def product_part(text: str) -> str:
    """A source without its tests, which stand at its end."""
    return text.partition("#[cfg(test)]")[0]


def sdks_of(path: Path) -> set[str]:
    """The SDK crates that a file speaks to: those it names, or its folder's `mod.rs` does."""
    texts = [product_part(path.read_text())]
    if path.parent.name != "src":
        texts.append(product_part((path.parent / "mod.rs").read_text()))
    return {name for text in texts for name in re.findall(r"aws_sdk_([a-z]+)", text)}


def calls(folder: str) -> Iterator[str]:
    """The actions of all calls in a folder of sources."""
    for path in sorted((ROOT / folder).rglob("*.rs")):
        methods = set(re.findall(r"\.\s*([a-z]+(?:_[a-z]+)+)\(\)", product_part(path.read_text())))
        for sdk in sdks_of(path):
            assert sdk in SDKS, f"{path} speaks to aws_sdk_{sdk}: give it a row in SDKS"
            known = operations(sdk)
            for method in methods & set(known):
                action = f"{SDKS[sdk][1]}:{known[method]}"
                yield ACTION_OF.get(action, action)


def calls_of_ec2() -> Iterator[str]:
    """The actions of all calls to EC2, which has no crate: they stand by their names in the client of our own."""
    known = set(operations("ec2").values())
    for path in sorted((ROOT / "shared" / "aws" / "src" / "ec2").glob("*.rs")):
        for name in set(re.findall(r'"([A-Z][A-Za-z]+)"', product_part(path.read_text()))) & known:
            yield f"ec2:{name}"


def calls_of_lambda() -> Iterator[str]:
    """The actions of all calls to Lambda, likewise."""
    text = product_part((ROOT / "shared" / "aws" / "src" / "lambda.rs").read_text())
    for name in set(re.findall(r'"([A-Z][A-Za-z]+)"', text)) & set(operations("lambda").values()):
        yield f"lambda:{name}"


def calls_of_s3() -> Iterator[str]:
    """The actions of all calls to S3: the drift function's alone."""
    text = product_part((ROOT / "shared" / "aws" / "src" / "s3.rs").read_text())
    for name in set(re.findall(r'"([A-Z][A-Za-z]+)"', text)) & set(operations("s3").values()):
        yield f"s3:{name}"


def calls_elsewhere() -> Iterator[str]:
    """The actions of all calls to Auto Scaling and Elastic Load Balancing, likewise."""
    text = product_part((ROOT / "shared" / "aws" / "src" / "elsewhere.rs").read_text())
    names = set(re.findall(r'"([A-Z][A-Za-z]+)"', text))
    balancing = names & set(operations("elbv2").values())
    # Auto Scaling has a call of the same name, for another thing.
    scaling = names & set(operations("autoscaling").values()) - balancing
    yield from (f"elasticloadbalancing:{name}" for name in balancing)
    yield from (f"autoscaling:{name}" for name in scaling)


CALLED = set(calls("shared/aws/src")) | set(calls_of_ec2()) | set(calls_of_lambda()) | set(calls_elsewhere())


def reads(action: str) -> bool:
    return action.partition(":")[2].startswith(READING)


def test_the_sources_are_read() -> None:
    assert {"vpc-lattice:CreateService", "vpc-lattice:UpdateRule", "eks:DescribeCluster", "sqs:SendMessage"} <= CALLED
    assert len(CALLED) > 30
    assert len(set(calls_of_ec2())) == 9
    assert set(calls_of_s3()) == {"s3:PutObject"}
    assert set(calls_of_lambda()) == {"lambda:ListTags", "lambda:GetPolicy", "lambda:AddPermission"}
    assert set(calls_elsewhere()) == {"autoscaling:DescribeAutoScalingGroups", "elasticloadbalancing:DescribeLoadBalancers"}


def test_the_reconciler_may_do_what_the_code_calls_and_no_more() -> None:
    allowed = actions("ReconcilerRole") - set(IMPLIED)
    assert sorted(CALLED - allowed) == [], "called and not allowed"
    assert sorted(allowed - CALLED) == [], "allowed and not called"


def test_the_drift_function_may_read_what_the_code_reads_and_send_hints() -> None:
    needed = {action for action in CALLED if reads(action)} | {"sqs:SendMessage"} | set(calls_of_s3())
    allowed = actions("DriftRole") - set(IMPLIED)
    assert sorted(needed - allowed) == [], "called and not allowed"
    assert sorted(allowed - needed) == [], "allowed and not called"


def test_the_webhook_may_do_what_it_calls_and_no_more() -> None:
    assert set(calls("functions/webhook/src")) == actions("WebhookRole") - set(IMPLIED)

