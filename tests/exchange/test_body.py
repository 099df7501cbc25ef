"""Strict in, original bytes out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.exchange.body import MalformedCall, apply_edits, decode_strict, replace_field, splice_text
from grokwarden.exchange.model import InsertMessages, Splice

HOSTILE = {
    "duplicate keys": b'{"a": 1, "a": 2}',
    "duplicate keys deep inside": b'{"m": [{"x": {"b": 1, "b": 2}}]}',
    "not a number": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "invalid UTF-8": b'{"a": "\xff\xfe"}',
    "nesting without end": b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}",
    "a list": b"[1]",
    "nothing": b"",
    "two documents": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "a comment": b'{"a": 1} // x',
    "a control character in a text": b'{"a": "x\x01y"}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_two_parsers_could_read_differently_is_refused(body: bytes) -> None:
    """The provider's parser must not see a call that ours did not."""
    with pytest.raises(MalformedCall):
        decode_strict(body)


def test_a_refusal_never_quotes_the_body() -> None:
    """The error goes to logs and metrics of the client's side; keys of a body are the client's text."""
    with pytest.raises(MalformedCall) as refused:
        decode_strict(b'{"my secret": 1, "my secret": 2}')

    assert "secret" not in str(refused.value)
    assert "duplicate key" in str(refused.value).lower()


def test_an_edit_leaves_every_other_byte_as_it_came() -> None:
    """A proxy that rewrites 1.0e0 or a long integer changes calls that it has no business with."""
    body = (
        b'{"z":12345678901234567890123,"messages":[{"role":"user","content":[{"text":"h\\u00e9llo","type":"text"}],'
        b'"n":1.0e0},{"role":"user","content":"\\u0041"}],"temperature":1.50}'
    )

    edited = apply_edits(body, [Splice(("messages", 0, "content", 0, "text"), 0, 1, "J")])

    assert edited == body.replace(b"h\\u00e9llo", "Jéllo".encode())


def test_inserted_messages_stand_by_index_and_rank() -> None:
    """The core policy is first even if its step is last in the chain."""
    body = b'{"messages":[{"a":1},{"b":2}]}'
    edits = [
        InsertMessages(({"who": "guard"},)),
        InsertMessages(({"who": "second"},), index=1, rank=0),
        InsertMessages(({"who": "core"},), rank=0),
        InsertMessages(({"who": "last"},), index=2),
    ]

    messages = json.loads(apply_edits(body, edits))["messages"]

    assert messages == [{"who": "core"}, {"who": "guard"}, {"a": 1}, {"who": "second"}, {"b": 2}, {"who": "last"}]


def test_replacing_a_field_keeps_the_order_and_the_rest() -> None:
    """The target's model replaces the call's own, and nothing else."""
    body = b'{"model": "a", "seed": 1.0e2, "messages": [ ]}'

    assert replace_field(body, "model", "b") == b'{"model":"b","seed":1.0e2,"messages":[ ]}'


def test_overlapping_splices_are_one_span_with_the_first_ones_text() -> None:
    """Two steps that mask the same words must not leave half a word between them."""
    cuts = [Splice((), 4, 9, "B"), Splice((), 2, 6, "A"), Splice((), 11, 12, "C")]

    assert splice_text("0123456789abcd", cuts) == "01B9aCcd"


@given(
    text=st.text(max_size=40),
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5),
)
def test_what_no_splice_covers_survives_in_order(text: str, spans: list[tuple[int, int]]) -> None:
    """An edit that loses a character outside its span corrupts a prompt."""
    cuts = [Splice((), min(a, b), max(a, b), "") for a, b in spans if max(a, b) <= len(text)]
    covered = {i for cut in cuts for i in range(cut.start, cut.end)}

    assert splice_text(text, cuts) == "".join(c for i, c in enumerate(text) if i not in covered)
