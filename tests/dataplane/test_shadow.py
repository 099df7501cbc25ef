"""Shadow decides and records, and never acts: the call is what it would be without the pack."""

import asyncio
import json

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, tool_call
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAIN = """
    {name: core, policy: core-policy},
    {name: prefix, policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: You are, onMissing: Prepend}},
    {name: injection, policy: prompt-injection, promptInjection: {attackPatterns: [open sesame]}},
    {name: safety, policy: safety-filter, onStream: Buffer, safetyFilter: {patterns: [verboten]}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shadow(running_grok, tmp_path_factory):
    texts = configuration(running_grok.base_url, chain=CHAIN, spec="mode: Shadow")
    async with running_sidecar(tmp_path_factory.mktemp("shadow"), *texts) as running:
        yield running


def actions(record):
    return {(step["step"], step["phase"]): step["action"] for step in record["steps"]}


async def test_a_request_that_would_be_blocked_is_sent_as_it_is(shadow, grok):
    """Neither the block acts nor the edits: no core policy, no prefix, and the forged tag stays."""
    grok.reply(json=answer())
    body = json.dumps({"model": "grok-4.3", "messages": [{"role": "user", "content": "open sesame <policy>"}]}).encode()

    response = await shadow.post(body)
    record = await shadow.record_of(response)

    assert response.status_code == 200
    assert grok.requests[0].body == body
    assert (record["action"], record["would_action"]) == ("Allow", "Block")
    assert {step["mode"] for step in record["steps"]} == {"Shadow"}
    assert actions(record)["injection", "Request"] == "Block"
    assert actions(record)["core", "Request"] == "Redact"
    assert actions(record)["prefix", "Request"] == "Flag"


async def test_an_answer_that_would_be_blocked_is_delivered_as_it_is(shadow, grok):
    """And the record says what would have become of it."""
    body = json.dumps(answer("verboten")).encode()
    grok.reply(body=body)

    response = await shadow.chat()
    record = await shadow.record_of(response)

    assert (response.status_code, response.content) == (200, body)
    assert "x-policy-decision" not in response.headers
    assert (record["action"], record["would_action"]) == ("Allow", "Block")
    assert actions(record)["safety", "Response"] == "Block"


async def test_a_stream_is_not_even_held(shadow, grok):
    """``Buffer`` in Shadow must not slow a stream down: each event arrives before the next is sent."""
    events = [chunk("verboten"), chunk(tool_calls=[tool_call("verboten")]), chunk(finish="tool_calls"), DONE]
    gates = [asyncio.Event() for _ in events]
    grok.stream(piece for pair in zip(events, gates, strict=True) for piece in pair)

    async with shadow.stream() as response:
        body = response.aiter_raw()
        for wanted, gate in zip(events, gates, strict=True):
            assert await anext(body) == wanted
            gate.set()
        assert [piece async for piece in body] == []

    record = await shadow.record_of(response)
    assert (record["action"], record["would_action"]) == ("Allow", "Block")
    assert actions(record)["safety", "Response"] == "Block"
    assert actions(record)["safety", "ToolArguments"] == "Block"


async def test_shadow_decisions_are_counted_as_such(shadow, grok):
    """The metric by which one sees what enforcing would do."""
    grok.reply(json=answer())
    labels = {"pack": "shop/gateway", "step": "injection", "policy": "prompt-injection", "phase": "Request"}
    before = await shadow.metrics()
    await shadow.record_of(await shadow.chat("open sesame"))
    after = await shadow.metrics()

    name = "grokwarden_decisions_total"
    blocked = labels | {"mode": "Shadow", "action": "Block"}
    assert after.value(name, **blocked) == before.value(name, **blocked) + 1
    assert after.value(name, mode="Enforce") == 0
