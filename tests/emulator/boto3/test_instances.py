"""Instances as EC2 tells of them, and as targets: what does not run answers nothing."""

import botocore.exceptions
import pytest
import scenes

FIRST, SECOND, AWAY = "i-0a1b2c3d4e5f60001", "i-0a1b2c3d4e5f60002", "i-0a1b2c3d4e5f60003"


@pytest.fixture
def ec2(emulator, lattice, configured):
    configured({"instances": {FIRST: {"address": "10.0.7.1", "vpc": scenes.VPC, "tags": {"app": "rates & rooms"}},
                              SECOND: {"address": "10.0.7.2", "vpc": scenes.VPC, "state": "stopped", "tags": {"app": "rates & rooms"}},
                              AWAY: {"address": "10.0.7.3", "vpc": "vpc-0a1b2c3d4e5f60009"}}})
    return emulator.client("ec2", checked=False)


def found(ec2, *filters, **more):
    pages = ec2.get_paginator("describe_instances").paginate(Filters=[{"Name": name, "Values": values} for name, values in filters], **more)
    return [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]


def test_instances_are_found_by_tags_ids_and_states_page_by_page(ec2):
    by_tag = found(ec2, ("tag:app", ["rates & rooms"]), PaginationConfig={"PageSize": 1})
    assert [(one["InstanceId"], one["State"]["Name"], one["VpcId"]) for one in by_tag] == [
        (FIRST, "running", scenes.VPC), (SECOND, "stopped", scenes.VPC)]
    assert by_tag[0]["Tags"] == [{"Key": "app", "Value": "rates & rooms"}]
    assert [one["InstanceId"] for one in found(ec2, ("instance-id", [AWAY, "i-0a1b2c3d4e5f60009"]))] == [AWAY]
    assert [one["InstanceId"] for one in found(ec2, ("instance-state-name", ["stopped"]))] == [SECOND]
    assert len(ec2.describe_instances(InstanceIds=[FIRST])["Reservations"]) == 1
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=["i-0a1b2c3d4e5f60009"])


def test_an_instance_of_another_vpc_is_no_target(ec2, lattice):
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": scenes.VPC}
    group = lattice.create_target_group(name="instances", type="INSTANCE", config=config)["id"]
    answer = lattice.register_targets(targetGroupIdentifier=group, targets=[{"id": FIRST}, {"id": AWAY}])
    assert [one["id"] for one in answer["successful"]] == [FIRST]
    assert [(one["id"], one["failureCode"]) for one in answer["unsuccessful"]] == [(AWAY, "UnsupportedTarget")]
