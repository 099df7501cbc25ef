"""What a text says once it is decoded: Base64, escapes, spaced-out letters, digits for letters, invisible tag characters.

A view is for matching only. Everything is linear in the text: all Base64 runs of one layer make one view, so no number of
decoys can hide the one that counts. A text without any marker costs one pass of one automaton.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Final

from grokwarden.text.escapes import without_escapes
from grokwarden.text.fold import fold
from grokwarden.text.patterns import PatternSet

_DEPTH_LIMIT: Final = 3
_VIEW_LIMIT: Final = 16
_PRINTABLE_SHARE: Final = 0.9
_SHORTEST_RUN: Final = 20

_BASE64, _ESCAPE, _SPACED, _DIGITS = range(4)
_MARKERS: Final = PatternSet(
    (
        rf"[a-z0-9+/_-]{{{_SHORTEST_RUN}}}",
        r"%[0-9a-fu][0-9a-f]|&[a-z#][a-z0-9]|\\[xu][0-9a-f{]|\\[<>/]",
        r"\b[a-z](?:[ ._*-][a-z]){5}\b",
        r"[a-z][0134578@$!|+][a-z]|\b[a-z][0134578@$!|+][0-9@$!|+]?[a-z]",
    ),
    on_bytes=True,
)
_RUN: Final = re.compile(
    rf"[A-Za-z0-9+/_-]{{{_SHORTEST_RUN},}}={{0,2}}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]{{4,}}={{0,2}}(?![^\s=]))*"
)
_URL_SAFE: Final = str.maketrans("-_", "+/", "= \t\r\n")
_LETTERS_APART: Final = re.compile(r"\b[^\W\d_](?:[ ._*-][^\W\d_]){5,}\b")
_DIGITS_AS_LETTERS: Final = str.maketrans("0134578@$!|+6", "oieastbasiitg")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]+")


def _base64_text(run: str) -> str | None:
    """The text that a run encodes; ``None`` if it encodes none."""
    compact = run.translate(_URL_SAFE)
    compact = compact[: len(compact) - (len(compact) % 4 == 1)]
    try:
        text = binascii.a2b_base64(compact + "=" * (-len(compact) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = sum(map(str.isprintable, text)) + text.count("\n") + text.count("\t") + text.count("\r")
    return text if printable >= _PRINTABLE_SHARE * len(text) else None


def _base64_view(text: str) -> str:
    """Every run of Base64 decoded, one per line; a wrapped run that fails as a whole is tried line by line."""
    found: list[str] = []
    for match in _RUN.finditer(text):
        whole = _base64_text(match[0])
        candidates = [whole] if whole is not None or "\n" not in match[0] else map(_base64_text, match[0].split())
        found += (decoded for decoded in candidates if decoded)
    return "\n".join(found)


def _hidden_text(text: str) -> str:
    """What invisible tag characters spell."""
    return "\n".join("".join(chr(ord(char) - 0xE0000) for char in run) for run in _TAGS.findall(text))


def _joined_letters(match: re.Match[str]) -> str:
    return match[0][::2]


def _layer(text: str, folded: str) -> Iterator[str]:
    """The views one decoding away."""
    for marker in _MARKERS.matches(folded.encode(errors="replace")):
        if marker == _BASE64:
            yield _base64_view(text)
        elif marker == _ESCAPE:
            yield without_escapes(text)
        elif marker == _SPACED:
            yield _LETTERS_APART.sub(_joined_letters, folded)
        elif marker == _DIGITS:
            yield folded.translate(_DIGITS_AS_LETTERS)
    if not text.isascii() and (hidden := _hidden_text(text)):
        yield hidden


def views(text: str, folded: str | None = None) -> Iterator[str]:
    """Decoded variants of a text, nested up to three deep; nothing for a text that encodes nothing.

    Args:
        text: As it came, since Base64 distinguishes case.
        folded: ``fold(text)``, if the caller has it already.
    """
    seen = {text}
    level = [(text, fold(text) if folded is None else folded)]
    for _ in range(_DEPTH_LIMIT):
        deeper: list[tuple[str, str]] = []
        for parent, parent_folded in level:
            for view in _layer(parent, parent_folded):
                if not view or view in seen:
                    continue
                if len(seen) > _VIEW_LIMIT:
                    return
                seen.add(view)
                deeper.append((view, fold(view)))
                yield view
        level = deeper
        if not level:
            return
