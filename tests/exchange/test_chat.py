"""Nothing of a request is skipped: every string is a segment, everything else that a model may see is opaque."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import call_of
from grokwarden.exchange.body import MalformedCall
from grokwarden.exchange.chat import parse_chat
from grokwarden.exchange.model import Field, Role
from grokwarden.vocabulary import Phase

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": None}, "messages"),
    "empty messages": ({"messages": []}, "messages"),
    "messages that are no list": ({"messages": {"role": "user"}}, "messages"),
    "a message that is no object": ({"messages": ["hi"]}, "messages[0]"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].role"),
    "an unknown role": ({"messages": [{"role": "root", "content": "x"}]}, "messages[0].role"),
    "a role in capitals": ({"messages": [{"role": "System", "content": "x"}]}, "messages[0].role"),
    "a role that is a list": ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
    "content that is a number": ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    "content that is an object": ({"messages": [{"role": "user", "content": {"text": "x"}}]}, "messages[0].content"),
    "a part without a type": ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0]"),
    "a text part whose text is a list": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ["x"]}]}]},
        "messages[0].content[0].text",
    ),
    "a model that is a number": ({"model": 4}, "model"),
    "an empty model": ({"model": ""}, "model"),
    "a stream flag that is a text": ({"stream": "true"}, "stream"),
    "a stream flag that is a number": ({"stream": 1}, "stream"),
    "n that is huge": ({"n": 129}, "n"),
    "n that is zero": ({"n": 0}, "n"),
    "n that is true": ({"n": True}, "n"),
    "an answer to be fetched later": ({"deferred": True}, "deferred"),
    "tools that are no list": ({"tools": {"type": "function"}}, "tools"),
    "a tool without a type": ({"tools": [{"function": {}}]}, "tools[0]"),
}


@pytest.mark.parametrize(("fields", "param"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_field_of_another_type_than_the_apis_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """A reader that guesses what an odd field means scans something else than the provider reads."""
    body = {"model": "grok-4.3", "messages": [{"role": "user", "content": "hi"}], **fields}

    with pytest.raises(MalformedCall) as refused:
        parse_chat(json.dumps(body).encode())

    assert refused.value.param == param


def test_every_kind_of_text_has_its_role_field_and_phase() -> None:
    """Policies choose by these what they look at; a tool result taken for a user's text would be scanned wrongly."""
    call = call_of(
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "u", "name": "n"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "r",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "t"}]},
        tools=[{"type": "function", "function": {"name": "f", "description": "about f"}}],
    )
    seen = {segment.text: segment.slot for segment in call.segments if not segment.fixed}

    assert (seen["d"].role, seen["d"].field) == (Role.DEVELOPER, Field.CONTENT)
    assert (seen["n"].role, seen["n"].field) == (Role.USER, Field.TOOL_NAME)
    assert seen["r"].field is Field.REASONING
    assert (seen["{}"].field, seen["{}"].phase) == (Field.TOOL_ARGUMENTS, Phase.TOOL_ARGUMENTS)
    assert (seen["t"].field, seen["t"].phase, seen["t"].part) == (Field.TOOL_RESULT, Phase.TOOL_RESULT, 0)
    assert (seen["about f"].role, seen["about f"].phase) == (Role.DEFINITION, Phase.REQUEST)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"search_parameters": {"mode": "on"}}, "server_side_tool"),
        ({"web_search_options": {}}, "server_side_tool"),
        ({"tools": [{"type": "web_search"}]}, "server_side_tool"),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, "server_side_tool"),
        ({"previous_response_id": "r1"}, "opaque_history"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "image"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]}, "file"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "unknown_part"),
        ({"messages": [{"role": "assistant", "content": "x", "encrypted_content": "x"}]}, "opaque_history"),
    ],
)
def test_what_no_policy_can_read_is_opaque(fields: dict[str, Any], reason: str) -> None:
    """These are ways to hand a model something past every filter; each must reach ``onUnscannable``."""
    body = {"model": "grok-4.3", "messages": [{"role": "user", "content": "hi"}], **fields}

    assert [opaque.reason for opaque in parse_chat(json.dumps(body).encode()).opaque] == [reason]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=_JSON, place=st.sampled_from(["metadata", "some_new_field", "user", "message", "tool", "call"]))
def test_no_string_of_a_field_that_is_not_known_escapes(value: Any, place: str) -> None:
    """An API grows; a field that appears tomorrow must not be a way round every policy today."""
    message: dict[str, Any] = {"role": "assistant", "content": "hi"}
    body: dict[str, Any] = {"model": "grok-4.3", "messages": [message]}
    match place:
        case "message":
            message["new_key"] = value
        case "tool":
            body["tools"] = [{"type": "function", "function": value}]
        case "call":
            message["tool_calls"] = [value]
        case _:
            body[place] = value

    call = parse_chat(json.dumps(body).encode())

    assert set(_strings(value)) <= {segment.text for segment in call.segments}
