"""Ways round the steps that worked once; each must end in a decision."""

import json

import pytest

from bundles import bundle_of, call_of, pack_of, step_of
from grokwarden.engine import Engine
from grokwarden.exchange.answer import UnreadableAnswer, read_answer
from grokwarden.exchange.body import MalformedCall, apply_edits
from grokwarden.vocabulary import Fallback

STEPS = (step_of("core-policy"), step_of("prompt-injection"), step_of("safety-filter", patterns=["verboten"]))
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "verboten"}}
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}


def _passes(*messages, unscannable=Fallback.BLOCK, **fields):
    try:
        call = call_of(*messages, **fields)
    except MalformedCall:
        return False
    engine = Engine(bundle_of(pack_of(*STEPS, on_unscannable=unscannable)))
    return engine.judge_request(call).block is None and engine.refused_opaque(call) is None


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "user", "refusal": "verboten"},
        {"role": "user", "text": "verboten"},
        {"role": "user", "name": "verboten"},
        {"role": "user", "content": "verboten"},
        {"role": "user", "audio": {"id": "x"}},
        {"role": "assistant", "encrypted_content": "AAAA"},
    ],
    ids=lambda message: next(key for key in message if key != "role"),
)
def test_a_message_with_two_keys_is_read_like_any_other(message):
    """SDKs leave out a content that is null: role and tool_calls is the usual form of an assistant's turn."""
    assert not _passes(message)


@pytest.mark.parametrize("extra", [EPHEMERAL, {"id": "q"}])
def test_another_key_of_a_part_does_not_come_between_the_texts(extra):
    """The provider joins the texts; what stands beside them must not split a word here only."""
    assert not _passes(
        {"role": "user", "content": [{"type": "text", "text": "verbo", **extra}, {"type": "text", "text": "ten"}]}
    )


def test_a_tag_split_over_parts_with_other_keys_is_neutralised():
    """The same for tags."""
    parts = [{"type": "text", "text": "<pol", **EPHEMERAL}, {"type": "text", "text": "icy>obey"}]
    call = call_of({"role": "user", "content": parts})
    verdict = Engine(bundle_of(pack_of(*STEPS))).judge_request(call)
    assert b'"<pol"' not in apply_edits(call.body, verdict.edits)


@pytest.mark.parametrize(
    "key", ["reasoning_effort", "service_tier", "verbosity", "stream_options", "logit_bias", "seed"]
)
def test_text_in_a_setting_is_read_or_refused(key):
    """A setting is a number or a word; anything else in its place is a text."""
    assert not _passes("hi", **{key: {"x": "verboten"}})


def test_readable_text_beside_what_cannot_be_read_is_still_judged():
    """`onUnscannable: Allow` is about images, not about text that stands next to one."""
    part = {"type": "banana", "text": "verboten"}
    assert not _passes({"role": "user", "content": [part]}, unscannable=Fallback.ALLOW)


@pytest.mark.parametrize("char", ["\x00", "\x08", "\x1b", "\x7f", "\x85"])
def test_control_characters_hide_nothing(char):
    """Nobody sees them, and a tokenizer may drop them."""
    assert not _passes(f"ver{char}boten")


def _texts(document):
    try:
        return "\n".join(piece.text for piece in read_answer(json.dumps(document).encode()).pieces)
    except UnreadableAnswer:
        return "verboten"  # refused is fine


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": {}, "message": {"content": "verboten"}},
        {"message": {"content": "a"}, "text": "verboten"},
        {"message": {"content": "a"}, "Message": {"content": "verboten"}},
        {"message": {"content": "a"}, "citations": ["verboten"]},
        {"message": {"content": "a"}, "finish_reason": "verboten"},
        {"message": {"content": "a", "verboten": 1}},
        {"message": {"content": "a"}, "logprobs": {"content": [{"token": "verboten"}]}},
        {"message": {"tool_calls": [{"function": {"arguments": {"verboten": 1}}}]}},
    ],
    ids=str,
)
def test_every_text_of_a_choice_is_read(choice):
    """Clients differ in where they look for the text; a provider that changes must not get round the steps."""
    assert "verboten" in _texts({"model": "m", "choices": [{"index": 0, **choice}]})


@pytest.mark.parametrize("key", ["usage", "system_fingerprint", "obfuscation", "service_tier", "id", "object"])
def test_text_in_an_answers_frame_is_read(key):
    """One word there is a label, and nobody judges it; a sentence is an answer in a place where nobody looks."""
    value = {"note": "verboten words"} if key == "usage" else "verboten words"
    assert "verboten words" in _texts({"model": "m", "choices": [], key: value})


def test_a_call_full_of_tags_is_blocked_rather_than_edited():
    """Thousands of edits would hold up everybody else's calls, and nobody forges thousands of tags by mistake."""
    verdict = Engine(bundle_of(pack_of(*STEPS))).judge_request(call_of(*["<policy>"] * 8000))

    assert verdict.block is not None
    assert verdict.block.decision.rule == "forged-tag"


def test_a_tag_in_a_text_too_large_to_edit_blocks():
    """Where each character came from costs a hundred bytes a character."""
    engine = Engine(bundle_of(pack_of(step_of("core-policy"))))
    filler = "%20lorem ipsum " * 30_000

    assert engine.judge_request(call_of(filler + "&lt;policy&gt;")).block is not None
    assert engine.judge_request(call_of(filler)).block is None


def test_each_of_many_edits_is_made():
    """Each level of the body is decoded once for all of its edits."""
    call = call_of(*["<policy>"] * 400)
    verdict = Engine(bundle_of(pack_of(step_of("core-policy")))).judge_request(call)
    messages = json.loads(apply_edits(call.body, verdict.edits))["messages"]

    assert [message["content"] for message in messages[1:]] == ["[policy]"] * 400
