"""Signatures of control-plane calls: when the settings ask for them, AWS's own clients sign and only the right pass."""

import datetime
import http.client
import importlib.util
import json
import urllib.parse

import pytest
import scenes
from botocore.exceptions import ClientError
from scenes import REGION

CALLER = {"access-key": "AKIDCALLER", "secret-key": "caller-secret", "session-token": "session+token/=",
          "principal": "arn:aws:sts::000000000000:assumed-role/admins/me"}
GOOD = ("AKIDCALLER", "caller-secret", "session+token/=")
ARN = "arn:aws:vpc-lattice:us-west-2:000000000000:service/svc-0123456789abcdef0"
LISTS = {"vpc-lattice": "list_services", "resourcegroupstaggingapi": "get_resources", "acm": "list_certificates"}


@pytest.fixture
def signed(emulator, configured):
    """Clients with the given credentials of an emulator that asks for signatures."""
    emulator.admin("POST", "reset")
    configured({"check-signatures": True, "identities": [CALLER]})
    return lambda service="vpc-lattice", keys=GOOD, region=REGION: emulator.client(
        service, checked=False, keys=keys, region=region)


def refusal(call, **given):
    """Code and status that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", sorted(LISTS))
def test_the_right_secret_passes(signed, service):
    getattr(signed(service), LISTS[service])()


@pytest.mark.parametrize(("service", "status"), [("vpc-lattice", 403), ("resourcegroupstaggingapi", 400), ("acm", 400)])
@pytest.mark.parametrize(("keys", "region", "code"), [
    (("AKIDCALLER", "wrong", "session+token/="), REGION, "InvalidSignatureException"),
    (("AKIDNOBODY", "caller-secret", "session+token/="), REGION, "UnrecognizedClientException"),
    (("AKIDCALLER", "caller-secret", "other"), REGION, "UnrecognizedClientException"),
    (("AKIDCALLER", "caller-secret", None), REGION, "UnrecognizedClientException"),
    (GOOD, "eu-west-1", "InvalidSignatureException"),
])
def test_a_wrong_secret_key_token_or_region_is_refused(signed, service, status, keys, region, code):
    assert refusal(getattr(signed(service, keys, region), LISTS[service])) == (code, status)


def test_every_kind_of_call_can_be_signed(signed):
    client = signed()
    made = client.create_service(name="signed", tags={"a b": "c/d"})
    client.tag_resource(resourceArn=made["arn"], tags={"x": "y+z"})
    client.untag_resource(resourceArn=made["arn"], tagKeys=["a b", "ü"])
    assert client.get_service(serviceIdentifier=made["arn"])["id"] == made["id"]
    assert client.list_services(maxResults=1)["items"][0]["id"] == made["id"]
    client.put_auth_policy(resourceIdentifier=made["id"], policy=scenes.POLICY)
    client.delete_service(serviceIdentifier=made["id"])


def test_a_refused_call_has_no_effect_and_is_counted_under_its_name(emulator, signed):
    emulator.admin("POST", "calls/reset")
    assert refusal(signed(keys=("AKIDCALLER", "wrong", GOOD[2])).create_service, name="never")[0] == "InvalidSignatureException"
    assert signed().list_services()["items"] == []
    calls = emulator.admin("GET", "calls")
    assert calls["operations"] == {"CreateService": 1, "ListServices": 1}
    assert calls["errors"] == {"InvalidSignatureException": 1}


@pytest.mark.parametrize(("target", "status"), [(None, 403), ("ResourceGroupsTaggingAPI_20170126.GetResources", 400)])
def test_an_unsigned_call_misses_its_token(emulator, signed, target, status):
    answer = raw(emulator, {"x-amz-target": target} if target else {})
    assert answer == (status, "MissingAuthenticationTokenException")


def test_a_signature_without_its_parts_is_incomplete(emulator, signed):
    for text in ("AWS4-HMAC-SHA256 Credential=AKIDCALLER/x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 SignedHeaders=host"):
        answer = raw(emulator, {"authorization": text, "x-amz-date": "20250101T000000Z"})
        assert answer == (403, "IncompleteSignatureException"), text
    assert raw(emulator, {"authorization": "Bearer x"}) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_signature_of_another_time_is_refused(signed, monkeypatch, minutes):
    def shifted(remove_tzinfo=True):
        then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        return then.replace(tzinfo=None) if remove_tzinfo else then

    client = signed()
    client.list_services()
    # botocore has two signers and takes the one of the AWS Common Runtime where that is installed.
    for signer in ("botocore.auth", "botocore.crt.auth"):
        if importlib.util.find_spec("awscrt") or "crt" not in signer:
            monkeypatch.setattr(f"{signer}.get_current_datetime", shifted)
    assert refusal(client.list_services) == ("InvalidSignatureException", 403)


def test_signatures_go_by_the_machines_clock_however_far_tests_put_the_emulators(emulator, signed):
    emulator.admin("POST", "clock", {"advance": "1h"})
    signed().list_services()


def test_a_signature_does_not_hold_for_another_body_path_or_query(emulator, signed):
    client, seen = signed(), []
    client.meta.events.register("before-send.vpc-lattice.*", lambda request, **_: seen.append(request))
    client.create_service(name="one")
    client.list_services(maxResults=5)
    (create, listing), host = seen, urllib.parse.urlsplit(emulator.url).netloc
    replays = [
        ("POST", "/services", create, b'{"name": "two"}', 403), ("POST", "/servicenetworks", create, create.body, 403),
        ("GET", "/services?maxResults=6", listing, None, 403), ("GET", "/services?maxResults=5", listing, None, 200),
    ]
    for method, path, request, body, status in replays:
        connection = http.client.HTTPConnection(host)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        connection.request(method, path, body, headers)
        assert connection.getresponse().status == status, path


def test_nobody_is_asked_when_the_setting_is_off(emulator, configured):
    configured({"identities": [CALLER]})
    emulator.client(checked=False, keys=("AKIDNOBODY", "wrong", None)).list_services()


def raw(emulator, headers):
    """Status and code of a GET of the services with these headers."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(emulator.url).netloc)
    connection.request("POST" if "x-amz-target" in headers else "GET", "/" if "x-amz-target" in headers else "/services",
                       headers=headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    return response.status, response.getheader("x-amzn-errortype") or body["__type"]
