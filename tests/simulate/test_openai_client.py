"""The real client, unmodified: what it accepts as Grok is what the sidecar's tests may rely on."""

import asyncio
import json

import openai
import pytest
from pydantic import BaseModel

from grokwarden_sidecar.simulate import Script, ScriptedToolCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = [{"role": "user", "content": "Good morning"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
            "required": ["city", "unit"],
        },
    },
}


async def test_chat(client):
    """The plainest call there is."""
    completion = await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    [choice] = completion.choices
    assert choice.message.content == "Hello from the simulated Grok. You wrote: Good morning"
    assert choice.message.reasoning_content == "The user wrote 2 words. I will answer as I always do."
    assert choice.finish_reason == "stop"
    assert completion.model == "grok-4.3"


async def test_chat_with_the_synchronous_client(grok, grok_key):
    """Half of all applications use this one."""

    def ask():
        with openai.OpenAI(base_url=grok.base_url, api_key=grok_key) as client:
            return client.chat.completions.create(model="grok-4.3", messages=HELLO)

    completion = await asyncio.to_thread(ask)

    assert completion.choices[0].message.content.endswith("Good morning")


async def test_usage_and_cost_are_exact(client):
    """Completion excludes reasoning, the total does not, and the cost is to the tick: budgets are tested on it."""
    usage = (await client.chat.completions.create(model="grok-4.3", messages=HELLO)).usage

    assert (usage.prompt_tokens, usage.completion_tokens) == (2, 9)
    assert usage.completion_tokens_details.reasoning_tokens == 12
    assert usage.total_tokens == 2 + 9 + 12
    assert usage.cost_in_usd_ticks == 2 * 12_500 + (9 + 12) * 25_000


async def test_long_context_doubles_the_price(client, grok):
    """From 200 000 prompt tokens on, which no test wants to send."""
    grok.next(
        Script.model_validate(
            {
                "usage": {
                    "prompt_tokens": 200_000,
                    "cached_tokens": 50_000,
                    "completion_tokens": 10,
                    "reasoning_tokens": 5,
                }
            }
        )
    )

    usage = (await client.chat.completions.create(model="grok-4.7", messages=HELLO)).usage

    assert usage.cost_in_usd_ticks == 2 * (150_000 * 20_000 + 50_000 * 5_000 + 15 * 60_000)
    assert usage.prompt_tokens_details.cached_tokens == 50_000


async def test_stream(client):
    """The pieces are the whole, and only the last chunk of the choice has a finish reason."""
    stream = await client.chat.completions.create(
        model="grok-4.3", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    *body, usage = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in body)
    assert text == "Hello from the simulated Grok. You wrote: Good morning"
    assert [chunk.choices[0].finish_reason for chunk in body if chunk.choices[0].finish_reason] == ["stop"]
    assert (usage.choices, usage.usage.total_tokens) == ([], 23)


async def test_stream_helper(client):
    """``.stream()`` accumulates chunks more strictly than the plain iteration does."""
    async with client.chat.completions.stream(model="grok-4.3", messages=HELLO) as stream:
        completion = await stream.get_final_completion()

    assert completion.choices[0].message.content.endswith("Good morning")


async def test_several_choices_on_a_stream(client):
    """Choices are interleaved, so that whoever scans them has to keep them apart."""
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, n=2, stream=True)
    texts, order = ["", ""], []
    async for chunk in stream:
        [choice] = chunk.choices
        texts[choice.index] += choice.delta.content or ""
        order.append(choice.index)

    assert texts[0].endswith("Good morning")
    assert texts[1] == texts[0] + " (choice 2)"
    assert order[:4] == [0, 1, 0, 1]


async def test_tools_round_trip(client):
    """The user names a function's subject, the model calls it, and the tool's answer ends the loop."""
    messages = [{"role": "user", "content": "What is the weather like?"}]
    asked = await client.chat.completions.create(model="grok-4.3", messages=messages, tools=[WEATHER])

    assert asked.choices[0].finish_reason == "tool_calls"
    [call] = asked.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris", "unit": "celsius"},
    )

    messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}]
    told = await client.chat.completions.create(model="grok-4.3", messages=messages, tools=[WEATHER])

    assert told.choices[0].message.content == "The tool answered: 18 degrees"


@pytest.mark.parametrize(
    ("text", "choice", "is_called"),
    [
        ("What is the weather?", "auto", True),
        ("Use a tool, please", "auto", True),
        ("Good morning", "auto", False),
        ("Good morning", "required", True),
        ("Good morning", {"type": "function", "function": {"name": "get_weather"}}, True),
        ("What is the weather?", "none", False),
    ],
)
async def test_when_a_tool_is_called(client, text, choice, is_called):
    """A rule that a test can know beforehand."""
    completion = await client.chat.completions.create(
        model="grok-4.3", messages=[{"role": "user", "content": text}], tools=[WEATHER], tool_choice=choice
    )

    assert bool(completion.choices[0].message.tool_calls) is is_called


async def test_a_streamed_tool_call_comes_in_one_chunk(client, grok):
    """That is what the provider does: whoever blocks tool calls has no second chance."""
    call = ScriptedToolCall(name="get_weather", arguments={"city": "Rome"})
    grok.next(Script(tool_calls=(call, call), chunk_chars=1))
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, tools=[WEATHER], stream=True)

    calls = [part async for chunk in stream for part in chunk.choices[0].delta.tool_calls or []]

    assert [part.index for part in calls] == [0, 1]
    assert {part.function.arguments for part in calls} == {'{"city":"Rome"}'}
    assert calls[0].id != calls[1].id


class Address(BaseModel):
    street: str
    number: int


class Person(BaseModel):
    name: str
    age: int
    email: str | None
    addresses: list[Address]
    friend: "Person | None"


async def test_parse_gives_a_typed_answer(client):
    """``.parse()`` sends a strict schema and validates what comes back; a recursive schema must end."""
    completion = await client.chat.completions.parse(model="grok-4.3", messages=HELLO, response_format=Person)

    person = completion.choices[0].message.parsed
    assert person.name == "Ada"
    assert person.addresses == [Address(street="sample street", number=1)]


async def test_json_object(client):
    """Free JSON is JSON."""
    completion = await client.chat.completions.create(
        model="grok-4.3", messages=HELLO, response_format={"type": "json_object"}
    )

    assert json.loads(completion.choices[0].message.content) == {"answer": "Good morning"}


async def test_the_token_limit_bounds_the_text_but_not_the_reasoning(client):
    """As the provider's documentation says, to the surprise of many."""
    completion = await client.chat.completions.create(model="grok-4.3", messages=HELLO, max_completion_tokens=2)

    assert completion.choices[0].message.content == "Hello from"
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens_details.reasoning_tokens == 12


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("grok-4.3-latest", "grok-4.3"),
        ("grok-3", "grok-4.3"),
        ("grok-4-fast-reasoning", "grok-4.3"),
        ("grok-code-fast-1", "grok-build-0.1"),
    ],
)
async def test_aliases_and_retired_names_are_answered_by_another_model(client, asked, served):
    """In silence, which is why a policy has to look at the answer too."""
    assert (await client.chat.completions.create(model=asked, messages=HELLO)).model == served


async def test_models(client):
    """The catalogue as the API shows it; an alias finds its model."""
    ids = [model.id async for model in client.models.list()]

    assert {"grok-4.3", "grok-4.7", "grok-imagine-image"} <= set(ids)
    assert "grok-3" not in ids
    assert (await client.models.retrieve("grok-4.5-latest")).id == "grok-4.5"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-5")


async def test_a_wrong_key_is_a_bad_request(grok):
    """Not a 401: xAI answers 400, with a native body that makes the client lose the code."""
    async with openai.AsyncOpenAI(base_url=grok.base_url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert caught.value.code is None
    assert caught.value.response.json()["code"] == "invalid-argument"
    assert "Incorrect API key" in caught.value.response.json()["error"]
    assert caught.value.request_id is None


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(status=429), openai.RateLimitError),
        (Script(status=503), openai.InternalServerError),
        (Script(safety=True), openai.PermissionDeniedError),
        (Script(status=422), openai.UnprocessableEntityError),
    ],
    ids=["429", "503", "safety", "422"],
)
async def test_faults_reach_the_client_as_its_typed_errors(client, grok, script, error):
    """Else a test of the sidecar would test the simulator's slips."""
    grok.next(script)

    with pytest.raises(error) as caught:
        await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert caught.value.request_id


async def test_an_unknown_model_is_not_found(client):
    """404 with the provider's own code."""
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="grok-99", messages=HELLO)

    assert caught.value.response.json()["code"] == "Some requested entity was not found"


async def test_live_search_is_gone(client):
    """410, and a body without a code."""
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(
            model="grok-4.3", messages=HELLO, extra_body={"search_parameters": {"mode": "auto"}}
        )

    assert caught.value.status_code == 410
    assert set(caught.value.response.json()) == {"error"}


async def test_a_cut_stream_is_a_connection_error(client, grok):
    """The client tells a cut from an end only by the transport."""
    grok.next(Script(cut_after=3))
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)

    seen = [await anext(stream) for _ in range(3)]

    assert len(seen) == 3
    with pytest.raises(openai.APIConnectionError):
        await anext(stream)


async def test_an_error_in_a_200_leaves_the_client_with_an_empty_stream(client, grok):
    """The trap that the sidecar has to turn into an error: no exception, no chunk."""
    grok.next(Script(ok_error=True))
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)

    assert [chunk async for chunk in stream] == []
