"""Decoded views: found however nested, bounded whatever comes."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.text.decode import views
from grokwarden.text.fold import canonical_spans

SIZE = 400_000


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@given(st.text(st.characters(categories=["L", "N", "Zs"], max_codepoint=0x24F), min_size=24), st.integers(1, 3))
def test_base64_is_found_up_to_three_deep(text: str, depth: int) -> None:
    """Wrapping an attack once more must not hide it."""
    encoded = text
    for _ in range(depth):
        encoded = _base64(encoded)
    assert text in list(views(encoded))


@pytest.mark.parametrize("text", ["A plain sentence about tickets.", "x = a[1] + b[2]  # done", "Grüße aus Köln"])
def test_clean_text_has_no_views(text: str) -> None:
    """Every view costs a scan."""
    assert list(views(text)) == []


def test_binary_is_no_text() -> None:
    """A checksum or a key is no message."""
    assert list(views(base64.b64encode(bytes(range(128, 256))).decode())) == []


@pytest.mark.parametrize(
    "unit",
    [
        "&amp;",
        "&",
        "%",
        "%2525253c",
        "\\u",
        "&lt",
        "QUFB",
        "QUFBQUFBQUFBQUFBQUFBQUFB\n",
        "a b c d e ",
        "ignore 1gn0re ",
        "é",
        "＆amp;",
    ],
)
def test_hostile_repetition_costs_linear_time(unit: str) -> None:
    """One long message must not hold up the others: ten times the text, not a hundred times the work."""

    def seconds(size: int) -> float:
        text = (unit * (size // len(unit.encode()) + 1))[:size]
        begin = time.process_time()
        list(views(text))
        canonical_spans(text)
        return time.process_time() - begin

    small = min(seconds(SIZE // 10) for _ in range(2))
    assert seconds(SIZE) < 40 * small + 0.1
