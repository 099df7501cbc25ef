"""Lists, counts and lengths in messages that people read, bounded whatever goes in."""

from collections.abc import Iterable, Sequence
from typing import Final

from grokwarden.errors import Problem

MAX_STATUS_CHARACTERS: Final = 8192
"""Of a condition's message. The schema allows 32768; a guess of what still helps."""
_MOST_PROBLEMS: Final = 50
_MOST_NAMES: Final = 5


def clipped(text: str, characters: int = MAX_STATUS_CHARACTERS) -> str:
    """The text, at most that long, with an ellipsis where something is left out."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def names_text(names: Sequence[str]) -> str:
    """``a, b, c, d, e and 7 more``."""
    shown, left = names[:_MOST_NAMES], len(names) - _MOST_NAMES
    return ", ".join(shown) + (f" and {left} more" if left > 0 else "")


def problems_text(problems: Iterable[Problem]) -> str:
    """Each problem once, with its field path, without the resource that it stands in anyway."""
    texts = list(dict.fromkeys(": ".join(part for part in (p.path, p.message) if part) for p in problems))
    left = len(texts) - _MOST_PROBLEMS
    return "; ".join(texts[:_MOST_PROBLEMS]) + (f"; and {left} more" if left > 0 else "")


def count_text(count: int, noun: str) -> str:
    """``1 pod``, ``2 pods``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def one_line(text: str) -> str:
    """What somebody else wrote, without line breaks and other characters that are no text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
