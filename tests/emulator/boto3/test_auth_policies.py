"""Auth policies at the data plane: requests signed by AWS's own signer, against a service with AWS_IAM."""

import datetime
import http.client
import json

import botocore.auth
import pytest
import scenes
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from scenes import REGION, VPC

CALLER = {"access-key": "AKIDCALLER", "secret-key": "caller-secret", "session-token": "session+token/=",
          "principal": "arn:aws:sts::000000000000:assumed-role/clients/me", "org-id": "o-1", "tags": {"team": "a"}}
ROLE = "arn:aws:iam::000000000000:role/clients"


class Signer(SigV4Auth):
    """Payloads of requests to services are not signed."""

    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


class Presigner(SigV4QueryAuth):
    """The same in the query string."""

    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


class Site:
    """A service with AWS_IAM whose only listener answers 404, which tells `passed` from `refused`."""

    def __init__(self, emulator, lattice):
        self.emulator, self.lattice = emulator, lattice
        network = lattice.create_service_network(name="net")["id"]
        made = lattice.create_service(name="svc", authType="AWS_IAM")
        self.service, self.domain = made["id"], made["dnsEntry"]["domainName"]
        self.network = network
        lattice.create_listener(
            serviceIdentifier=self.service, name="http", protocol="HTTP", port=80, defaultAction=scenes.NOT_FOUND)
        lattice.create_service_network_service_association(serviceIdentifier=self.service, serviceNetworkIdentifier=network)
        lattice.create_service_network_vpc_association(vpcIdentifier=VPC, serviceNetworkIdentifier=network)

    def policy(self, holder, *statements):
        whole = [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **more} for more in statements]
        self.lattice.put_auth_policy(
            resourceIdentifier=holder, policy=json.dumps({"Version": "2012-10-17", "Statement": whole}))

    def send(self, path="/x", method="GET", headers=None, sign=None, region=REGION, change=None):
        headers = {"host": self.domain, **(headers or {})}
        if sign:
            headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
            request = AWSRequest(method=method, url=f"http://{self.domain}{path}", headers=headers)
            Signer(Credentials(*sign), "vpc-lattice-svcs", region).add_auth(request)
            headers = dict(request.headers.items())
        headers.update(change or {})
        connection = http.client.HTTPConnection("127.64.255.254", self.emulator.data_port)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


GOOD = ("AKIDCALLER", "caller-secret", "session+token/=")


@pytest.fixture
def site(emulator, lattice, configured):
    configured({"identities": [CALLER]})
    return Site(emulator, lattice)


def test_without_a_policy_all_are_refused_and_the_body_says_who_and_what(site):
    status, body = site.send("/x")
    assert status == 403
    assert "User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke" in body and "service/svc-" in body
    status, body = site.send("/x", sign=GOOD)
    assert status == 403 and CALLER["principal"] in body


def test_anonymous_callers_pass_where_everybody_may(site):
    site.policy(site.service, {})
    assert site.send()[0] == 404


@pytest.mark.parametrize("path", ["/x", "/a%20b/c?z=1&a=2&a=1", "/a//b/../c", "/%E4%BD%A0?q=%2F", "/x/"])
def test_signatures_of_awss_signer_are_good_for_every_kind_of_path(site, path):
    site.policy(site.service, {"Principal": {"AWS": ROLE}})
    assert site.send(path)[0] == 403
    assert site.send(path, sign=GOOD) == (404, "Not Found")


def test_bad_signatures_are_refused_even_where_anonymous_callers_pass(site):
    site.policy(site.service, {})
    for sign, region, change in [
        (("AKIDCALLER", "wrong", "session+token/="), REGION, {}),
        (("AKIDNOBODY", "caller-secret", "session+token/="), REGION, {}),
        (("AKIDCALLER", "caller-secret", "other"), REGION, {}),
        (GOOD, "eu-west-1", {}),
        (GOOD, REGION, {"x-amz-date": "20200101T000000Z"}),
    ]:
        assert site.send(sign=sign, region=region, change=change)[0] == 403, (sign, region, change)
    assert site.send(sign=GOOD)[0] == 404
    assert site.send(headers={"authorization": "AWS4-ECDSA-P256-SHA256 Credential=x"})[0] == 403
    assert site.send(headers={"authorization": "Bearer abc"})[0] == 404, "other schemes are the target's business"


def presigned(site, path="/x", keys=GOOD, expires=60, name="vpc-lattice-svcs", method="GET"):
    """The path with its signature."""
    request = AWSRequest(method=method, url=f"http://{site.domain}{path}", headers={"host": site.domain})
    Presigner(Credentials(*keys), name, REGION, expires).add_auth(request)
    return request.url.removeprefix(f"http://{site.domain}")


@pytest.mark.parametrize("path", ["/x", "/a%20b/c?z=1&a=2&a=1", "/x?q=%2F"])
def test_a_presigned_request_is_its_signers(site, path):
    site.policy(site.service, {"Principal": {"AWS": ROLE}})
    assert site.send(path)[0] == 403
    assert site.send(presigned(site, path)) == (404, "Not Found")


def test_a_presigned_request_that_is_not_good_is_refused(site):
    site.policy(site.service, {})
    good = presigned(site)
    assert site.send(good)[0] == 404
    for path in [
        presigned(site, keys=("AKIDCALLER", "wrong", GOOD[2])), presigned(site, keys=("AKIDNOBODY", *GOOD[1:])),
        presigned(site, name="vpc-lattice"), presigned(site, expires=604801), presigned(site, expires=0),
        good.replace("/x?", "/y?"), good + "&more=1", good.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
        good.replace("X-Amz-Signature", "X-Amz-Nothing"), presigned(site, method="PUT"),
        good.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
    ]:
        assert site.send(path)[0] == 403, path


def test_a_presigned_request_ends_after_the_time_that_it_asked_for(site, monkeypatch):
    site.policy(site.service, {})
    ago = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(minutes=10)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: ago)
    assert site.send(presigned(site, expires=660))[0] == 404
    status, body = site.send(presigned(site, expires=540))
    assert status == 403 and "Signature expired" in body


def test_a_signature_does_not_hold_for_another_path(site):
    site.policy(site.service, {})
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "host": site.domain}
    request = AWSRequest(method="GET", url=f"http://{site.domain}/one", headers=headers)
    Signer(Credentials(*GOOD), "vpc-lattice-svcs", REGION).add_auth(request)
    assert site.send("/one", headers=dict(request.headers.items()))[0] == 404
    assert site.send("/two", headers=dict(request.headers.items()))[0] == 403


def test_conditions_see_method_path_header_query_port_vpc_and_principal(site):
    keys = {
        "vpc-lattice-svcs:RequestMethod": ("GET", "PUT"), "vpc-lattice-svcs:RequestPath": ("/x", "/y"),
        "vpc-lattice-svcs:RequestHeader/x-kind": ("a", "b"), "vpc-lattice-svcs:RequestQueryString/q": ("1", "2"),
        "vpc-lattice-svcs:SourceVpc": (VPC, "vpc-other"), "vpc-lattice-svcs:Port": ("80", "81"),
        "aws:PrincipalOrgID": ("o-1", "o-2"), "aws:PrincipalTag/team": ("a", "b"), "aws:PrincipalArn": (ROLE, "x"),
    }
    for key, values in keys.items():
        for value, status in zip(values, (404, 403), strict=True):
            site.policy(site.service, {"Condition": {"StringEquals": {key: value}}})
            assert site.send("/x?q=1", headers={"x-kind": "a"}, sign=GOOD)[0] == status, (key, value)


def test_network_and_service_must_both_allow_and_a_deny_wins(site):
    site.policy(site.service, {})
    site.lattice.update_service_network(serviceNetworkIdentifier=site.network, authType="AWS_IAM")
    status, body = site.send()
    assert status == 403 and "network-based policy" in body
    site.policy(site.network, {})
    assert site.send()[0] == 404
    site.policy(site.network, {}, {"Effect": "Deny", "Condition": {"StringEquals": {"aws:PrincipalType": "Anonymous"}}})
    status, body = site.send()
    assert status == 403 and "explicit deny in a network-based policy" in body
    assert site.send(sign=GOOD)[0] == 404


def test_the_callers_own_policy_counts_too(site, configured):
    own = {"Statement": [{"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*/allowed"}]}
    configured({"identities": [{**CALLER, "policies": [own]}]})
    site.policy(site.service, {})
    assert site.send("/allowed", sign=GOOD)[0] == 404
    status, body = site.send("/other", sign=GOOD)
    assert status == 403 and "identity-based policy" in body


def test_a_changed_policy_is_felt_after_its_delay(site, emulator, configured):
    site.policy(site.service, {})
    configured({"delays": {"auth-policy": "1h"}})
    site.policy(site.service, {"Effect": "Deny"})
    assert site.send()[0] == 404
    emulator.admin("POST", "clock", {"advance": "1h"})
    assert site.send()[0] == 403
