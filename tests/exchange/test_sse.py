"""Events as bytes."""

from hypothesis import given
from hypothesis import strategies as st

from grokwarden.exchange.sse import EventSplitter, event_data

EVENTS = [
    b'data: {"a": 1}\n\n',
    b": keep-alive\n\n",
    b'event: x\r\ndata: {"b": 2}\r\n\r\n',
    b"data: line one\ndata: line two\n\n",
    b"data:no space\n\n",
    b"data: [DONE]\n\n",
]


@given(st.lists(st.sampled_from(EVENTS), max_size=6), st.data())
def test_any_chunking_gives_the_same_events_byte_for_byte(events: list[bytes], data: st.DataObject) -> None:
    """Networks cut where they like; what reaches the client must not depend on it."""
    stream = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter = EventSplitter()
    out: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += splitter.feed(stream[start:end])

    assert out == events
    assert splitter.rest == b""


def test_half_an_event_is_kept_back() -> None:
    """A client that got half an event would read it as a whole one when the stream ends."""
    splitter = EventSplitter()

    assert splitter.feed(b'data: {"a": 1}\n\ndata: {"b"') == [b'data: {"a": 1}\n\n']
    assert splitter.rest == b'data: {"b"'


def test_data_lines_are_joined_and_comments_have_none() -> None:
    """As the event-stream format says, so that we read what the client's parser reads."""
    assert [event_data(event) for event in EVENTS] == [
        b'{"a": 1}',
        None,
        b'{"b": 2}',
        b"line one\nline two",
        b"no space",
        b"[DONE]",
    ]
