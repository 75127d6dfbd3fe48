"""The samples of `events/` at the running webhook: every one is allowed, and counted as what it is."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from urllib.parse import urlsplit

import pytest

from stack.stack import Stack
from stack.webhook import CONFIGURATION, Webhook, metric_sum
from stack.world import event

#: Sample → the outcome that the webhook's metric gives it.
OUTCOMES = {
    "admission-create-gateway": "hinted",
    "admission-update-gateway": "hinted",
    "admission-update-unchanged": "no_change",
    "admission-create-httproute": "hinted",
    "admission-create-dry-run": "dry_run",
    "admission-delete-httproute": "hinted",
    "admission-delete-collection-serviceexport": "hinted",
    "admission-update-endpointslice": "hinted",
    "admission-update-namespace-labels": "hinted",
}


def post_to(hook: Webhook, body: bytes, path: str | None = None) -> tuple[int, bytes]:
    """Sends a review as the API server does: trusting what it trusts, to the path that it is told, or to another one."""
    found = hook.cluster.get(f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}")
    client = found["webhooks"][0]["clientConfig"]
    context = ssl.create_default_context(cadata=base64.b64decode(client["caBundle"]).decode())
    connection = http.client.HTTPSConnection("127.0.0.1", hook.port, timeout=10, context=context)
    try:
        told = urlsplit(client["url"]).path if path is None else path
        connection.request("POST", f"{told}?timeout=1s", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(hook: Webhook, body: bytes) -> dict[str, object]:
    status, answer = post_to(hook, body)
    assert status == 200
    parsed: dict[str, object] = json.loads(answer)["response"]
    return parsed


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_a_sample_review_is_allowed_and_counted(stack: Stack, name: str) -> None:
    hook = stack.webhooks[1]
    label = f'outcome="{OUTCOMES[name]}"'
    before = metric_sum(hook.metrics(), "trellis_webhook_reviews_total", label)
    review = event(f"{name}.json")
    answer = post(hook, json.dumps(review).encode())
    assert answer["allowed"] is True
    assert answer["uid"] == review["request"]["uid"]
    assert metric_sum(hook.metrics(), "trellis_webhook_reviews_total", label) == before + 1


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"request": 7}', b'{"kind": "AdmissionReview", "request": {"uid": "u"}}'])
def test_nonsense_is_allowed_too(stack: Stack, body: bytes) -> None:
    assert post(stack.webhooks[1], body)["allowed"] is True


@pytest.mark.parametrize("path", ["/", "/validate", "/validate/0123456789abcdef0123456789abcdef"])
def test_who_does_not_know_the_path_is_not_heard(stack: Stack, path: str) -> None:
    hook = stack.webhooks[1]
    before = metric_sum(hook.metrics(), "trellis_webhook_reviews_total")
    review = json.dumps(event("admission-create-gateway.json")).encode()
    assert post_to(hook, review, path) == (404, b"")
    assert metric_sum(hook.metrics(), "trellis_webhook_reviews_total") == before
