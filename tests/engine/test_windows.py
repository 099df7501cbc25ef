"""The windows of a text are a function of the text."""

from hypothesis import given
from hypothesis import strategies as st

from grokwarden.engine.windows import STRIDE, WIDTH, WindowCutter, windows


@given(st.integers(0, 2000), st.lists(st.integers(1, 700), max_size=12))
def test_any_chunking_gives_the_windows_of_the_whole(length: int, sizes: list[int]) -> None:
    """A stream flag must never change a verdict."""
    text = "".join(chr(0x100 + i) for i in range(length))
    cutter = WindowCutter()
    seen: list[str] = []
    position = 0
    for size in [*sizes, length]:
        seen += cutter.feed(text[position : position + size])
        position += size
    tail = cutter.tail()

    assert [*seen, *([tail] if tail is not None else [])] == list(windows(text))


@given(st.integers(1, 3000))
def test_every_character_is_in_a_window_and_windows_start_at_the_stride(length: int) -> None:
    """A character in no window is a character that nobody looked at."""
    text = "".join(chr(0x100 + i) for i in range(length))
    starts = [text.index(window[0]) for window in windows(text)]
    covered = {
        i for start, window in zip(starts, windows(text), strict=True) for i in range(start, start + len(window))
    }

    assert all(start % STRIDE == 0 for start in starts)
    assert all(len(window) <= WIDTH for window in windows(text))
    assert covered == set(range(length))
