"""What template.yaml promises about permissions and about the queue."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from .settings import ROOT
from .template import PARAMETERS, RESOURCES, TEMPLATE, TEXT, actions, of_type, properties, statements, whole

OWNER = {"Ref": "Owner"}

PRINCIPALS = [*of_type("AWS::IAM::Role"), *of_type("AWS::IAM::ManagedPolicy")]


@pytest.mark.parametrize("name", PRINCIPALS)
def test_every_action_is_named_in_full(name: str) -> None:
    assert actions(name)
    assert [action for action in actions(name) if "*" in action] == []


def test_clusters_are_found_by_tag_and_no_listing_of_all_is_allowed() -> None:
    for name in ("ReconcilerRole", "DriftRole"):
        allowed = actions(name)
        assert {"tag:GetResources", "eks:DescribeCluster", "servicequotas:ListServiceQuotas"} <= allowed
        assert "eks:ListClusters" not in allowed
        assert not {action for action in allowed if action.startswith("tag:")} - {"tag:GetResources"}, "tags are read, not written"


def test_the_drift_function_changes_nothing_in_vpc_lattice() -> None:
    lattice = {action.partition(":")[2] for action in actions("DriftRole") if action.startswith("vpc-lattice:")}
    assert lattice
    assert [action for action in lattice if not action.startswith(("Get", "List"))] == []
    assert {action for action in actions("DriftRole") if action.startswith("sqs:")} == {"sqs:SendMessage"}


def test_the_webhook_may_send_to_the_queue_and_nothing_else() -> None:
    for name in ("WebhookPolicy", "WebhookRole"):
        send, key = statements(name)
        assert (send["Action"], send["Resource"]) == ("sqs:SendMessage", {"Fn::GetAtt": "Queue.Arn"})
        assert (key["Action"], key["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], {"Ref": "KmsKeyArn"})


def test_the_webhooks_role_is_given_by_pod_identity_to_its_own_service_account() -> None:
    (trust,) = properties("WebhookRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    # Without the second Pod Identity cannot give the role at all.
    assert set(trust["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
    objects = [item for item in yaml.safe_load_all((ROOT / "deploy" / "webhook.yaml").read_text()) if item["kind"] == "ServiceAccount"]
    assert {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in objects} == {(
        trust["Condition"]["StringEquals"]["aws:RequestTag/kubernetes-namespace"],
        trust["Condition"]["StringEquals"]["aws:RequestTag/kubernetes-service-account"])}


#: A permission that EC2 asks for in the caller's name, and that knows neither resources nor tags.
WITHOUT_TAGS = "CreateServiceNetworkVpcEndpointAssociation"


def test_an_endpoint_is_made_with_our_tag_and_no_other_is_changed_deleted_or_made_ours() -> None:
    of_ec2 = {one["Sid"]: one for one in statements("ReconcilerRole") if one["Sid"].endswith(("Endpoints", "EndpointsAtCreation"))}
    ours = {"StringEquals": {"aws:RequestTag/trellis:owner": OWNER}}
    names_owner = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["trellis:owner", "trellis:unit"]}}
    at_creation = {"StringEquals": {**ours["StringEquals"], "ec2:CreateAction": "CreateVpcEndpoint"}}
    assert {sid: (one["Effect"], one.get("Condition")) for sid, one in of_ec2.items()} == {
        "LookAtEndpoints": ("Allow", None),
        "CreateOurEndpoints": ("Allow", ours),
        "ChangeOurEndpoints": ("Allow", {"StringEquals": {"aws:ResourceTag/trellis:owner": OWNER}}),
        "TagEndpointsAtCreation": ("Allow", at_creation),
        "NeverAdoptEndpoints": ("Deny", {**names_owner, "Null": {"ec2:CreateAction": "true"}}),
        "NeverDisownEndpoints": ("Deny", names_owner),
        "JoinNetworksByEndpoints": ("Allow", None),
    }
    # What is made or changed without a condition is no endpoint.
    (into_vpcs,) = [one for one in statements("ReconcilerRole") if one["Sid"] == "PutEndpointsIntoVpcs"]
    assert [name["Fn::Sub"].rpartition(":")[2] for name in into_vpcs["Resource"]] == ["vpc/*", "subnet/*", "security-group/*"]
    assert not {action for action in actions("DriftRole") if action.startswith("ec2:") and "Describe" not in action
                } - {action for action in actions("VpcPolicy")}


def test_a_function_is_opened_only_with_its_owners_tag_and_for_vpc_lattice_and_none_is_shown() -> None:
    of_lambda = {one["Sid"]: one for one in statements("ReconcilerRole") if one["Sid"] in {"LetLatticeInvoke", "LookAtFunctionForLattice"}}
    assert {sid: (one["Action"], one["Condition"]) for sid, one in of_lambda.items()} == {
        "LetLatticeInvoke": ("lambda:AddPermission", {
            "StringEquals": {"aws:ResourceTag/trellis:invoke": "allow"},
            "StringEqualsIfExists": {"lambda:Principal": "vpc-lattice.amazonaws.com"}}),
        # GetFunction shows code and environment: only VPC Lattice may ask for it in our name.
        "LookAtFunctionForLattice": ("lambda:GetFunction", {"Bool": {"aws:ViaAWSService": "true"}}),
    }
    assert {action for action in actions("DriftRole") if action.startswith("lambda:")} == {"lambda:GetPolicy", "lambda:ListTags"}
    assert all("*" not in action for role in ("ReconcilerRole", "DriftRole") for action in actions(role))


def test_every_create_needs_our_tag_and_every_change_a_resource_that_bears_it() -> None:
    for statement in statements("ReconcilerRole"):
        named = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        verbs = {action.partition(":")[2] for action in named if action.startswith("vpc-lattice:")} - {WITHOUT_TAGS}
        equal = statement.get("Condition", {}).get("StringEquals", {})
        if statement["Effect"] == "Allow" and any(verb.startswith("Create") for verb in verbs):
            assert equal.get("aws:RequestTag/trellis:owner") == OWNER, statement["Sid"]
        if statement["Effect"] == "Allow" and any(verb.startswith(("Update", "Delete", "Register", "Deregister")) for verb in verbs):
            assert equal.get("aws:ResourceTag/trellis:owner") == OWNER, statement["Sid"]
        if statement["Effect"] == "Allow" and {"TagResource", "UntagResource"} & verbs:
            assert OWNER in equal.values(), statement["Sid"]


def test_a_certificate_is_imported_with_our_tag_or_over_one_that_bears_it_and_no_owners_tag_is_changed() -> None:
    of_acm = {one["Sid"]: one for one in statements("CertificatePolicy")}
    ours = {"StringEquals": {"aws:RequestTag/trellis:owner": OWNER}}
    has_owner, has_none = ({"Null": {"aws:ResourceTag/trellis:owner": text}} for text in ("false", "true"))
    names_owner = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["trellis:owner", "trellis:unit"]}}
    # An import with tags needs both of the first two; ACM takes no tags when a certificate is imported over another one.
    assert {sid: (one["Effect"], one["Condition"]) for sid, one in of_acm.items()} == {
        "ImportOurs": ("Allow", ours),
        "TagNew": ("Allow", {**ours, **has_none}),
        "ChangeOurCertificates": ("Allow", {"StringEquals": {"aws:ResourceTag/trellis:owner": OWNER}}),
        "NeverAdoptCertificates": ("Deny", {**names_owner, **has_owner}),
        "NeverDisownCertificates": ("Deny", names_owner),
    }
    assert of_acm["ImportOurs"]["Action"] == "acm:ImportCertificate"
    tags = {sid for sid, one in of_acm.items() if "acm:AddTagsToCertificate" in one["Action"]}
    assert tags == {"TagNew", "ChangeOurCertificates", "NeverAdoptCertificates"}
    assert of_acm["NeverDisownCertificates"]["Action"] == "acm:RemoveTagsFromCertificate"
    for one in of_acm.values():
        assert (one["Resource"] == "*") == (one["Effect"] == "Deny"), one["Sid"]
    assert RESOURCES["CertificatePolicy"]["Condition"] == "ImportsCertificates"
    assert PARAMETERS["CertificateSecrets"]["Default"] == "false"


def test_the_owners_tag_can_neither_be_given_to_a_foreign_resource_nor_taken_from_ours() -> None:
    denied = [statement for statement in statements("ReconcilerRole") if statement["Effect"] == "Deny" and "vpc-lattice" in str(statement)]
    assert {statement["Action"] for statement in denied} == {"vpc-lattice:TagResource", "vpc-lattice:UntagResource"}
    # Which unit a resource is of changes in a hand-over, and is never taken away.
    keys = {"vpc-lattice:TagResource": "trellis:owner", "vpc-lattice:UntagResource": ["trellis:owner", "trellis:unit"]}
    for statement in denied:
        assert statement["Condition"]["ForAnyValue:StringEquals"] == {"aws:TagKeys": keys[statement["Action"]]}
        assert statement["Resource"] == "*"


def test_the_queue_is_fifo_with_order_deduplication_and_throughput_per_unit() -> None:
    queue = properties("Queue")
    assert (queue["FifoQueue"], queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == (True, "messageGroup", "perMessageGroupId")
    assert "ContentBasedDeduplication" not in queue
    assert properties("DeadLetterQueue")["FifoQueue"] is True


@pytest.mark.parametrize("queue", ["Queue", "ChangesQueue", "InstancesQueue"])
def test_a_message_stays_invisible_for_six_times_the_functions_timeout(queue: str) -> None:
    assert properties(queue)["VisibilityTimeout"] >= 6 * properties("ReconcileFunction")["Timeout"]


def test_a_failed_message_alone_returns_to_the_queue() -> None:
    mapping = properties("ReconcileFunction")["Events"]["Hints"]["Properties"]
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


def test_each_parameter_stands_in_one_group_of_the_console() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    listed = [name for group in groups for name in group["Parameters"]]
    assert sorted(listed) == sorted(PARAMETERS)
    assert [name for name, parameter in PARAMETERS.items() if len(parameter["Description"]) < 20] == []


def test_the_functions_read_what_the_template_sets_and_are_given_what_they_read() -> None:
    environments = [TEMPLATE["Globals"]["Function"]["Environment"]]
    environments += [found["Environment"] for found in of_type("AWS::Serverless::Function").values()]
    given = {name for one in environments for name in one["Variables"] if name.startswith("TRELLIS_")}
    sources = [*(ROOT / "shared").glob("*/src/**/*.rs"), *(ROOT / "functions").glob("[rd]*/src/**/*.rs")]
    read = {name for path in sources for name in re.findall(r'"(TRELLIS_[A-Z_]+)"', path.read_text())}
    # The log's format is for people at a terminal.
    assert sorted(given) == sorted(read - {"TRELLIS_LOG_FORMAT"})


LONGEST_OWNER = "a" * 32


def physical_names() -> list[tuple[str, int]]:
    """Each name that the template gives by itself, for the longest owner there can be, with its quota."""
    named = [(properties("DriftFunction")["Events"]["Pass"]["Properties"]["Name"], 64)]
    for function in of_type("AWS::Serverless::Function").values():
        named.append((function["FunctionName"], 64))
        # Of the User-Agent's application name the SDKs take 50 characters.
        named.append((function["Environment"]["Variables"]["AWS_SDK_UA_APP_ID"], 50))
    return [(name["Fn::Sub"].replace("${Owner}", LONGEST_OWNER), quota) for name, quota in named]


def test_the_longest_owner_gives_names_that_aws_takes() -> None:
    assert re.fullmatch(PARAMETERS["Owner"]["AllowedPattern"], LONGEST_OWNER)
    assert not re.fullmatch(PARAMETERS["Owner"]["AllowedPattern"], LONGEST_OWNER + "a")
    assert [name for name, quota in physical_names() if len(name) > quota or "$" in name] == []


def test_no_name_depends_on_the_stacks_which_may_be_longer() -> None:
    assert "AWS::StackName" not in TEXT


def test_one_drift_pass_runs_at_a_time_as_long_as_lambda_lets_it_and_none_is_repeated() -> None:
    drift = properties("DriftFunction")
    assert drift["Timeout"] == 900
    assert drift["EventInvokeConfig"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert whole(drift["ReservedConcurrentExecutions"]) == 1


def test_the_schedule_may_begin_a_drift_pass_and_nothing_else() -> None:
    assert properties("DriftFunction")["Events"]["Pass"]["Properties"]["RoleArn"] == {"Fn::GetAtt": "ScheduleRole.Arn"}
    (statement,) = statements("ScheduleRole")
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"]["Fn::Sub"].endswith(":function:" + properties("DriftFunction")["FunctionName"]["Fn::Sub"])


def test_every_role_is_bounded_and_lies_with_its_policies_below_the_path_where_that_is_asked_for() -> None:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, found in of_type(kind).items():
            assert found["Path"] == {"Ref": "IamPath"}, name
            assert kind != "AWS::IAM::Role" or whole(found["PermissionsBoundary"]) == {"Ref": "PermissionsBoundary"}, name


def test_every_queue_and_log_is_encrypted_with_the_account_s_key_where_there_is_one() -> None:
    key = {"Ref": "KmsKeyArn"}
    for name, found in of_type("AWS::SQS::Queue").items():
        assert whole(found["KmsMasterKeyId"]) == key, name
        # One of both: SQS refuses a queue with two kinds of encryption.
        assert found["SqsManagedSseEnabled"] == {"Fn::If": ["HasKey", {"Ref": "AWS::NoValue"}, True]}, name
    for name, found in of_type("AWS::Logs::LogGroup").items():
        assert whole(found["KmsKeyId"]) == key, name
    (bucket,) = of_type("AWS::S3::Bucket").values()
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert whole(rule)["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    for role in ("ReconcilerRole", "DriftRole", "WebhookRole"):
        assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions(role), role


def test_the_bucket_of_the_service_directory_is_nobody_elses_and_outlives_the_stack() -> None:
    (bucket,) = of_type("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True} and len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (policy,) = of_type("AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    # CloudFormation cannot delete a bucket that has objects; one whose stack could not be made has none.
    assert RESOURCES["DirectoryBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"
    (write,) = [one for one in statements("DriftRole") if one["Action"] == "s3:PutObject"]
    assert [resource["Fn::Sub"] for resource in write["Resource"]] == [
        f"${{DirectoryBucket.Arn}}/directory.{ending}" for ending in ("html", "json")]


def test_every_queue_refuses_whoever_does_not_speak_tls() -> None:
    refusing = []
    for found in of_type("AWS::SQS::QueuePolicy").values():
        denied = [whole(one) for one in found["PolicyDocument"]["Statement"] if whole(one)["Effect"] == "Deny"]
        assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
        refusing += [queue["Ref"] for queue in found["Queues"]]
    assert sorted(refusing) == sorted(of_type("AWS::SQS::Queue"))


#: What brings changes of others: those of VPC Lattice, and those of VPC endpoints in EC2.
CHANGES_RULES = ["ChangesRule", "EndpointChangesRule"]


def test_of_ec2_only_the_calls_are_told_that_touch_an_endpoint_that_is_there() -> None:
    detail = properties("EndpointChangesRule")["EventPattern"]["detail"]
    source = (ROOT / "shared" / "hint" / "src" / "touched.rs").read_text()
    (read,) = re.findall(r"ENDPOINT_CALLS: \[&str; 2\] = \[(.*?)\]", source)
    assert detail["eventName"] == re.findall(r'"(\w+)"', read)


def test_changes_of_others_come_through_a_queue_of_their_own_and_never_take_the_hints_executions() -> None:
    for rule in CHANGES_RULES:
        (target,) = properties(rule)["Targets"]
        assert target["Arn"] == properties("ChangesMapping")["EventSourceArn"] == {"Fn::GetAtt": "ChangesQueue.Arn"}
    assert properties("ChangesMapping")["ScalingConfig"] == {"MaximumConcurrency": 2}
    allow = next(one for one in properties("ChangesQueuePolicy")["PolicyDocument"]["Statement"] if one.get("Sid") == "TakeFromTheRule")
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": f"{rule}.Arn"} for rule in CHANGES_RULES]}}


@pytest.mark.parametrize("rule", CHANGES_RULES)
def test_our_own_changes_are_no_news_and_those_of_whoever_has_no_session_are(rule: str) -> None:
    detail: dict[str, Any] = properties(rule)["EventPattern"]["detail"]
    issuers = [one["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] for one in detail["$or"]]
    assert issuers == [[{"anything-but": [{"Fn::GetAtt": "ReconcilerRole.Arn"}]}], [{"exists": False}]]
    assert detail["readOnly"] == [False]
    # Whoever changes VPC Lattice in our name must be known by that role; the drift function changes nothing.
    creating = {name for name in of_type("AWS::IAM::Role") if any("vpc-lattice:Create" in action for action in actions(name))}
    assert creating == {"ReconcilerRole"}


def test_what_belongs_to_changes_of_others_is_there_together_or_not_at_all() -> None:
    assert {name for name, found in RESOURCES.items() if found.get("Condition") == "WatchesChanges"} == {
        "ChangesQueue", "ChangesQueuePolicy", *CHANGES_RULES, "ChangesMapping"}
    assert RESOURCES["OldestChangeAlarm"]["Condition"] == "HasAlarmsOfChanges"
    assert {"Condition": "WatchesChanges"} in TEMPLATE["Conditions"]["HasAlarmsOfChanges"]["Fn::And"]


#: What tells of instances.
INSTANCE_RULES = ["InstanceStatesRule", "ScalingRule", "InstanceTagsRule"]


def test_instances_come_through_a_queue_that_is_looked_at_at_once_and_is_there_with_its_rules_or_not_at_all() -> None:
    mapping = properties("InstancesMapping")
    assert (mapping["ScalingConfig"], mapping["BatchSize"]) == ({"MaximumConcurrency": 2}, 10)
    assert "MaximumBatchingWindowInSeconds" not in mapping
    for rule in INSTANCE_RULES:
        (target,) = properties(rule)["Targets"]
        assert target["Arn"] == mapping["EventSourceArn"] == {"Fn::GetAtt": "InstancesQueue.Arn"}
    allow = next(one for one in properties("InstancesQueuePolicy")["PolicyDocument"]["Statement"] if one.get("Sid") == "TakeFromTheRules")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": f"{rule}.Arn"} for rule in INSTANCE_RULES]}}
    assert {name for name, found in RESOURCES.items() if found.get("Condition") == "WatchesInstances"} == {
        "InstancesQueue", "InstancesQueuePolicy", *INSTANCE_RULES, "InstancesMapping"}


def test_every_resource_of_the_stack_is_tagged_and_only_a_local_aws_needs_no_tls() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    default, local = (config[name]["deploy"]["parameters"] for name in ("default", "local"))
    assert default["tags"] == local["tags"] == "application=trellis"
    assert PARAMETERS["RequireTls"]["Default"] == "true"
    assert "parameter_overrides" not in default
    assert "RequireTls=false" in local["parameter_overrides"]
