"""What a step that reads answers does to a stream: cut it, hold it, refuse it; and what the client gets instead."""

import asyncio
import json

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, event, read_events, text_of, tool_call, usage_event
from eventually import eventually
from fake_grok import CUT, HANG, RESET
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

FINE = "harmless words " * 60
STEP = "{{name: safety, policy: safety-filter, onStream: {}, safetyFilter: {{patterns: [verboten]}}}}"


def policy_of(event):
    policy = dict(event["policy"])
    assert policy.pop("decision_id")
    return policy


async def streamed(sidecar, **fields):
    """The events of a streamed answer, which ended as HTTP demands."""
    async with sidecar.stream(**fields) as response:
        return read_events(await response.aread())


async def test_a_stream_is_cut_at_the_window_that_decides(sidecar, grok):
    """The window is full before the provider is done: it is told to stop there, and nothing behind it is delivered."""
    grok.stream([chunk(FINE), chunk("verboten " + FINE), chunk("and the secret behind it"), HANG])

    events = await streamed(sidecar)

    *passed, last, done = events
    assert text_of(passed) == FINE
    assert last["choices"] == [
        {
            "index": 0,
            "delta": {"refusal": "Blocked by policy safety-filter (rule pattern-1)."},
            "finish_reason": "content_filter",
        }
    ]
    assert (last["id"], last["model"], last["object"]) == ("chatcmpl-1", "grok-4.3", "chat.completion.chunk")
    assert policy_of(last) == {
        "name": "safety-filter",
        "pack": "shop/gateway",
        "step": "safety",
        "rule": "pattern-1",
        "phase": "response",
    }
    assert done == "[DONE]"
    await eventually(lambda: grok.abandoned == 1)


async def test_the_last_words_are_judged_before_the_end_is_told(sidecar, grok):
    """A short answer fills no window: its chunk passes, but it never ends as if all were well."""
    grok.stream([chunk("verboten"), chunk(finish="stop"), usage_event(), DONE])

    events = await streamed(sidecar)

    assert [e["choices"][0]["finish_reason"] for e in events[:-1] if e["choices"]] == [None, "content_filter"]
    assert events[-2]["usage"]["total_tokens"] == 12
    assert events[-1] == "[DONE]"


async def test_a_cut_is_recorded_with_what_it_cost(sidecar, grok):
    """The block is in the record, the bill too, and the status is the one that the client saw."""
    grok.stream([chunk("verboten"), chunk(finish="stop"), usage_event(), DONE], headers={"x-request-id": "cut-1"})
    async with sidecar.stream() as response:
        await response.aread()

    record = await sidecar.record_of(response)

    assert (record["action"], record["status"], record["stream"]) == ("Block", 200, True)
    assert (record["cost_usd_ticks"], record["tokens"]["total"]) == (212500, 12)
    [step] = [step for step in record["steps"] if step["phase"] == "Response"]
    assert (step["action"], step["rule"], step["scanned"]) == ("Block", "pattern-1", len("verboten"))


async def test_when_one_choice_turns_bad_all_of_them_end(sidecar, grok):
    """They were sampled from one call: the provider is cut off, so no choice may look finished by itself."""
    grok.stream([chunk("fine", index=0), chunk("verboten " + FINE, index=1), HANG])

    events = await streamed(sidecar, n=2)

    *_, first, second, done = events
    ends = [(e["choices"][0]["index"], e["choices"][0]["finish_reason"]) for e in (first, second)]
    assert ends == [(0, "content_filter"), (1, "content_filter")]
    assert done == "[DONE]"
    await eventually(lambda: grok.abandoned == 1)


async def test_a_choice_that_was_finished_stays_finished(sidecar, grok):
    """Two finish reasons for one choice are a protocol error in some clients."""
    grok.stream([chunk("fine"), chunk(finish="stop"), chunk("verboten " + FINE, index=1), HANG])

    events = await streamed(sidecar, n=2)

    ends = [
        (choice["index"], choice["finish_reason"])
        for e in events[:-1]
        for choice in e["choices"]
        if choice["finish_reason"]
    ]
    assert ends == [(0, "stop"), (1, "content_filter")]


@pytest.mark.parametrize("field", ["reasoning_content", "refusal"])
async def test_every_text_of_an_answer_is_judged(sidecar, grok, field):
    """What a client may show counts, whichever field it comes in."""
    grok.stream([chunk(**{field: "verboten " + FINE}), HANG])

    events = await streamed(sidecar)

    assert events[-2]["choices"][0]["finish_reason"] == "content_filter"


async def test_a_word_in_two_chunks_is_found(sidecar, grok):
    """Chunks are the tokenizer's, not the language's."""
    grok.stream([chunk("ver"), chunk("bo"), chunk("ten"), chunk(finish="stop"), DONE])

    assert (await streamed(sidecar))[-2]["choices"][0]["finish_reason"] == "content_filter"


async def test_a_tool_call_is_judged_before_it_is_released(sidecar, grok):
    """It comes in one chunk, and an application acts on it as soon as it has it."""
    call = tool_call(json.dumps({"command": "verboten"}))
    grok.stream([chunk(role="assistant"), chunk(tool_calls=[call]), chunk(finish="tool_calls"), DONE])

    events = await streamed(sidecar)

    assert "tool_calls" not in json.dumps(events)
    assert events[-2]["choices"][0]["finish_reason"] == "content_filter"
    assert policy_of(events[-2])["phase"] == "tool_arguments"


async def test_a_clean_tool_call_comes_out_as_it_went_in(sidecar, grok):
    """Held, judged, and then released with nothing changed, in order."""
    events = [
        chunk(role="assistant"),
        chunk(tool_calls=[tool_call('{"city":')]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '"Paris"}'}}]),
        chunk(finish="tool_calls"),
        usage_event(),
        DONE,
    ]
    grok.stream(events)

    async with sidecar.stream() as response:
        assert await response.aread() == b"".join(events)


async def test_a_tool_call_of_a_whole_answer_is_judged(sidecar, grok):
    """The same verdict as on a stream, with the same words."""
    call = tool_call(json.dumps({"command": "verboten"}))
    grok.reply(json=answer(None, tool_calls=[call]))

    body = (await sidecar.chat()).json()

    assert body["choices"][0]["finish_reason"] == "content_filter"
    assert body["policy"]["phase"] == "tool_arguments"
    assert "tool_calls" not in body["choices"][0]["message"]


BROKEN_ENDS = {
    "closed": [chunk("half"), CUT],
    "reset": [chunk("half"), RESET],
    "ended in good order": [chunk("half")],
    "ended after the finish": [chunk("all"), chunk(finish="stop")],
    "within an event": [chunk("half"), b'data: {"choices":[{"index":0,"delta":{"con', CUT],
}


@pytest.mark.parametrize("pieces", BROKEN_ENDS.values(), ids=BROKEN_ENDS.keys())
async def test_a_stream_without_its_end_ends_with_an_error(sidecar, grok, pieces):
    """``[DONE]`` would make half an answer whole; a mere end of the body would too, in both OpenAI SDKs."""
    grok.stream(pieces)

    events = await streamed(sidecar)

    assert events[0]["choices"][0]["delta"]["content"] in {"half", "all"}
    assert events[-1]["error"]["code"] == "stream_interrupted"
    assert events[-1]["error"]["type"] == "upstream_error"
    assert "[DONE]" not in events


@pytest.mark.parametrize(
    "data",
    [b"data: {not json\n\n", b'data: {"choices":[],"choices":[]}\n\n', b"data: []\n\n", b'data: {"choices":{}}\n\n'],
    ids=["not JSON", "duplicate key", "no object", "no list"],
)
async def test_an_event_that_can_not_be_read_ends_the_stream(sidecar, grok, data):
    """What can't be read can't be judged, and a client might read it after all."""
    grok.stream([chunk("fine"), data, chunk("more"), HANG])

    events = await streamed(sidecar)

    assert text_of(events) == "fine"
    assert events[-1]["error"]["code"] == "upstream_invalid_response"
    await eventually(lambda: grok.abandoned == 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"error": {"message": "Overloaded.", "code": "overloaded", "type": "server_error"}}, "overloaded"),
        ({"code": "internal", "error": "Overloaded."}, "internal"),
    ],
    ids=["OpenAI's shape", "xAI's shape"],
)
async def test_a_providers_error_in_a_stream_is_one_that_clients_raise(sidecar, grok, error, code):
    """In xAI's own shape the SDKs lose the code; in either, nothing follows it."""
    grok.stream([chunk("fine"), event(error), DONE])

    events = await streamed(sidecar)

    assert events[-1]["error"]["message"] == "Overloaded."
    assert events[-1]["error"]["code"] == code
    assert "[DONE]" not in events


async def test_an_answer_that_is_no_stream_is_an_error(sidecar, grok):
    """Asked for a stream, got JSON: the SDK would read an empty stream out of it."""
    grok.reply(json=answer())

    response = await sidecar.chat(stream=True)

    assert (response.status_code, response.json()["error"]["type"]) == (502, "upstream_error")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def buffering_sidecar(running_grok, tmp_path_factory):
    texts = configuration(running_grok.base_url, chain=STEP.format("Buffer"))
    async with running_sidecar(tmp_path_factory.mktemp("buffering"), *texts) as running:
        yield running


async def test_a_buffered_stream_delivers_nothing_of_a_bad_answer(buffering_sidecar, grok):
    """``Buffer`` is for answers of which not one word may get out."""
    grok.stream([chunk("fine words"), chunk("verboten"), chunk(finish="stop"), usage_event(), DONE])

    events = await streamed(buffering_sidecar)

    assert text_of(events) == ""
    assert [e["choices"][0]["finish_reason"] for e in events[:-1] if e["choices"]] == ["content_filter"]
    assert events[-1] == "[DONE]"


async def test_a_buffered_stream_delivers_a_clean_answer_as_it_came(buffering_sidecar, grok):
    """Late, but the same bytes."""
    events = [chunk("fine"), b": comment\n\n", chunk(finish="stop"), usage_event(), DONE]
    grok.stream(events)

    async with buffering_sidecar.stream() as response:
        assert await response.aread() == b"".join(events)


async def test_a_buffered_stream_that_breaks_delivers_only_the_error(buffering_sidecar, grok):
    """What was held had not been judged."""
    grok.stream([chunk("fine"), CUT])

    [event] = await streamed(buffering_sidecar)

    assert event["error"]["code"] == "stream_interrupted"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rejecting_sidecar(running_grok, tmp_path_factory):
    texts = configuration(running_grok.base_url, chain=STEP.format("Reject"))
    async with running_sidecar(tmp_path_factory.mktemp("rejecting"), *texts) as running:
        yield running


async def test_a_stream_is_refused_where_the_step_wants_none(rejecting_sidecar, grok):
    """Before anything is sent, and with the step's name."""
    response = await rejecting_sidecar.chat(stream=True)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "content_filter")
    assert (error["policy"]["step"], error["policy"]["rule"]) == ("safety", "stream-rejected")
    assert grok.requests == []


async def test_a_whole_answer_is_judged_where_streams_are_refused(rejecting_sidecar, grok):
    """The near miss: the step is in force all the same."""
    grok.reply(json=answer())
    grok.reply(json=answer("verboten"))

    fine, bad = (await rejecting_sidecar.chat()).json(), (await rejecting_sidecar.chat()).json()

    assert fine["choices"][0]["message"]["content"] == "Fine."
    assert bad["choices"][0]["finish_reason"] == "content_filter"


async def test_streams_do_not_wait_for_each_other(sidecar, grok):
    """One answer that is held for minutes is no reason to hold another one."""
    gate = asyncio.Event()
    grok.stream([gate, chunk("late"), chunk(finish="stop"), DONE])
    slow = asyncio.ensure_future(streamed(sidecar))
    await eventually(lambda: grok.requests)
    grok.stream([chunk("early"), chunk(finish="stop"), DONE])

    assert text_of(await streamed(sidecar)) == "early"
    assert not slow.done()
    gate.set()
    assert text_of(await slow) == "late"
