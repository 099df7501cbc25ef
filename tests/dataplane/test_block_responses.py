"""A block on the wire, byte for byte: clients read these shapes, and each of their SDKs reads another part of them."""

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, usage_event
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAFETY = "{name: safety, policy: safety-filter, safetyFilter: {patterns: [verboten]}}"
POLICY = (
    b'"policy":{"name":"safety-filter","pack":"shop/gateway","step":"safety","rule":"pattern-1","phase":"%s",'
    b'"decision_id":"%s"}'
)
POLICY_HEADERS = {
    "x-should-retry": "false",
    "x-policy-decision": "block",
    "x-policy-rule": "safety-filter/pattern-1",
}


async def decision_of(sidecar, response):
    return (await sidecar.record_of(response))["decision_id"].encode()


def policy_headers(response):
    return {name: response.headers.get(name) for name in POLICY_HEADERS}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_to_the_byte(sidecar, grok, stream):
    """The default: HTTP 400 before any byte of a stream, with the words that litellm looks for in it."""
    response = await sidecar.chat("verboten", stream=stream)
    decision_id = await decision_of(sidecar, response)

    assert response.status_code == 400
    assert response.content == (
        b'{"error":{"message":"Blocked by policy safety-filter (rule pattern-1).","type":"invalid_request_error",'
        b'"param":"messages","code":"content_filter","innererror":{"code":"content_policy_violation",'
        b'"content_filter_result":{}},' + POLICY % (b"request", decision_id) + b"}}"
    )
    assert policy_headers(response) == POLICY_HEADERS
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["x-request-id"]
    assert grok.requests == []


async def test_a_blocked_answer_to_the_byte(sidecar, grok):
    """The provider's id, model, time and usage stay; every choice becomes a refusal."""
    grok.reply(json=answer("verboten"), headers={"x-request-id": "theirs-4"})

    response = await sidecar.chat()
    decision_id = await decision_of(sidecar, response)

    assert response.status_code == 200
    assert response.content == (
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"grok-4.3","choices":['
        b'{"index":0,"message":{"role":"assistant","content":null,'
        b'"refusal":"Blocked by policy safety-filter (rule pattern-1)."},"finish_reason":"content_filter"}],'
        b'"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"cost_in_usd_ticks":212500},'
        + POLICY % (b"response", decision_id)
        + b"}"
    )
    assert policy_headers(response) == POLICY_HEADERS
    assert response.headers["x-request-id"] == "theirs-4"


async def test_every_choice_of_a_blocked_answer_is_a_refusal(sidecar, grok):
    """A client that asked for two reads two."""
    body = answer("fine")
    body["choices"].append(
        {"index": 1, "message": {"role": "assistant", "content": "verboten"}, "finish_reason": "stop"}
    )
    grok.reply(json=body)

    choices = (await sidecar.chat(n=2)).json()["choices"]

    assert [(choice["index"], choice["finish_reason"]) for choice in choices] == [
        (0, "content_filter"),
        (1, "content_filter"),
    ]
    assert [choice["message"]["content"] for choice in choices] == [None, None]


async def test_a_cut_stream_to_the_byte(sidecar, grok):
    """A last chunk with the reason, the usage, and the end."""
    passed = chunk("verboten")
    grok.stream([passed, chunk(finish="stop"), usage_event(), DONE])

    async with sidecar.stream() as response:
        body = await response.aread()
    decision_id = await decision_of(sidecar, response)

    head = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"grok-4.3","choices":['
    )
    assert body == passed + (
        head + b'{"index":0,"delta":{"refusal":"Blocked by policy safety-filter (rule pattern-1)."},'
        b'"finish_reason":"content_filter"}],' + POLICY % (b"response", decision_id) + b"}\n\n" + head + b'],"usage":'
        b'{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"cost_in_usd_ticks":212500}}\n\n' + DONE
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def refusing_sidecar(running_grok, tmp_path_factory):
    response = "blockResponse: {style: Refusal, message: 'Not here.', contact: help@example.com}"
    texts = configuration(running_grok.base_url, chain=SAFETY, spec=response)
    async with running_sidecar(tmp_path_factory.mktemp("refusing"), *texts) as running:
        yield running


async def test_a_refusal_to_the_byte(refusing_sidecar, grok):
    """For applications that show what the model says and have no place for an error."""
    response = await refusing_sidecar.chat("verboten", n=2)
    decision_id = await decision_of(refusing_sidecar, response)

    created = str(response.json()["created"]).encode()
    message = b'"message":{"role":"assistant","content":null,"refusal":"Not here. Contact: help@example.com"}'
    assert response.status_code == 200
    assert response.content == (
        b'{"id":"chatcmpl-%s","object":"chat.completion","created":%s,"model":"grok-4.3","choices":['
        b'{"index":0,%s,"finish_reason":"content_filter"},{"index":1,%s,"finish_reason":"content_filter"}],'
        b'"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0},'
        % (decision_id, created, message, message)
        + POLICY % (b"request", decision_id)
        + b"}"
    )
    assert policy_headers(response) == POLICY_HEADERS
    assert grok.requests == []


async def test_a_streamed_refusal_to_the_byte(refusing_sidecar, grok):
    """Who asked for a stream gets one, of a chunk and its end."""
    response = await refusing_sidecar.chat("verboten", stream=True)
    decision_id = await decision_of(refusing_sidecar, response)

    created = response.content.partition(b'"created":')[2].partition(b",")[0]
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert policy_headers(response) == POLICY_HEADERS
    assert response.content == (
        b'data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":%s,"model":"grok-4.3","choices":['
        b'{"index":0,"delta":{"refusal":"Not here. Contact: help@example.com"},"finish_reason":"content_filter"}],'
        % (decision_id, created)
        + POLICY % (b"request", decision_id)
        + b"}\n\n"
        + DONE
    )
    assert grok.requests == []


async def test_the_packs_own_words_are_in_a_blocked_answer_too(refusing_sidecar, grok):
    """One voice, whichever half of the call was at fault."""
    grok.reply(json=answer("verboten"))

    message = (await refusing_sidecar.chat()).json()["choices"][0]["message"]

    assert message["refusal"] == "Not here. Contact: help@example.com"
