"""Folding: one form for every spelling, with exact places in the original."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.text.fold import canonical_spans, fold, fold_with_offsets

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
ESCAPED = st.lists(
    st.sampled_from(
        [
            "&lt;",
            "&#60",
            "&#x3c;",
            "&amp;",
            "lt;",
            "%3C",
            "%25",
            "3C",
            "\\u003c",
            "\\x3e",
            "\\/",
            "‹",
            "\u200b",
            "é",
            "p",
            "&",
        ]
    )
).map("".join)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    """Views are folded again and again; a rule has to see the same text each time."""
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
def test_offsets_belong_to_the_same_folded_text(text: str) -> None:
    """An edit is made at the offsets and decided on the text: they must not drift apart."""
    folded, offsets = fold_with_offsets(text)
    assert folded == fold(text)
    assert len(offsets) == len(folded)
    assert all(0 <= offset < len(text) for offset in offsets)
    assert all(first <= second for first, second in pairwise(offsets))


@given(TEXTS | ESCAPED)
def test_spans_lie_in_the_text_and_in_order(text: str) -> None:
    """A splice outside the text, or backwards, would tear a message apart."""
    canonical, starts, ends = canonical_spans(text)
    assert len(canonical) == len(starts) == len(ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(starts, ends, strict=True))
    assert all(first <= second for first, second in pairwise(starts))


@given(TEXTS)
def test_no_escape_leaves_the_folded_text(text: str) -> None:
    """The slow path must agree with the fast one where there is nothing to undo."""
    plain = text.replace("&", "").replace("%", "").replace("\\", "")
    if not {"&", "%", "\\"} & set(fold(plain)):
        assert canonical_spans(plain)[0] == fold(plain)


@pytest.mark.parametrize(
    "spelling",
    [
        "<policy>",
        "<PoLiCy>",
        "＜ｐｏｌｉｃｙ＞",
        "‹p\u200bo\u00adlicy›",
        "<роlісу>",
        "〈𝐩𝐨𝐥𝐢𝐜𝐲〉",
        "<p\u0336o\u0336licy>",
        "&lt;policy&gt;",
        "&ltpolicy&gt",
        "&#60;policy&#x3E;",
        "&amp;lt;policy&amp;gt;",
        "&amp;amp;lt;policy>",
        "%3Cpolicy%3E",
        "%253Cpolicy%253E",
        "%EF%BC%9Cpolicy>",
        "\\u003cpolicy\\x3e",
        "\\u{3c}policy>",
        "\\<policy\\>",
        "&l\u200bt;policy>",
        "\U000e0041<policy>",
    ],
)
def test_every_spelling_of_a_tag_is_the_tag(spelling: str) -> None:
    """Whatever a model may read as the tag counts as the tag."""
    assert canonical_spans(spelling)[0] == "<policy>"


@pytest.mark.parametrize(
    "text", ["100 % sure & done", "a && b", "C:\\new\\users", "AT&T; 5 < 6", "&bogus;", "« policy »"]
)
def test_what_is_no_escape_and_no_bracket_stays(text: str) -> None:
    """Text that only looks escaped must keep its offsets and its words."""
    assert "<policy>" not in canonical_spans(text)[0]
    assert canonical_spans("&bogus; %zz \\q")[0] == "&bogus; %zz \\q"


def test_a_span_covers_the_whole_escape() -> None:
    """Neutralising a tag has to replace all of what spells it."""
    text = "x &amp;lt;/policy%3E y"
    canonical, starts, ends = canonical_spans(text)
    place = canonical.index("</policy>")
    assert text[starts[place] : ends[place + len("</policy>") - 1]] == "&amp;lt;/policy%3E"
