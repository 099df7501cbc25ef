"""JSON that is nested too deep to be read is cut, and nothing else of it is touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden_operator.cluster.shallow_json import MAX_DEPTH, shallow

DEEPEST = 10_000
"""What an API server takes."""


def nested(levels: int, left: str = '{"a":', right: str = "}") -> bytes:
    return f"{left * levels}1{right * levels}".encode()


def depth_of(value: object) -> int:
    depth = 0
    while isinstance(value, dict):
        depth, value = depth + 1, value.get("a")
    return depth


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, DEEPEST])
def test_what_is_too_deep_is_cut(levels):
    """One pack like that would keep the operator from reading the list of all of them."""
    assert depth_of(json.loads(shallow(nested(levels)))) == MAX_DEPTH


@pytest.mark.parametrize("levels", [1, 150, MAX_DEPTH])
def test_what_is_not_too_deep_stays(levels):
    """The test that a pack carries is run as its author wrote it."""
    assert shallow(nested(levels)) == nested(levels)


def test_what_stands_beside_it_stays():
    """The list's other packs are somebody else's."""
    poison = nested(DEEPEST, "[", "]").decode()
    text = f'{{"items":[{{"x":{poison},"s":"\\"}}]{{[\\\\"}},{{"name":"bot","list":[{poison},2]}}]}}'
    found = json.loads(shallow(text.encode()))

    assert found["items"][0]["s"] == '"}]{[\\'
    assert found["items"][1]["name"] == "bot"
    assert found["items"][1]["list"][1] == 2


@pytest.mark.parametrize("text", [b"", b"[" * 5000, b"}" * 5000, b'{"a":"' + b"{" * 5000, b"<html>" + b"{[" * 5000])
def test_what_is_no_json_stays_that(text):
    """Whoever decodes it says what is wrong with it."""
    assert shallow(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda some: st.lists(some) | st.dictionaries(st.text(), some),
        max_leaves=300,
    )
)
def test_other_json_is_the_same_as_before(value):
    """Every list and every event goes through here."""
    text = json.dumps([value, [[]] * (MAX_DEPTH + 1)]).encode()

    assert shallow(text) == text
