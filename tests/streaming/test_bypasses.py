"""Streams that got text past a step once, bytes in and bytes out; `Buffer`: nothing may come out before a verdict."""

import json
from functools import cache

import pytest

from bundles import bundle_of, pack_of, step_of
from grokwarden.engine import Engine
from grokwarden.exchange.answer import read_answer
from grokwarden.exchange.sse import EventSplitter
from grokwarden.vocabulary import OnStream
from grokwarden_sidecar.calls.responses import AnswerIdentity
from grokwarden_sidecar.calls.streaming import StreamRelay

DONE = b"data: [DONE]\n\n"


@cache
def _engine():
    return Engine(bundle_of(pack_of(step_of("safety-filter", patterns=["verboten"], on_stream=OnStream.BUFFER))))


def _chunk(delta, **fields):
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **fields}]}


def _event(delta, **fields):
    return b"data: " + json.dumps(_chunk(delta, **fields)).encode() + b"\n\n"


STOP = _event({}, finish_reason="stop")
BAD = json.dumps(_chunk({"content": "verboten"})).encode()


def _tool(arguments, index):
    return _event({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})


@pytest.mark.parametrize(
    "events",
    [
        [_event({"content": "verbo"}), _event({"content": "ten"}), STOP],
        [_event({"content": "verbo"}), STOP, _event({"content": "ten"})],
        [_event({"content": "verbo"}, finish_reason="stop"), _event({"content": "ten"}, finish_reason="stop")],
        [_tool("verbo", 0), STOP, _tool("ten", 0)],
        [_tool("verbo", 0), _tool("ten", 0.0), STOP],
        [_event({"content": [{"type": "text", "text": "verbo"}, {"type": "text", "text": "ten"}]}), STOP],
        [_event({"content": "verbo"}), _event({"content": [{"type": "text", "text": "ten"}]}), STOP],
        [b"\xef\xbb\xbfdata: " + BAD + b"\n\n", STOP],
        [b" data: " + BAD + b"\n\n", STOP],
        [BAD + b"\n\n", STOP],
        ["x\u2028data: ".encode() + BAD + b"\n\n", STOP],
        ["x\u0085data: ".encode() + BAD + b"\n\n", STOP],
        [b"event: verboten\n\n", STOP],
        [STOP, b"data: [DONE] verboten\n\n"],
        [STOP, b"data: [DONE]\ndata: " + BAD + b"\n\n"],
    ],
    ids=range(15),
)
def test_nothing_of_a_stream_reaches_the_client_unread(events):
    """A client assembles these; the verdict of the whole answer is a block."""
    relay = StreamRelay(
        _engine().answer_guard(), decision_id="d", choices=1, who=AnswerIdentity(id="i", created=1, model="m")
    )
    out = relay.feed(EventSplitter().feed(b"".join([*events, DONE]))) + relay.end()
    assert b"verbo" not in out


def test_what_is_held_is_bounded():
    """A provider that never ends a tool call must not fill the pod's memory."""
    relay = StreamRelay(
        _engine().answer_guard(),
        decision_id="d",
        choices=1,
        who=AnswerIdentity(id="i", created=1, model="m"),
        most_held_bytes=10_000,
    )
    out = b"".join(relay.feed([_tool("x" * 1000, 0)]) for _ in range(20))

    assert out.count(b"upstream_invalid_response") == 1
    assert relay.is_over


def test_a_window_counts_visible_characters():
    """Six hundred invisible characters in a word would put its halves into different windows."""
    engine = Engine(bundle_of(pack_of(step_of("safety-filter", patterns=["verboten"]))))
    guard = engine.answer_guard()
    guard.feed(read_answer(json.dumps(_chunk({"content": "ver" + "\u200b" * 600 + "boten"})).encode()).pieces)

    assert guard.finish() is not None
