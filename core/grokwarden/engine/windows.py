"""The windows of a text that a scored policy sees in an answer: fixed offsets, whatever the chunks it came in."""

from collections.abc import Iterator
from typing import Final

WIDTH: Final = 512
STRIDE: Final = 128


class WindowCutter:
    """Gives each window of a growing text as soon as it is complete, and the tail at the end.

    The windows are ``text[k * STRIDE : k * STRIDE + WIDTH]`` and what is left behind the last of them, so they are a
    function of the whole text alone.
    """

    __slots__ = ("_pending", "_unseen")

    def __init__(self) -> None:
        self._pending = ""
        self._unseen = 0

    def feed(self, text: str) -> Iterator[str]:
        """The windows that ``text`` completes."""
        self._pending = pending = self._pending + text
        self._unseen += len(text)
        start = 0
        while len(pending) - start >= WIDTH:
            yield pending[start : start + WIDTH]
            start += STRIDE
        if start:
            self._pending = pending[start:]
            self._unseen = len(self._pending) - (WIDTH - STRIDE)

    def tail(self) -> str | None:
        """What no window has covered, with the overlap before it; ``None`` if there is nothing."""
        return self._pending if self._unseen else None


def windows(text: str) -> Iterator[str]:
    """All windows of a whole text, the tail last."""
    cutter = WindowCutter()
    yield from cutter.feed(text)
    if (tail := cutter.tail()) is not None:
        yield tail
