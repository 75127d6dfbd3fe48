"""EC2's VPC endpoints of service networks, as boto3 reads them, and requests through them."""

import http.client

import botocore.exceptions
import pytest
import scenes

SUBNETS = {"subnet-0a1b2c3d4e5f6000a": "az1", "subnet-0a1b2c3d4e5f6000b": "az2", "subnet-0a1b2c3d4e5f6000c": "az1"}
FIRST, SECOND, BESIDE = SUBNETS
TAGS = [{"Key": "owner", "Value": "us & them"}]


@pytest.fixture
def ec2(emulator, lattice, configured):
    subnets = {subnet: {"vpc": scenes.VPC, "zone": zone} for subnet, zone in SUBNETS.items()}
    configured({"subnets": subnets | {"subnet-of-another": {"vpc": "vpc-0a1b2c3d4e5f60009", "zone": "az1"}}})
    return emulator.client("ec2", checked=False)


@pytest.fixture
def network(lattice):
    return lattice.create_service_network(name="net")["arn"]


def create(ec2, network, subnets=(FIRST,), **more):
    made = ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", VpcId=scenes.VPC, ServiceNetworkArn=network,
                                   SubnetIds=list(subnets), **more)
    return made["VpcEndpoint"]


def refused(call, *arguments, **more):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*arguments, **more)
    return error.value.response["Error"]["Code"]


def tagged(tags=TAGS):
    return [{"ResourceType": "vpc-endpoint", "Tags": tags}]


def test_an_endpoint_is_made_found_by_its_tags_changed_and_deleted(ec2, lattice, network):
    made = create(ec2, network, [FIRST, SECOND], SecurityGroupIds=["sg-0a1b2c3d4e5f60001"], TagSpecifications=tagged())
    assert (made["VpcEndpointType"], made["State"], made["ServiceNetworkArn"]) == ("ServiceNetwork", "available", network)
    assert made["Tags"] == TAGS
    by_tag = [{"Name": "tag:owner", "Values": ["us & them"]}]
    (found,) = ec2.describe_vpc_endpoints(Filters=by_tag)["VpcEndpoints"]
    assert found["SubnetIds"] == [FIRST, SECOND]
    assert [group["GroupId"] for group in found["Groups"]] == ["sg-0a1b2c3d4e5f60001"]
    assert ec2.describe_vpc_endpoints(Filters=[{"Name": "tag:owner", "Values": ["nobody"]}])["VpcEndpoints"] == []
    identity = made["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=identity, AddSecurityGroupIds=["sg-0a1b2c3d4e5f60002"],
                            RemoveSecurityGroupIds=["sg-0a1b2c3d4e5f60001"], RemoveSubnetIds=[SECOND])
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"]
    assert (found["SubnetIds"], [group["GroupId"] for group in found["Groups"]]) == ([FIRST], ["sg-0a1b2c3d4e5f60002"])
    listed = lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=network)["items"]
    assert [(item["vpcEndpointId"], item["vpcId"]) for item in listed] == [(identity, scenes.VPC)]
    with pytest.raises(lattice.exceptions.ConflictException):
        lattice.delete_service_network(serviceNetworkIdentifier=network)
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[identity])["Unsuccessful"] == []
    assert refused(ec2.describe_vpc_endpoints, VpcEndpointIds=[identity]) == "InvalidVpcEndpointId.NotFound"
    lattice.delete_service_network(serviceNetworkIdentifier=network)


def test_tags_change_and_the_tagging_api_shows_them_by_type(ec2, emulator, network):
    identity = create(ec2, network, TagSpecifications=tagged())["VpcEndpointId"]
    ec2.create_tags(Resources=[identity], Tags=[{"Key": "kind", "Value": "a"}])
    ec2.delete_tags(Resources=[identity], Tags=[{"Key": "owner"}])
    (found,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert found["Tags"] == [{"Key": "kind", "Value": "a"}]
    tagging = emulator.client("resourcegroupstaggingapi", checked=False)
    (shown,) = tagging.get_resources(ResourceTypeFilters=["ec2:vpc-endpoint"])["ResourceTagMappingList"]
    assert shown == {"ResourceARN": f"arn:aws:ec2:us-west-2:000000000000:vpc-endpoint/{identity}", "Tags": [{"Key": "kind", "Value": "a"}]}


def test_what_ec2_does_not_take_is_an_error_of_its_name(ec2, network):
    assert refused(create, ec2, network, [FIRST, BESIDE]) == "DuplicateSubnetsInSameZone"
    assert refused(create, ec2, network, ["subnet-0a1b2c3d4e5f6000z"]) == "InvalidSubnetID.NotFound"
    assert refused(create, ec2, network, ["subnet-of-another"]) == "InvalidParameter"
    assert refused(create, ec2, network, []) == "MissingParameter"
    assert refused(create, ec2, network[:-3] + "zzz") == "InvalidServiceNetworkArn.NotFound"
    (failed,) = ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0a1b2c3d4e5f60001"])["Unsuccessful"]
    assert (failed["ResourceId"], failed["Error"]["Code"]) == ("vpce-0a1b2c3d4e5f60001", "InvalidVpcEndpointId.NotFound")


def test_a_token_makes_one_endpoint_however_often_it_is_sent(ec2, network):
    first, second = (create(ec2, network, ClientToken="once")["VpcEndpointId"] for _ in range(2))
    assert first == second
    assert create(ec2, network, ClientToken="twice")["VpcEndpointId"] != first


def test_an_endpoint_takes_its_time_both_ways(ec2, emulator, network, configured):
    configured({"delays": {"vpc-endpoint": "1m", "vpc-endpoint-delete": "1m"}})
    made = create(ec2, network)
    assert made["State"] == "pending"
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=made["VpcEndpointId"], AddSubnetIds=[SECOND]) == "IncorrectState"
    emulator.admin("POST", "clock", {"advance": "1m"})
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "available"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "deleting"
    emulator.admin("POST", "clock", {"advance": "1m"})
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


def test_pages_of_endpoints_and_subnets_add_up(ec2, network):
    made = {create(ec2, network)["VpcEndpointId"] for _ in range(3)}
    pages = list(ec2.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["VpcEndpoints"]) for page in pages] == [2, 1]
    assert {one["VpcEndpointId"] for page in pages for one in page["VpcEndpoints"]} == made
    zones = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": [FIRST, BESIDE, "subnet-gone"]}])["Subnets"]
    assert {one["SubnetId"]: one["AvailabilityZoneId"] for one in zones} == {FIRST: "az1", BESIDE: "az1"}


@pytest.mark.parametrize(("kind", "code"), [
    ("deny", "UnauthorizedOperation"), ("throttle", "RequestLimitExceeded"), ("error-before", "InternalError")])
def test_ec2_fails_on_demand_too(ec2, configured, kind, code):
    configured({"faults": [{"kind": kind, "operation": "ec2:DescribeVpcEndpoints", "count": 1}]})
    assert refused(ec2.describe_vpc_endpoints) == code
    ec2.describe_vpc_endpoints()


def test_a_service_answers_in_the_endpoints_vpc_by_the_endpoints_name_and_not_by_its_own(ec2, emulator, lattice, network):
    service = lattice.create_service(name="shop", customDomainName="shop.example.com")
    lattice.create_listener(serviceIdentifier=service["id"], name="http", protocol="HTTP", port=80,
                            defaultAction={"fixedResponse": {"statusCode": 404}})
    link = lattice.create_service_network_service_association(
        serviceIdentifier=service["id"], serviceNetworkIdentifier=network)["id"]

    def status(host):
        connection = http.client.HTTPConnection("127.64.255.254", emulator.data_port, timeout=10)
        try:
            connection.request("GET", "/", headers={"host": host})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    own = service["dnsEntry"]["domainName"]
    assert status(own) == "Non Existent Service"
    identity = create(ec2, network)["VpcEndpointId"]
    (answered,) = ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[identity])["VpcEndpointAssociations"]
    assert (answered["Id"], answered["AssociatedResourceArn"], answered["ServiceNetworkArn"]) == (link, service["arn"], network)
    name = answered["DnsEntry"]["DnsName"]
    assert name.startswith(f"{identity}-{link}.")
    assert status(name) == "Not Found"
    assert status("shop.example.com") == "Not Found", "a record for it leads to the endpoint"
    assert status(own) == "Non Existent Service", "its addresses are those of associated VPCs"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[identity])
    assert status(name) == "Non Existent Service"
