"""What a client gets of a stream, event by event; no sockets, no clock."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bundle_of, pack_of, step_of
from grokwarden.engine import Engine
from grokwarden.vocabulary import OnStream
from grokwarden_sidecar.calls.responses import AnswerIdentity
from grokwarden_sidecar.calls.streaming import StreamRelay, StreamState

BAD = "the forbidden widget"
DONE = b"data: [DONE]\n\n"
WHO = AnswerIdentity(id="chatcmpl-d", created=1, model="asked")


def event(delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None, **top: Any) -> bytes:
    """One event of a provider."""
    choices: list[dict[str, Any]] = []
    if delta is not None:
        choices.append({"index": index, "delta": delta, **({"finish_reason": finish} if finish else {})})
    chunk = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "grok-4.3",
        "choices": choices,
        **top,
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def relay(*, n: int = 1, **fields: Any) -> StreamRelay:
    """A relay with one safety filter in its way."""
    guard = _engine(**fields).answer_guard()
    assert guard is not None
    return StreamRelay(guard, decision_id="d", choices=n, who=WHO)


@cache
def _engine(**fields: Any) -> Engine:
    return Engine(bundle_of(pack_of(step_of("safety-filter", patterns=["forbidden widget"], **fields))))


def parsed(out: bytes) -> list[Any]:
    """The events' data."""
    return [d if d == "[DONE]" else json.loads(d) for d in (e[6:] for e in out.decode().split("\n\n") if e)]


CLEAN = [
    event({"role": "assistant", "content": "Hel"}),
    b": keep-alive\n\n",
    event({"content": "lo"}),
    event({}, finish="stop"),
    event(usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    DONE,
]


@pytest.mark.parametrize("judged", [True, False], ids=["judged", "not judged"])
def test_clean_events_leave_at_once_as_the_bytes_that_came(judged: bool) -> None:
    """A guard that rewrites or delays clean text breaks clients that nobody needed to protect."""
    one = relay() if judged else StreamRelay(None, decision_id="d", choices=1, who=WHO)

    assert [one.feed([each]) for each in CLEAN] == CLEAN
    assert one.state is StreamState.COMPLETE
    assert one.end() == b""
    assert (one.model, one.usage) == ("grok-4.3", {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})


def test_a_cut_ends_every_open_choice_and_says_why() -> None:
    """A client waits for each choice's finish reason; one that never comes reads as a hang."""
    one = relay(n=2)
    one.feed([event({"content": "fine"}, index=1)])
    filler = "x" * 512
    out = parsed(one.feed([event({"content": BAD + filler}, index=0)]))

    assert one.state is StreamState.CUT
    assert [chunk["choices"][0]["index"] for chunk in out[:-1]] == [0, 1]
    assert {chunk["choices"][0]["finish_reason"] for chunk in out[:-1]} == {"content_filter"}
    assert out[0]["choices"][0]["delta"] == {"refusal": "Blocked by policy safety-filter (rule pattern-1)."}
    assert (out[0]["id"], out[0]["created"], out[0]["model"]) == ("c1", 7, "grok-4.3")
    assert out[0]["policy"] == {
        "name": "safety-filter",
        "pack": "shop/pack",
        "step": "safety-filter",
        "rule": "pattern-1",
        "phase": "response",
        "decision_id": "d",
    }
    assert out[-1] == "[DONE]"


def test_a_finding_in_the_last_words_replaces_the_end_and_keeps_the_usage() -> None:
    """The tail is judged before the finish reason goes out; what was used is still billed."""
    one = relay()
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    one.feed([event({"content": BAD})])
    assert one.feed([event({}, finish="stop")]) == b""
    assert one.feed([event(usage=usage)]) == b""
    out = parsed(one.feed([DONE]))

    assert out[0]["choices"][0]["finish_reason"] == "content_filter"
    assert out[1]["usage"] == usage
    assert out[-1] == "[DONE]"


def test_buffer_delivers_nothing_of_a_blocked_answer() -> None:
    """`onStream: Buffer` is for those who can't bear that anything of it was seen."""
    one = relay(on_stream=OnStream.BUFFER)
    assert one.feed([event({"content": "Well, "}), event({"content": BAD}), event({}, finish="stop")]) == b""
    assert BAD not in one.feed([DONE]).decode()

    clean = relay(on_stream=OnStream.BUFFER)
    assert clean.feed(CLEAN[:-1]) == b""
    assert clean.feed([DONE]) == b"".join(CLEAN)


def test_a_tool_call_is_released_only_when_it_has_been_judged() -> None:
    """A client runs a tool as soon as it has the call; a block that comes after is too late."""
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": '{"q": "fine"}'}}
    one = relay()
    first, last = event({"tool_calls": [call]}), event({}, finish="tool_calls")

    assert one.feed([first]) == b""
    assert one.feed([last]) == first + last

    bad = {**call, "function": {"name": "f", "arguments": json.dumps({"q": BAD})}}
    other = relay()
    assert other.feed([event({"tool_calls": [bad]}), event({}, finish="tool_calls")]) == b""
    out = other.feed([DONE]).decode()
    assert "tool_calls" not in out
    assert "content_filter" in out


def test_a_stream_that_breaks_off_ends_with_an_error_and_never_with_done() -> None:
    """openai-python takes a clean end without an error for a complete answer."""
    one = relay()
    one.feed(CLEAN[:3])
    out = parsed(one.end())

    assert out == [
        {
            "error": {
                "message": out[0]["error"]["message"],
                "type": "upstream_error",
                "param": None,
                "code": "stream_interrupted",
            }
        }
    ]


@pytest.mark.parametrize("judged", [True, False], ids=["judged", "not judged"])
def test_a_providers_error_in_a_stream_gets_the_shape_that_raises(judged: bool) -> None:
    """XAI's own shape makes both OpenAI SDKs lose code and message."""
    one = relay() if judged else StreamRelay(None, decision_id="d", choices=1, who=WHO)
    out = parsed(one.feed([b'data: {"code": "overloaded", "error": "Too much"}\n\n']))

    assert out[0]["error"]["message"] == "Too much"
    assert out[0]["error"]["code"] == "overloaded"
    assert one.state is StreamState.FAILED
    assert one.feed([DONE]) == b""


def test_garbage_in_a_judged_stream_stops_it() -> None:
    """What can't be read can't be checked."""
    one = relay()
    out = parsed(one.feed([b"data: {not json\n\n"]))

    assert out[0]["error"]["code"] == "upstream_invalid_response"
    assert one.state is StreamState.FAILED


@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.sampled_from(["alpha ", "beta ", BAD + " ", "x" * 300 + " "]), max_size=8),
    sizes=st.lists(st.integers(1, 200), min_size=1, max_size=30),
    on_stream=st.sampled_from([OnStream.CUT, OnStream.BUFFER]),
)
def test_what_is_delivered_is_a_prefix_that_ends_before_the_deciding_window_does(
    words: list[str], sizes: list[int], on_stream: OnStream
) -> None:
    """Whatever the chunks: a clean text arrives whole, a blocked one never to the end of the window that decided."""
    text = "".join(words)
    one = relay(on_stream=on_stream)
    out = b""
    position = 0
    for size in [*sizes, len(text)]:
        piece = text[position : position + size]
        position += size
        if piece:
            out += one.feed([event({"content": piece})])
    out += one.feed([event({}, finish="stop")]) + one.feed([DONE])
    delivered = "".join(
        choice["delta"].get("content", "") for each in parsed(out) if each != "[DONE]" for choice in each["choices"]
    )

    assert text.startswith(delivered)
    if BAD not in text:
        assert delivered == text
        assert one.block is None
    else:
        assert one.block is not None
        assert len(delivered) < max(512, text.index(BAD) + 512 + 128) or len(delivered) == len(text)
        assert on_stream is OnStream.CUT or delivered == ""
