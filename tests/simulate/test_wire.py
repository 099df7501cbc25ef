"""The bytes: what stands on the wire is compared with what is known of the real API, field by field."""

import json

import pytest

from grokwarden_sidecar.simulate import Script, ScriptedToolCall, SimulatorSettings, create_app, simulator

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
HELLO = {"model": "grok-4.3", "messages": [{"role": "user", "content": "Hi"}]}

STREAM = """\
data: {"id":"ID","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm"}}],"system_fingerprint":"fp_5dcbcd9086","service_tier":"default"}

data: {"id":"ID","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":[{"index":0,"delta":{"content":"Well,"}}],"system_fingerprint":"fp_5dcbcd9086","service_tier":"default"}

data: {"id":"ID","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":[{"index":0,"delta":{"content":" yes"}}],"system_fingerprint":"fp_5dcbcd9086","service_tier":"default"}

data: {"id":"ID","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"system_fingerprint":"fp_5dcbcd9086","service_tier":"default"}

data: {"id":"ID","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":[],"system_fingerprint":"fp_5dcbcd9086","service_tier":"default","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":4,"prompt_tokens_details":{"text_tokens":1,"cached_tokens":0,"audio_tokens":0,"image_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0},"cost_in_usd_ticks":87500,"num_sources_used":0}}

data: [DONE]

"""  # noqa: E501 - an event is one line


async def test_a_stream_to_the_byte(grok, http):
    """Plain data lines; no finish reason before the last chunk; usage after it; then the end mark."""
    grok.next(Script(content="Well, yes", reasoning="Hm"))

    response = await http.post(CHAT, json=HELLO | {"stream": True, "stream_options": {"include_usage": True}})

    first = json.loads(response.text.split("\n", 1)[0].removeprefix("data: "))
    assert response.text == STREAM.replace("ID", first["id"])
    assert response.headers["content-type"] == "text/event-stream"


async def test_usage_is_streamed_only_if_asked_for(http):
    """The sidecar adds the wish and hides the chunk, so both forms must be true."""
    response = await http.post(CHAT, json=HELLO | {"stream": True})

    assert '"usage"' not in response.text
    assert response.text.endswith("data: [DONE]\n\n")


async def test_equal_requests_get_equal_bytes(http):
    """Only so can a test say that a proxy changed nothing."""
    first, second = [await http.post(CHAT, json=HELLO) for _ in range(2)]

    assert first.content == second.content
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert (await http.post(CHAT, json=HELLO | {"seed": 1})).json()["id"] != first.json()["id"]


async def test_headers_are_those_of_the_provider(http):
    """A proxy's allow-list is tested on them: some are to pass, the cookie is not."""
    headers = (await http.post(CHAT, json=HELLO)).headers

    for name in ("limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens"):
        assert headers[f"x-ratelimit-{name}"].isdecimal()
    for name in ("ttft-ms", "mean-itl-ms", "e2e-ms"):
        assert headers[f"x-metrics-{name}"].isdecimal()
    assert headers["x-zero-data-retention"] == "false"
    assert headers["set-cookie"].startswith("__cf_bm=")
    assert headers["traceparent"].startswith("00-")


@pytest.mark.parametrize(
    ("request_line", "body", "status", "code"),
    [
        (f"POST {CHAT}", '{"model": "grok-4.3"}', 422, "invalid-argument"),
        (f"POST {CHAT}", '{"messages": [{"role": "user", "content": "x"}]}', 422, "invalid-argument"),
        (f"POST {CHAT}", '{"model": "grok-4.3", "messages": []}', 422, "invalid-argument"),
        (f"POST {CHAT}", '{"model": "grok-4.3", "messages": [{"role": 1}]}', 422, "invalid-argument"),
        (f"POST {CHAT}", '{"model": ', 400, "invalid-argument"),
        (f"POST {CHAT}", "", 400, "invalid-argument"),
        (f"GET {CHAT}", "", 404, "Some requested entity was not found"),
        ("POST /v1/responses", "{}", 404, "Some requested entity was not found"),
        ("GET /v1/nothing", "", 404, "Some requested entity was not found"),
        ("GET /elsewhere", "", 404, "Some requested entity was not found"),
    ],
)
async def test_native_errors(http, request_line, body, status, code):
    """``code`` beside a text ``error``, never an object: that is what makes clients lose the code."""
    response = await http.request(*request_line.split(), content=body)

    assert response.status_code == status
    assert response.json()["code"] == code
    assert isinstance(response.json()["error"], str)


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer"])
async def test_no_key_is_a_wrong_key(http, authorization):
    """Also where any key is accepted: a proxy that sends none must not get an answer."""
    async with simulator(SimulatorSettings(key=None)) as lenient:
        response = await http.post(lenient.url + CHAT, json=HELLO, headers={"authorization": authorization})
        accepted = await http.post(lenient.url + CHAT, json=HELLO, headers={"authorization": "Bearer anything"})

    assert (response.status_code, response.json()["code"]) == (400, "invalid-argument")
    assert accepted.status_code == 200


async def test_a_non_reasoning_model_gives_no_reasoning(http):
    """A null or empty ``reasoning_content`` would be another shape than the provider's."""
    body = (await http.post(CHAT, json=HELLO | {"model": "grok-4.20-non-reasoning"})).json()

    assert "reasoning_content" not in body["choices"][0]["message"]
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


async def test_content_parts_and_unknown_fields_are_taken(http):
    """Applications send both."""
    parts = [{"type": "text", "text": "One"}, {"type": "image_url", "image_url": {"url": "data:,"}}]

    body = (await http.post(CHAT, json=HELLO | {"messages": [{"role": "user", "content": parts}], "new": 1})).json()

    assert body["choices"][0]["message"]["content"].endswith("One")


async def test_a_tool_call_that_is_not_streamed_has_no_index(grok, http):
    """The index belongs to deltas."""
    grok.next(Script(tool_calls=(ScriptedToolCall(name="f", arguments="{broken"),)))

    [call] = (await http.post(CHAT, json=HELLO)).json()["choices"][0]["message"]["tool_calls"]

    assert call == {"id": call["id"], "function": {"name": "f", "arguments": "{broken"}, "type": "function"}


async def test_the_application_can_be_served_by_any_server():
    """For who wants to run it elsewhere; two applications share nothing."""
    assert create_app() is not create_app(SimulatorSettings(key="k"))
