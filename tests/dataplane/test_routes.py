"""Only what is governed is served: every other route, method and spelling is refused, named and counted."""

import pytest
import pytest_asyncio

from answers import answer
from fake_grok import CUT
from raw_client import request_bytes, send_bytes
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}]}'
UNKNOWN = [
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/files"),
    ("GET", "/v1/api-key"),
    ("POST", "/v1/batches"),
    ("POST", "/v1/realtime/client_secrets"),
    ("GET", "/v1/chat/deferred-completion/1"),
    ("GET", "/"),
    ("GET", "/v1"),
    ("GET", "/metrics"),
    ("GET", "/config"),
]
TRICKS = [
    "/v1//chat/completions",
    "//v1/chat/completions",
    "/v1/chat//completions",
    "/v1/chat/completions/",
    "/v1/chat/completions/..",
    "/v1/./chat/completions",
    "/v1/models/../chat/completions",
    "/v1/%63hat/completions",
    "/v1/chat%2fcompletions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%20",
    "/v1/chat/completions;a=b",
    "/v1/Chat/Completions",
    "/V1/chat/completions",
    "/v1/v1/v1/chat/completions",
    "/v1/v1",
    "/v1\\chat\\completions",
    "/v2/../v1/chat/completions",
]
MODEL_TRICKS = [
    "/v1/models/",
    "/v1/models/..",
    "/v1/models/../api-key",
    "/v1/models/%2e%2e",
    "/v1/models/%2e%2e%2fapi-key",
    "/v1/models/a/b",
    "/v1/models/a%2fb",
    "/v1/models/.",
    "/v1/models/a%3Fb",
    "/v1/models//",
    f"/v1/models/{'x' * 129}",
]


@pytest.mark.parametrize(("method", "path"), UNKNOWN, ids=[path for _, path in UNKNOWN])
async def test_a_route_that_is_not_governed_is_refused_by_name(sidecar, grok, method, path):
    """An endpoint that the provider has and no policy reads would be the way around all of them."""
    response = await send_bytes(sidecar.port, request_bytes(method, path, body=BODY))

    error = response.json()["error"]
    assert (response.status, error["code"], error["type"]) == (404, "unknown_endpoint", "invalid_request_error")
    assert f"{method} {path}" in error["message"]
    assert response.header("x-request-id")
    assert grok.requests == []


@pytest.mark.parametrize("path", TRICKS)
async def test_no_other_spelling_of_the_chat_route_is_served(sidecar, grok, path):
    """A path that the check and the provider read differently would be checked as one thing and served as another."""
    response = await send_bytes(sidecar.port, request_bytes("POST", path, body=BODY))

    assert (response.status, response.json()["error"]["code"]) == (404, "unknown_endpoint")
    assert grok.requests == []


@pytest.mark.parametrize("path", MODEL_TRICKS)
async def test_a_models_name_leads_to_no_other_route(sidecar, grok, path):
    """The name goes into the upstream's path as it is."""
    response = await send_bytes(sidecar.port, request_bytes("GET", path))

    assert (response.status, response.json()["error"]["code"]) == (404, "unknown_endpoint")
    assert grok.requests == []


async def test_unknown_routes_are_counted_and_recorded_without_their_names(sidecar):
    """A path is the client's text: it belongs in no label, and a route that is tried must be seen."""
    before = await sidecar.metrics()
    response = await sidecar.http.post(f"{sidecar.base_url}/some-new-route", content=BODY)
    record = await sidecar.record_of(response)
    after = await sidecar.metrics()

    refused = "grokwarden_requests_refused_total"
    assert after.value(refused, reason="unknown_endpoint") == before.value(refused, reason="unknown_endpoint") + 1
    assert (record["endpoint"], record["status"]) == ("Unknown", 404)
    assert "some-new-route" not in after.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/v1/chat/completions"])
async def test_v1_twice_is_the_same_route(sidecar, grok, path):
    """Clients that append it to a base URL which has it already are common; upstream it stands once."""
    grok.reply(json=answer())

    response = await send_bytes(sidecar.port, request_bytes("POST", path, body=BODY))

    assert response.status == 200
    assert grok.requests[0].target == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/chat/completions?api_key=secret&x=1"), ("GET", "/v1/models?key=secret"), ("GET", "/v1/models/a?b")],
)
async def test_a_query_never_leaves(sidecar, grok, method, path):
    """It is read by nobody here, and keys are written into queries."""
    grok.reply(json=answer())

    response = await send_bytes(sidecar.port, request_bytes(method, path, body=BODY if method == "POST" else b""))

    assert response.status == 200
    assert "?" not in grok.requests[0].target


async def test_an_absolute_target_leads_to_no_other_host(sidecar, grok):
    """A proxy's form of a request names a host; ours is the target's alone."""
    grok.reply(json=answer())

    response = await send_bytes(
        sidecar.port, request_bytes("POST", "http://elsewhere.test/v1/chat/completions", body=BODY)
    )

    assert response.status == 200
    assert grok.requests[0].header("host") == f"127.0.0.1:{grok.port}"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "QUERY"])
async def test_another_method_on_the_chat_route_is_refused(sidecar, grok, method):
    """Whatever the provider would make of it, nobody here has read it."""
    response = await send_bytes(sidecar.port, request_bytes(method, "/v1/chat/completions"))

    assert (response.status, response.header("allow")) == (405, "POST")
    assert grok.requests == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/grok-4.3"])
async def test_models_are_only_read(sidecar, grok, path):
    """The catalogue has no other use."""
    response = await send_bytes(sidecar.port, request_bytes("POST", path, body=BODY))

    assert (response.status, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert response.header("allow") == "GET"
    assert grok.requests == []


async def test_models_pass_byte_for_byte(sidecar, grok):
    """Catalogue data is nobody's text."""
    body = b'{ "object":"list","data":[{"id":"grok-4.3","created":1.0e0}]}\n'
    grok.reply(body=body, headers={"x-request-id": "req-7"})

    response = await sidecar.http.get(f"{sidecar.base_url}/models")

    assert (response.content, response.headers["x-request-id"]) == (body, "req-7")
    assert (grok.requests[0].method, grok.requests[0].target, grok.requests[0].body) == ("GET", "/v1/models", b"")


async def test_a_models_answer_that_breaks_off_is_an_error(sidecar, grok):
    """Half a list would be a list without the models that the application looks for."""
    grok.raw(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"data":[', CUT)

    response = await sidecar.http.get(f"{sidecar.base_url}/models")

    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_unavailable"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chat_only_sidecar(running_grok, tmp_path_factory):
    texts = configuration(running_grok.base_url, spec="endpoints: {allow: [ChatCompletions]}")
    async with running_sidecar(tmp_path_factory.mktemp("chat-only"), *texts) as running:
        yield running


async def test_an_endpoint_that_the_pack_leaves_out_is_refused(chat_only_sidecar, grok):
    """It is known and governed, but not for these applications; the error names the pack."""
    grok.reply(json=answer())

    models = await chat_only_sidecar.http.get(f"{chat_only_sidecar.base_url}/models")
    chat = await chat_only_sidecar.chat()

    assert (models.status_code, models.json()["error"]["code"]) == (403, "endpoint_not_allowed")
    assert "shop/gateway" in models.json()["error"]["message"]
    assert chat.status_code == 200
