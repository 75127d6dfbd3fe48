"""The Resource Groups Tagging API over the emulator's resources and EKS clusters, Service Quotas, and ACM's certificates."""

import http.server
import json
import threading
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.exceptions
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


class Eks:
    """As much of EKS as tells the tags of clusters, one name a page."""

    def __init__(self):
        self.tags = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                self.answer(*outer.reply(unquote(url.path), parse_qs(url.query)))

            def answer(self, status, body):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, path, query):
        if path != "/clusters":
            name = path.rpartition("/")[2]
            if path != f"/tags/{self.arn(name)}" or name not in self.tags:
                return 404, {"message": "No such resource."}
            return 200, {"tags": self.tags[name]}
        names = sorted(self.tags)
        start = int(query.get("nextToken", ["0"])[0])
        page = {"clusters": names[start:start + 1]}
        return 200, page | ({"nextToken": str(start + 1)} if start + 1 < len(names) else {})

    @staticmethod
    def arn(name):
        return f"arn:aws:eks:us-west-2:000000000000:cluster/{name}"


@pytest.fixture
def eks(configured):
    eks = Eks()
    configured({"eks-endpoint": eks.url})
    yield eks
    configured({"eks-endpoint": None})
    eks.server.shutdown()
    eks.server.server_close()


def test_clusters_of_a_local_eks_are_found_by_tag_among_the_resources(lattice, tagging, eks):
    service = lattice.create_service(name="one", tags={"trellis:registered": "true"})
    eks.tags = {"one": {"trellis:registered": "true"}, "two": {"trellis:registered": "leaving", "a": "b"}, "three": {}}
    found = tagging.get_resources(TagFilters=[{"Key": "trellis:registered"}], ResourceTypeFilters=["eks:cluster"])
    assert arns(found) == [eks.arn("one"), eks.arn("two")]
    assert found["ResourceTagMappingList"][1]["Tags"] == [
        {"Key": "a", "Value": "b"}, {"Key": "trellis:registered", "Value": "leaving"}]
    every = tagging.get_resources(TagFilters=[{"Key": "trellis:registered", "Values": ["true"]}])
    assert arns(every) == [eks.arn("one"), service["arn"]]
    assert arns(tagging.get_resources(ResourceTypeFilters=["eks"])) == [eks.arn("one"), eks.arn("two")]


def test_a_clusters_tag_that_is_taken_away_is_shown_for_as_long_as_the_index_lags(emulator, lattice, tagging, eks, configured):
    eks.tags = {"one": {"a": "b"}}
    assert arns(tagging.get_resources()) == [eks.arn("one")]
    configured({"delays": {"tag-index": "1m"}})
    eks.tags = {}
    assert arns(tagging.get_resources()) == [eks.arn("one")]
    emulator.admin("POST", "clock", {"advance": "1m"})
    assert arns(tagging.get_resources()) == []


def test_an_eks_that_does_not_answer_is_an_error_of_the_tagging_api(lattice, tagging, configured):
    configured({"eks-endpoint": "http://127.0.0.1:9"})
    with pytest.raises(tagging.exceptions.InternalServiceException, match="does not tell its tags"):
        tagging.get_resources()
    assert arns(tagging.get_resources(ResourceTypeFilters=["vpc-lattice:service"])) == [], "EKS is not asked"
    configured({"eks-endpoint": None})


def test_service_quotas_tell_what_applies_and_the_defaults(emulator, configured):
    quotas = emulator.client("service-quotas", checked=False)
    configured({"quotas": {"target-groups": 7}, "untold-quotas": ["L-620C821E"]})
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="vpc-lattice", PaginationConfig={"PageSize": 5})
    applied = {quota["QuotaCode"]: quota for page in pages for quota in page["Quotas"]}
    assert applied["L-BB11C6B9"]["Value"] == 7.0
    assert applied["L-BB11C6B9"]["QuotaName"] == "Target groups per Region"
    assert "L-620C821E" not in applied
    defaults = quotas.list_aws_default_service_quotas(ServiceCode="vpc-lattice")["Quotas"]
    assert {quota["QuotaCode"]: quota["Value"] for quota in defaults}["L-BB11C6B9"] == 500.0
    assert len(defaults) == 14
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.list_service_quotas(ServiceCode="ec2")


@pytest.mark.parametrize(("kind", "code"), [
    ("deny", "AccessDeniedException"), ("throttle", "ThrottledException"), ("error-before", "InternalServiceException")])
def test_neighbours_fail_on_demand_too(tagging, configured, kind, code):
    configured({"faults": [{"kind": kind, "operation": "tagging:GetResources", "count": 1}]})
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        tagging.get_resources()
    assert refused.value.response["Error"]["Code"] == code
    tagging.get_resources()


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
