"""The escapes that a model reads as the character they stand for: HTML entities, percent, and backslash escapes.

A browser's rules are not followed to the letter: what a reader would take for an escape counts as one, such as an
entity without its semicolon. What can't be decoded stays as it is. All of it is one pass over the text.
"""

import re
from dataclasses import dataclass
from html.entities import html5
from typing import Final

_ESCAPE: Final = re.compile(
    r"&#x(?P<hex>[0-9a-f]{1,8});?"
    r"|&#(?P<dec>[0-9]{1,10});?"
    r"|&(?P<name>[a-z][a-z0-9]{1,31})(?P<end>;?)"
    r"|(?P<percent>%[c-f][0-9a-f](?:%[89ab][0-9a-f]){1,3}|%[0-7][0-9a-f])"
    r"|%u(?P<percent_u>[0-9a-f]{4})"
    r"|\\u(?P<high>d[89ab][0-9a-f]{2})\\u(?P<low>d[c-f][0-9a-f]{2})"
    r"|\\(?P<plain>[<>/])"
    r"|\\(?:x(?P<x>[0-9a-f]{2})|u(?:(?P<u>[0-9a-f]{4})|\{(?P<braced>[0-9a-f]{1,6})\})|u(?P<long>000[01][0-9a-f]{4}))",
    re.IGNORECASE | re.ASCII,
)
_SIGN: Final = re.compile(r"&[#a-z]|%[0-9a-fu]|\\[xu<>/]", re.IGNORECASE | re.ASCII)


def _entities() -> dict[str, str]:
    """Characters by entity name without semicolon; names that differ in case only keep the lower-case one."""
    names: dict[str, str] = {}
    for name, char in sorted(html5.items()):
        names[name.rstrip(";").lower()] = char
    return names


_ENTITIES: Final = _entities()
_BARE_ENTITIES: Final = frozenset(name.lower() for name in html5 if not name.endswith(";")) | {
    "sol",
    "lsaquo",
    "rsaquo",
}
_LONGEST_BARE: Final = max(map(len, _BARE_ENTITIES))


@dataclass(frozen=True, slots=True)
class Spans:
    """A text, and the span of the original text that each of its characters came from."""

    text: str
    starts: list[int]
    ends: list[int]


def holds_escape(text: str) -> bool:
    """Whether there may be an escape; costs a scan for three characters when there is none."""
    return ("&" in text or "%" in text or "\\" in text) and _SIGN.search(text) is not None


def _character(code: int) -> str | None:
    return None if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


def _named(name: str, end: str) -> tuple[str | None, int]:
    """What an entity's name stands for, and how much of the name belongs to it."""
    lowered = name.lower()
    if (end or lowered in _BARE_ENTITIES) and lowered in _ENTITIES:
        return _ENTITIES[lowered], len(name) + len(end)
    for length in range(min(len(name), _LONGEST_BARE), 1, -1):
        if lowered[:length] in _BARE_ENTITIES:
            return _ENTITIES[lowered[:length]], length
    return None, 0


def _decode(match: re.Match[str]) -> tuple[str | None, int]:
    """What one escape stands for and where it ends; ``None`` if it stands for nothing."""
    kind, value = match.lastgroup, match[match.lastgroup or 0]
    if kind == "end":
        char, length = _named(match["name"], value)
        return char, match.start() + 1 + length
    if kind == "plain":
        return value, match.end()
    if kind == "percent":
        try:
            return bytes.fromhex(value.replace("%", "")).decode(), match.end()
        except UnicodeDecodeError:
            return None, match.end()
    if kind == "low":
        return chr(0x10000 + ((int(match["high"], 16) & 0x3FF) << 10) + (int(value, 16) & 0x3FF)), match.end()
    return _character(int(value, 10 if kind == "dec" else 16)), match.end()


def undo_escapes(spans: Spans) -> Spans:
    """One layer of escapes undone; the same object if nothing could be undone."""
    text, position = spans.text, 0
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _ESCAPE.finditer(text):
        char, end = _decode(match)
        if char is None:
            continue
        begin = match.start()
        pieces += (text[position:begin], char)
        starts += spans.starts[position:begin]
        ends += spans.ends[position:begin]
        starts += [spans.starts[begin]] * len(char)
        ends += [spans.ends[end - 1]] * len(char)
        position = end
    if not pieces:
        return spans
    pieces.append(text[position:])
    return Spans("".join(pieces), starts + spans.starts[position:], ends + spans.ends[position:])


def without_escapes(text: str) -> str:
    """The text with one layer of escapes undone, where offsets don't matter."""

    def replacement(match: re.Match[str]) -> str:
        char, end = _decode(match)
        return match[0] if char is None else char + match[0][end - match.start() :]

    return _ESCAPE.sub(replacement, text)
