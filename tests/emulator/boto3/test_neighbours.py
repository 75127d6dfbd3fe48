"""The Resource Groups Tagging API over the emulator's resources, and ACM's list of certificates."""

import pytest
import scenes


@pytest.fixture
def tagging(emulator):
    return emulator.client("resourcegroupstaggingapi", checked=False)


def arns(answer):
    return [item["ResourceARN"] for item in answer["ResourceTagMappingList"]]


def test_resources_are_found_by_tag_and_type(lattice, tagging):
    one = lattice.create_service(name="one", tags={"owner": "us", "kind": "a"})
    lattice.create_service(name="two", tags={"owner": "them"})
    lattice.create_service(name="three")
    network = lattice.create_service_network(name="net", tags={"owner": "us"})
    both = tagging.get_resources(TagFilters=[{"Key": "owner", "Values": ["us"]}])
    assert arns(both) == sorted([one["arn"], network["arn"]])
    assert both["PaginationToken"] == ""
    filtered = tagging.get_resources(
        TagFilters=[{"Key": "owner", "Values": ["us"]}], ResourceTypeFilters=["vpc-lattice:service"])
    assert filtered["ResourceTagMappingList"] == [
        {"ResourceARN": one["arn"], "Tags": [{"Key": "kind", "Value": "a"}, {"Key": "owner", "Value": "us"}]}]
    assert len(arns(tagging.get_resources(TagFilters=[{"Key": "owner"}]))) == 3
    assert len(arns(tagging.get_resources())) == 3, "what has no tags is not listed"


def test_pages_of_resources_add_up(lattice, tagging):
    made = sorted(lattice.create_service(name=f"svc{n}", tags={"a": "b"})["arn"] for n in range(5))
    pages = list(tagging.get_paginator("get_resources").paginate(ResourcesPerPage=2))
    assert [len(arns(page)) for page in pages] == [2, 2, 1]
    assert [arn for page in pages for arn in arns(page)] == made


def test_tags_set_here_are_seen_there_and_failures_are_told_by_arn(lattice, tagging):
    arn = scenes.Scene(lattice).arn()["resourceArn"]
    unknown = arn[:-3] + "zzz"
    answer = tagging.tag_resources(ResourceARNList=[arn, unknown], Tags={"x": "y"})
    assert list(answer["FailedResourcesMap"]) == [unknown]
    assert lattice.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b", "x": "y"}
    tagging.untag_resources(ResourceARNList=[arn], TagKeys=["a"])
    assert lattice.list_tags_for_resource(resourceArn=arn)["tags"] == {"x": "y"}


def test_the_index_lags_behind_and_catches_up(emulator, lattice, tagging, configured):
    configured({"delays": {"tag-index": "1h"}})
    made = lattice.create_service(name="one", tags={"a": "b"})
    assert arns(tagging.get_resources()) == []
    emulator.admin("POST", "clock", {"advance": "1h"})
    assert arns(tagging.get_resources()) == [made["arn"]]


def test_acm_lists_the_certificates_of_the_settings(emulator, configured):
    configured({"certificates": [
        {"domain": "*.example.com", "alternative-names": ["example.com"]},
        {"domain": "other.example", "arn": "arn:aws:acm:us-west-2:000000000000:certificate/other"}]})
    acm = emulator.client("acm", checked=False)
    listed = acm.list_certificates()["CertificateSummaryList"]
    assert [item["DomainName"] for item in listed] == ["*.example.com", "other.example"]
    assert listed[0]["SubjectAlternativeNameSummaries"] == ["*.example.com", "example.com"]
    assert listed[1]["CertificateArn"].endswith("certificate/other")
    pages = acm.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 1})
    assert sum(len(page["CertificateSummaryList"]) for page in pages) == 2


def test_calls_of_the_neighbours_are_counted(emulator, tagging):
    emulator.admin("POST", "calls/reset")
    tagging.get_resources()
    assert emulator.admin("GET", "calls")["operations"] == {"tagging:GetResources": 1}
