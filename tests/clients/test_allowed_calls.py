"""Whatever an application does with the OpenAI SDK and a Grok, it does through the sidecar with the same result."""

import asyncio
import json

import httpx
import openai
import pytest
from pydantic import BaseModel

from eventually import eventually
from grokwarden_sidecar.simulate import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")

HELLO = [{"role": "user", "content": "Good morning"}]
ANSWER = "Hello from the simulated Grok. You wrote: Good morning"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


async def test_chat(client):
    """The plainest call, with the provider's own extras in it."""
    completion = await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == (ANSWER, "stop")
    assert choice.message.reasoning_content
    assert completion.usage.cost_in_usd_ticks > 0
    assert completion._request_id


async def test_chat_with_the_synchronous_client(sync_client):
    """Half of all applications use this one."""
    completion = await asyncio.to_thread(sync_client.chat.completions.create, model="grok-4.3", messages=HELLO)

    assert completion.choices[0].message.content == ANSWER


async def test_stream(client):
    """The pieces are the whole, usage included where it was asked for."""
    stream = await client.chat.completions.create(
        model="grok-4.3", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *body, last = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in body) == ANSWER
    assert body[-1].choices[0].finish_reason == "stop"
    assert (last.choices, last.usage.prompt_tokens) == ([], 2)


async def test_stream_with_the_synchronous_client(sync_client):
    """The synchronous client reads the socket in its own way."""

    def read():
        stream = sync_client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    assert await asyncio.to_thread(read) == ANSWER


async def test_stream_helper(client):
    """``.stream()`` accumulates chunks more strictly than the plain iteration does."""
    async with client.chat.completions.stream(model="grok-4.3", messages=HELLO) as stream:
        completion = await stream.get_final_completion()

    assert completion.choices[0].message.content == ANSWER


async def test_several_choices_on_a_stream(client):
    """Choices are interleaved on the wire and must stay apart."""
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, n=2, stream=True)
    texts = ["", ""]
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""

    assert texts == [ANSWER, f"{ANSWER} (choice 2)"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_tools_round_trip(client, stream):
    """A call of a tool, its result, and the answer to that: every message of it passes the policies."""
    messages = [{"role": "user", "content": "What is the weather like?"}]
    asked = await client.chat.completions.create(model="grok-4.3", messages=messages, tools=[WEATHER], stream=stream)
    if stream:
        [call] = [part async for chunk in asked for c in chunk.choices for part in c.delta.tool_calls or []]
    else:
        [call] = asked.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    function = {"name": call.function.name, "arguments": call.function.arguments}
    messages += [
        {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"},
    ]
    told = await client.chat.completions.create(model="grok-4.3", messages=messages, tools=[WEATHER])

    assert told.choices[0].message.content == "The tool answered: 18 degrees"


class Person(BaseModel):
    name: str
    age: int


async def test_parse_gives_a_typed_answer(client):
    """``.parse()`` sends a strict schema, which is swept for texts and must arrive whole."""
    completion = await client.chat.completions.parse(model="grok-4.3", messages=HELLO, response_format=Person)

    assert completion.choices[0].message.parsed.name == "Ada"


async def test_models_are_listed_and_retrieved(client):
    """Applications ask which models there are before they ask one."""
    ids = [model.id async for model in client.models.list()]

    assert {"grok-4.3", "grok-4.7"} <= set(ids)
    assert (await client.models.retrieve("grok-4.3")).id == "grok-4.3"


async def test_an_unknown_model_is_not_found(client):
    """The provider's 404 keeps its type, and gets the code that its native shape hides from the SDK."""
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="grok-99", messages=HELLO)

    assert caught.value.code == "Some requested entity was not found"


async def test_a_base_url_with_v1_twice_is_understood(sidecar, client):
    """Clients that append ``/v1`` themselves, such as litellm's listing of models, are told so by their environment."""
    async with client.with_options(base_url=f"{sidecar.base_url}/v1") as doubled:
        completion = await doubled.chat.completions.create(model="grok-4.3", messages=HELLO)

        assert completion.choices[0].message.content == ANSWER
        assert (await doubled.models.retrieve("grok-4.3")).id == "grok-4.3"


@pytest.mark.parametrize("kind", ["whole", "stream", "models"])
async def test_the_provider_sees_the_targets_key_and_never_the_clients(client, grok, kind):
    """The key is the control: an application that knew it, or could choose it, would need no proxy."""
    if kind == "models":
        await client.models.retrieve("grok-4.3")
    else:
        answer = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=kind == "stream")
        if kind == "stream":
            assert [chunk async for chunk in answer]

    [call] = grok.calls
    assert ("authorization", "Bearer xai-key-of-the-target") in call.headers
    assert "client-key-that-goes-nowhere" not in call.model_dump_json()


async def test_a_client_that_stops_reading_ends_the_call_at_the_provider(client, grok):
    """Else every abandoned answer is paid for to its end."""
    grok.next(Script(chunk_delay_ms=200, chunk_chars=1))
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)
    await anext(stream)
    await stream.close()

    await eventually(lambda: grok.calls[0].state == "Abandoned", state=lambda: grok.calls)


async def test_the_clients_own_timeout_ends_the_call_at_the_provider(client, grok):
    """A client that gives up before the first byte leaves nothing behind either."""
    grok.next(Script(delay_ms=20_000))

    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.3, max_retries=0).chat.completions.create(model="grok-4.3", messages=HELLO)

    await eventually(lambda: grok.calls[0].state == "Abandoned", state=lambda: grok.calls)


async def test_the_answer_is_the_providers_to_the_byte(sidecar, grok):
    """Nothing that the sidecar knows of answers may show in one that nobody objects to."""
    body = json.dumps({"model": "grok-4.3", "messages": HELLO}).encode()
    through = await sidecar.post(body)
    async with httpx.AsyncClient() as direct:
        headers = {"authorization": "Bearer xai-key-of-the-target"}
        straight = await direct.post(f"{grok.base_url}/chat/completions", content=body, headers=headers)

    assert through.content == straight.content
