"""Which headers cross the sidecar, in both directions, on every kind of call."""

import pytest

from answers import DONE, answer, chunk
from raw_client import request_bytes, send_bytes
from sidecar import CLIENT_KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}]}'
STREAMED = BODY[:-1] + b',"stream":true}'
SECRETS = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "x-api-key": "client-secret-1",
    "api-key": "client-secret-2",
    "cookie": "session=client-secret-3",
    "proxy-authorization": "Basic client-secret-4",
    "x-policy-decision": "allow",
    "x-policy-rule": "none",
    "x-forwarded-for": "10.1.2.3",
    "x-tenant": "client-secret-5",
    "accept-encoding": "gzip, br",
    "te": "trailers",
    "x-should-retry": "true",
}
WANTED = {
    "user-agent": "OpenAI/Python 3.54.0",
    "x-client-request-id": "mine-1",
    "x-grok-conv-id": "talk-1",
    "idempotency-key": "once",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "xai-sdk-version": "python/1.21.0",
}
FROM_PROVIDER = {
    "set-cookie": "__cf_bm=provider-secret; path=/",
    "server": "cloudflare",
    "cf-ray": "provider-secret",
    "alt-svc": 'h3=":443"',
    "x-policy-decision": "allow",
    "x-internal": "provider-secret",
    "x-ratelimit-limit-requests": "480",
    "x-zero-data-retention": "true",
    "x-metrics-ttft-ms": "12",
}
KINDS = pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", BODY),
        ("POST", "/v1/chat/completions", STREAMED),
        ("GET", "/v1/models", b""),
    ],
    ids=["whole", "stream", "models"],
)


def script(grok, body, headers=None):
    if body == STREAMED:
        grok.stream([chunk("Hi"), chunk(finish="stop"), DONE], headers=headers)
    else:
        grok.reply(json=answer(), headers=headers)


@KINDS
async def test_a_clients_secrets_never_leave(sidecar, grok, method, path, body):
    """What is not on the list stays here, whatever its name."""
    script(grok, body)

    response = await send_bytes(sidecar.port, request_bytes(method, path, body=body, headers=SECRETS))

    [request] = grok.requests
    head = request.head.decode()
    assert response.status == 200
    assert "client-secret" not in head
    assert CLIENT_KEY not in head
    assert not {"cookie", "x-api-key", "x-policy-decision", "x-forwarded-for", "te", "x-should-retry"} & {
        name for name, _ in request.headers
    }


@KINDS
async def test_the_target_is_addressed_as_itself(sidecar, grok, method, path, body):
    """Its own host, its own key, and no compression, for what is compressed can't be read."""
    script(grok, body)

    await send_bytes(sidecar.port, request_bytes(method, path, body=body, headers=SECRETS))

    [request] = grok.requests
    assert [value for name, value in request.headers if name == "authorization"] == ["Bearer target-key"]
    assert request.header("host") == f"127.0.0.1:{grok.port}"
    assert request.header("accept-encoding") == "identity"


@KINDS
async def test_what_the_provider_needs_to_know_leaves(sidecar, grok, method, path, body):
    """Cache routing, traces and support cases hang on these."""
    script(grok, body)

    await send_bytes(sidecar.port, request_bytes(method, path, body=body, headers=WANTED))

    assert {name: grok.requests[0].header(name) for name in WANTED} == WANTED


@KINDS
async def test_only_what_is_listed_comes_back(sidecar, grok, method, path, body):
    """A provider's cookie in an application's jar would come back as its identity."""
    script(grok, body, FROM_PROVIDER | {"x-request-id": "theirs-1"})

    response = await send_bytes(sidecar.port, request_bytes(method, path, body=body))

    headers = dict(response.headers)
    assert "provider-secret" not in str(headers)
    assert not {"set-cookie", "server", "alt-svc", "x-policy-decision", "x-internal"} & headers.keys()
    assert headers["x-ratelimit-limit-requests"] == "480"
    assert headers["x-zero-data-retention"] == "true"
    assert headers["x-metrics-ttft-ms"] == "12"
    assert headers["x-request-id"] == "theirs-1"


async def test_an_errors_headers_are_chosen_too(sidecar, grok):
    """A provider's error has cookies of its own, and a ``retry-after`` that the client needs."""
    grok.reply(
        status=429,
        json={"code": "resource-exhausted", "error": "Too many requests."},
        headers=FROM_PROVIDER | {"retry-after": "3", "x-request-id": "theirs-2"},
    )

    response = await send_bytes(sidecar.port, request_bytes("POST", "/v1/chat/completions", body=BODY))

    headers = dict(response.headers)
    assert response.status == 429
    assert "provider-secret" not in str(headers)
    assert (headers["retry-after"], headers["x-request-id"]) == ("3", "theirs-2")
    assert response.json()["error"] == {
        "message": "Too many requests.",
        "type": "invalid_request_error",
        "param": None,
        "code": "resource-exhausted",
    }


@KINDS
async def test_a_request_id_is_ours_where_the_provider_gave_none(sidecar, grok, method, path, body):
    """XAI leaves it out of some answers; whoever asks for support needs one, and it is the record's."""
    script(grok, body)

    response = await send_bytes(sidecar.port, request_bytes(method, path, body=body))

    request_id = response.header("x-request-id")
    assert len(request_id) == 32
    assert [name for name, _ in response.headers].count("x-request-id") == 1


async def test_the_record_has_the_request_id_that_the_client_has(sidecar, grok):
    """It is what a person with an error message can give to whoever reads the audit log."""
    grok.reply(json=answer(), headers={"x-request-id": "theirs-3"})

    record = await sidecar.record_of(await sidecar.chat())

    assert record["request_id"] == "theirs-3"
    assert record["decision_id"] != "theirs-3"


@pytest.mark.parametrize(
    "value",
    ["a\x01b", "caf\xe9", "x" * 5000],
    ids=["control character", "not ASCII", "long"],
)
async def test_an_odd_value_breaks_nothing(sidecar, grok, value):
    """A header is bytes from a stranger, and the next hop is stricter than this one may be."""
    grok.reply(json=answer())
    raw = request_bytes("POST", "/v1/chat/completions", body=BODY)
    raw = raw.replace(b"\r\n", b"\r\nuser-agent: " + value.encode("latin-1") + b"\r\n", 1)

    response = await send_bytes(sidecar.port, raw)

    assert response.status in {200, 400}
    assert all("\x01" not in request.head.decode("latin-1") for request in grok.requests)
