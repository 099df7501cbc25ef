"""Server-sent events as bytes: whole events come out as they came in, whatever the chunks they arrived in."""

from typing import Final

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
_FIELDS: Final = (b"event:", b"id:", b"retry:", b":")


class EventTooLongError(ValueError):
    """An event exceeded ``MAX_EVENT_BYTES``; the rest of the stream can't be trusted."""


class EventSplitter:
    """Cuts a byte stream into events; each includes the blank line that ends it."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are complete now.

        Raises:
            EventTooLongError: An event has no end in sight.
        """
        is_one_line = chunk.find(b"\n") == len(chunk) - 2 and chunk.endswith(b"\n\n")
        if is_one_line and not self._rest and chunk.find(b"\r") == -1:  # as providers send them
            return [chunk]
        data = self._rest + chunk if self._rest else chunk
        events = []
        start = 0
        while (end := _event_end(data, start)) != -1:
            events.append(data[start:end])
            start = end
        self._rest = data[start:]
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLongError(f"an event of the stream exceeds {MAX_EVENT_BYTES} bytes")
        return events

    @property
    def rest(self) -> bytes:
        """What came after the last complete event."""
        return self._rest


def _event_end(data: bytes, start: int) -> int:
    """The offset behind the next blank line, or -1."""
    plain = data.find(b"\n\n", start)
    if data.find(b"\r", start, plain if plain != -1 else len(data)) == -1:
        return plain + 2 if plain != -1 else -1
    crlf = data.find(b"\r\n\r\n", start)
    ends = [end for end in (plain + 2 if plain != -1 else -1, crlf + 4 if crlf != -1 else -1) if end != -1]
    return min(ends) if ends else -1


class UnreadableEventError(ValueError):
    """A line that is none of the format's: some parsers would read it as data, and some not."""


def event_data(event: bytes) -> bytes | None:
    """The event's data lines joined, or ``None`` for an event without data."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = [_value(line) for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def event_asides(event: bytes) -> str:
    """What the event says beside its data: comments, its type, its id. Empty for nearly all.

    Raises:
        UnreadableEventError: A line begins like no field of the format.
    """
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return ""
    asides = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
    if not all(line.startswith(_FIELDS) for line in asides):
        raise UnreadableEventError("a line of the stream is no field of an event")
    return " ".join(line.partition(b":")[2].decode(errors="replace").strip() for line in asides)


def _value(line: bytes) -> bytes:
    value = line[5:]
    return value[1:] if value.startswith(b" ") else value
