"""One form for every spelling of a text, so that a rule need not know homoglyphs, invisible characters or escapes.

Folding works character by character, whatever stands beside it: offsets stay exact and the cost stays linear. It is for
matching only; nothing folded is ever sent on.
"""

import unicodedata
from typing import Final

from grokwarden.catalog.confusables import LOOK_ALIKES
from grokwarden.text.escapes import Spans, holds_escape, undo_escapes

_TABLE_LIMIT: Final = 16_384
NESTING_LIMIT: Final = 3
_LOOK_ALIKE: Final = {char: plain for plain, chars in LOOK_ALIKES.items() for char in chars}
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cs"})
_IGNORABLE: Final = ((0x115F, 0x1160), (0x2065, 0x2065), (0x3164, 0x3164), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8))
_WHITE_SPACE: Final = frozenset("\t\n\v\f\r")
_TAG_BLOCK: Final = (0xE0000, 0xE0FFF)
_LINE_BREAKS: Final = frozenset("\u2028\u2029")
_CONTROLS: Final = bytes((*range(9), *range(14, 32), 127))  # white space is none of them
_HANGUL: Final = ("\uac00", "\ud7a3")


class _FoldTable(dict[int, str]):
    """What each character folds to, filled as characters are met and bounded, since clients choose the characters."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        if len(self) >= _TABLE_LIMIT:
            self.clear()
        self[code] = folded
        return folded


def _is_invisible(char: str) -> bool:
    code = ord(char)
    ranges = (*_IGNORABLE, _TAG_BLOCK)
    if code < 0xA0 and unicodedata.category(char) == "Cc":
        return char not in _WHITE_SPACE
    return unicodedata.category(char) in _DROPPED or any(first <= code <= last for first, last in ranges)


def _fold_once(char: str) -> str:
    if char.isascii():
        return char.lower()
    if char in _LINE_BREAKS:
        return "\n"
    if char == "\u2800" or unicodedata.category(char) == "Zs":
        return " "
    if _HANGUL[0] <= char <= _HANGUL[1]:
        return char
    if (plain := _LOOK_ALIKE.get(char)) is not None:
        return plain
    return "".join(part for part in unicodedata.normalize("NFKD", char).lower() if not _is_invisible(part))


def _fold_character(char: str) -> str:
    """The fixed point of folding one character; every known character reaches it within three rounds."""
    if _is_invisible(char):
        return ""
    folded = _fold_once(char)
    while folded != (again := "".join(map(_fold_once, folded))):
        folded = again
    return folded


_TABLE: Final = _FoldTable()


def fold(text: str) -> str:
    """The text in lower case, without marks and invisible characters, look-alikes of ASCII replaced by ASCII.

    Folding what is folded changes nothing. Plain ASCII only becomes lower case.
    """
    if not text.isascii():
        return text.translate(_TABLE)
    lowered = text.lower()
    return lowered if lowered.isprintable() else lowered.encode().translate(None, _CONTROLS).decode()


def visible(text: str) -> str:
    """The text without invisible characters, everything else as it is.

    Invisible characters push words apart for whoever counts characters, and not for whoever reads.
    """
    if text.isascii():
        return text if text.isprintable() else text.encode().translate(None, _CONTROLS).decode()
    return "".join([char for char in text if _TABLE[ord(char)] or not _is_invisible(char)])


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """What ``fold`` returns, and for each of its characters the index of the original character it came from."""
    if text.isascii() and text.isprintable():
        return text.lower(), list(range(len(text)))
    pieces = [_TABLE[ord(char)] for char in text]
    return "".join(pieces), [index for index, piece in enumerate(pieces) for _ in piece]


def canonical_spans(text: str) -> tuple[str, list[int], list[int]]:
    """The folded text with every escape undone, and for each of its characters the original span that produced it.

    HTML entities, percent escapes and backslash escapes count as the character they stand for, nested up to three deep.

    Returns:
        The canonical text, and the start and the end (exclusive) of each of its characters in ``text``.
    """
    folded, starts = fold_with_offsets(text)
    spans = Spans(folded, starts, [start + 1 for start in starts])
    for _ in range(NESTING_LIMIT):
        if not holds_escape(spans.text):
            break
        undone = undo_escapes(spans)
        if undone is spans:
            break
        refolded, indexes = fold_with_offsets(undone.text)
        spans = Spans(refolded, [undone.starts[i] for i in indexes], [undone.ends[i] for i in indexes])
    return spans.text, spans.starts, spans.ends
