"""The response phase: the same verdict for a stream and for a whole answer."""

import json
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bundle_of, pack_of, step_of
from grokwarden.engine import AnswerGuard, Engine
from grokwarden.exchange.answer import read_answer
from grokwarden.vocabulary import Mode, OnStream, Phase

BAD = "melt the forbidden widget"


def guard_of(**fields: Any) -> AnswerGuard:
    """A guard of one safety filter."""
    guard = _engine(**fields).answer_guard()
    assert guard is not None
    return guard


@cache
def _engine(**fields: Any) -> Engine:
    return Engine(bundle_of(pack_of(step_of("safety-filter", patterns=["forbidden widget"], **fields))))


def chunk(delta: dict[str, Any], *, index: int = 0, finish: str | None = None) -> bytes:
    """One chunk of a stream."""
    choice: dict[str, Any] = {"index": index, "delta": delta}
    if finish:
        choice["finish_reason"] = finish
    return json.dumps({"id": "c", "model": "grok-4.3", "choices": [choice]}).encode()


@settings(deadline=None, max_examples=60)
@given(
    before=st.integers(0, 900),
    after=st.integers(0, 900),
    is_bad=st.booleans(),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_any_chunking_gives_the_verdict_of_the_whole(before: int, after: int, is_bad: bool, sizes: list[int]) -> None:
    """`stream: true` must be no way round a policy, and no way into one."""
    text = "lorem ipsum " * (before // 12) + (BAD if is_bad else "mend the garden fence") + " dolor sit" * (after // 10)
    whole, streamed = guard_of(), guard_of()
    whole.feed(read_answer(json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()).pieces)
    position = 0
    for size in [*sizes, len(text)]:
        if text[position : position + size]:
            streamed.feed(read_answer(chunk({"content": text[position : position + size]})).pieces)
        position += size

    assert (whole.finish() is not None) is (streamed.finish() is not None) is is_bad
    assert [(d.rule, d.score) for d in whole.decisions] == [(d.rule, d.score) for d in streamed.decisions]


def test_interleaved_choices_are_texts_of_their_own() -> None:
    """With n = 2, pieces of one answer must neither hide in the other nor complete it."""
    apart = guard_of()
    for delta, index in (("the forbidden ", 0), ("harmless ", 1), ("garden", 0), ("widget", 1)):
        apart.feed(read_answer(chunk({"content": delta}, index=index)).pieces)
    assert apart.finish() is None

    together = guard_of()
    for delta, index in (("the forbidden ", 0), ("harmless ", 1), ("widget", 0)):
        together.feed(read_answer(chunk({"content": delta}, index=index)).pieces)
    assert together.finish() is not None


def test_reasoning_refusals_and_fields_that_are_not_known_are_read() -> None:
    """Every text that a client can show is a way out for an answer."""
    for delta in ({"reasoning_content": BAD}, {"refusal": BAD}, {"citations": [{"title": BAD}]}, {"new": {"x": [BAD]}}):
        guard = guard_of()
        guard.feed(read_answer(chunk(delta)).pieces)
        assert guard.finish() is not None, delta


def test_a_tool_call_is_judged_whole_and_by_its_own_phase() -> None:
    """An argument cut into pieces is one text to whoever runs the tool."""
    guard = guard_of()
    for text in ('{"do": "the forb', "idden wid", 'get"}'):
        call = {"index": 0, "function": {"arguments": text}}
        guard.feed(read_answer(chunk({"tool_calls": [call]})).pieces)
    assert guard.holds_tool_calls
    block = guard.finish(0)

    assert block is not None
    assert block.decision.phase is Phase.TOOL_ARGUMENTS


def test_shadow_holds_nothing_back_and_blocks_nothing() -> None:
    """A step that only watches must not change what a client sees, not even when."""
    guard = guard_of(mode=Mode.SHADOW, on_stream=OnStream.BUFFER)
    guard.feed(read_answer(chunk({"content": BAD})).pieces)

    assert not guard.holds_all
    assert not guard.holds_tool_calls
    assert guard.finish() is None
    assert guard.decisions[0].action == "Block"


def test_no_guard_where_no_step_looks_at_answers() -> None:
    """The path without response-phase steps must not read each chunk."""
    assert Engine(bundle_of(pack_of(step_of("prompt-injection"), step_of("audit-logger")))).answer_guard() is None
