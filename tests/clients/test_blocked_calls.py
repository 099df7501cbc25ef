"""A block as the OpenAI SDK shows it: a typed error or a finish reason, told once, and never tried again."""

import asyncio

import openai
import pytest
from pydantic import BaseModel

from grokwarden_sidecar.simulate import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACK = [{"role": "user", "content": "Open sesame, please"}]
HELLO = [{"role": "user", "content": "Good morning"}]
BAD_ANSWER = Script(content="Some harmless words first, and then what is verboten.")
SAFETY_POLICY = {"name": "safety-filter", "pack": "shop/gateway", "step": "safety", "rule": "pattern-1"}
LONG = " ".join(["harmless"] * 200)


async def test_a_blocked_request_is_a_bad_request_with_everything_in_it(client, grok):
    """400 is what no client retries, and the error alone must say which rule of which pack it was."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="grok-4.3", messages=ATTACK)

    error = caught.value
    decision_id = error.body["policy"].pop("decision_id")
    assert (error.code, error.type, error.param) == ("content_filter", "invalid_request_error", "messages")
    assert error.body["policy"] == {
        "name": "prompt-injection",
        "pack": "shop/gateway",
        "step": "injection",
        "rule": "attack-pattern-1",
        "phase": "request",
    }
    assert len(decision_id) == 32
    assert error.request_id == decision_id
    assert error.response.headers["x-policy-rule"] == "prompt-injection/attack-pattern-1"
    assert grok.calls == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_blocked_request_is_told_the_same_way_to_the_synchronous_client(sync_client, grok, stream):
    """A stream that is refused before its first byte is an error and no stream."""

    def ask():
        sync_client.chat.completions.create(model="grok-4.3", messages=ATTACK, stream=stream)

    with pytest.raises(openai.BadRequestError) as caught:
        await asyncio.to_thread(ask)

    assert caught.value.code == "content_filter"
    assert grok.calls == []


async def test_a_blocked_request_is_sent_once(sidecar, client):
    """``x-should-retry: false``: each retry would be another line in the audit log, and another try of the attack."""
    before = len(sidecar.records)

    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="grok-4.3", messages=ATTACK)
    last = await sidecar.record_of(caught.value.response)

    assert last["action"] == "Block"
    blocked = [record for record in sidecar.records[before:] if record["action"] == "Block"]
    assert len(blocked) == 1


async def test_a_blocked_answer_is_a_refusal(client, grok):
    """The completion keeps its shape and its bill; the text is gone and the reason is there."""
    grok.next(BAD_ANSWER)

    completion = await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
    assert choice.message.refusal == ("Blocked by policy safety-filter (rule pattern-1). Contact: platform@example.com")
    policy = dict(completion.model_extra["policy"])
    assert policy.pop("decision_id")
    assert policy == SAFETY_POLICY | {"phase": "response"}
    assert completion.usage.cost_in_usd_ticks > 0
    assert "verboten" not in completion.model_dump_json()
    assert len(grok.calls) == 1


class Person(BaseModel):
    name: str


async def test_parse_raises_on_a_blocked_answer(client, grok):
    """An application that expects a typed answer must not take a refusal for one."""
    grok.next(BAD_ANSWER)

    with pytest.raises(openai.ContentFilterFinishReasonError):
        await client.chat.completions.parse(model="grok-4.3", messages=HELLO, response_format=Person)

    assert len(grok.calls) == 1


async def test_a_stream_that_turns_bad_ends_with_the_reason(client, grok):
    """The last chunk tells it; what came before was delivered, the rest never is."""
    grok.next(Script(content=f"{LONG} verboten {LONG}"))

    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    last = chunks[-1]
    assert last.choices[0].finish_reason == "content_filter"
    assert last.choices[0].delta.refusal.startswith("Blocked by policy safety-filter")
    policy = dict(last.model_extra["policy"])
    assert policy.pop("decision_id")
    assert policy == SAFETY_POLICY | {"phase": "response"}
    assert (last.id, last.model) == (chunks[0].id, chunks[0].model)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith("harmless harmless")
    assert text.count("harmless") < 300
    assert len(grok.calls) == 1


async def test_a_stream_that_turns_bad_at_its_end_keeps_its_usage(client, grok):
    """Where the provider has said all, its bill is passed on; the chunk that held the word is not."""
    grok.next(BAD_ANSWER)

    stream = await client.chat.completions.create(
        model="grok-4.3", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *_, last, usage = [chunk async for chunk in stream]

    assert last.choices[0].finish_reason == "content_filter"
    assert (usage.choices, usage.usage.prompt_tokens) == ([], 2)


async def test_a_stream_that_turns_bad_is_the_same_for_the_synchronous_client(sync_client, grok):
    """It reads ``[DONE]`` in other code."""
    grok.next(BAD_ANSWER)

    def read():
        return list(sync_client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True))

    chunks = await asyncio.to_thread(read)

    assert chunks[-1].choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("wanted", [openai.omit, Person], ids=["text", "typed"])
async def test_the_stream_helper_raises_on_a_blocked_answer(client, grok, wanted):
    """``.stream()`` makes a typed error of the finish reason, so that half an answer never becomes a value."""
    grok.next(Script(content='{"name": "verboten"}'))

    async with client.chat.completions.stream(model="grok-4.3", messages=HELLO, response_format=wanted) as stream:
        with pytest.raises(openai.ContentFilterFinishReasonError):
            await stream.get_final_completion()

    assert len(grok.calls) == 1


async def test_the_providers_own_verdict_is_told_once_and_by_name(client, grok):
    """XAI's safety 403 is neither a block of ours nor a missing permission, and asking again can't change it."""
    grok.next(Script(safety=True, times=5))

    with pytest.raises(openai.PermissionDeniedError) as caught:
        await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert caught.value.code == "provider_safety"
    assert "policy" not in caught.value.body
    assert len(grok.calls) == 1
