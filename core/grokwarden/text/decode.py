"""What a text says once it is decoded: Base64, Base32, hex, escapes, letters apart, digits for letters, tag characters.

A view is for matching only. Everything is linear in the text: all Base64 runs of one layer make one view, so no number
of decoys can hide the one that counts. A text without any marker costs one pass of one automaton, or none at all where
the caller matches the markers together with patterns of its own.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final

from grokwarden.text.escapes import without_escapes
from grokwarden.text.fold import fold
from grokwarden.text.patterns import PatternSet

_DEPTH_LIMIT: Final = 3
_VIEW_LIMIT: Final = 16
_PRINTABLE_SHARE: Final = 0.9
_SHORTEST_RUN: Final = 20

_RUNS, _ESCAPE, _SPACED, _DIGITS = range(4)
MARKERS: Final = (
    rf"[a-z0-9]{{{_SHORTEST_RUN}}}",
    r"%[0-9a-fu][0-9a-f]|&[a-z#][a-z0-9]|\\[xu][0-9a-f{]|\\[<>/]",
    r"\b[a-z](?:[ ._*-][a-z]){5}\b",
    "|".join(
        (
            r"[i1!|l][g69]n[o0]r[e3]",
            r"[i1!|]n[s5$][t7+]ru?[c(]?[t7+]",
            r"pr[o0]?mp[t7+]",
            r"[s5$]y[s5$][t7+][e3]m",
            r"r[e3]v[e3][a4@][l1|!]",
            r"[s5$][a4@]f[e3][t7+]y",
            r"r[e3][s5$][t7+]r[i1!|][c(]",
            r"[b8]yp[a4@][s5$]",
            r"pr[e3]v[i1!|][o0]u",
            r"j[a4@][i1!|][l1|!]b",
            r"d[e3]v[e3][l1|!][o0]p",
        )
    ),
)
"""RE2 on folded text, as bytes: signs that something may be encoded, each for one way of encoding."""
_MARKERS: Final = PatternSet(MARKERS, on_bytes=True)
_TAG_BYTES: Final = (b"\xf3\xa0\x80", b"\xf3\xa0\x81")
_RUN: Final = re.compile(
    rf"[A-Za-z0-9+/_-]{{{_SHORTEST_RUN},}}={{0,2}}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]{{4,}}={{0,2}}(?![^\s=]))*"
)
_URL_SAFE: Final = str.maketrans("-_", "+/", "= \t\r\n")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE32: Final = re.compile(r"[A-Z2-7]+")
_LETTERS_APART: Final = re.compile(r"\b[^\W\d_](?:[ ._*-][^\W\d_]){5,}\b")
_DIGITS_AS_LETTERS: Final = str.maketrans("0134578@$!|+6", "oieastbasiitg")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]+")


def _run_bytes(run: str) -> bytes:
    """What a run encodes: hexadecimal or Base32 if it can be that, Base64 otherwise."""
    compact = run.translate(_URL_SAFE)
    if _HEX.fullmatch(compact):
        return bytes.fromhex(compact)
    if _BASE32.fullmatch(compact):
        return base64.b32decode(compact[: len(compact) // 8 * 8])
    compact = compact[: len(compact) - (len(compact) % 4 == 1)]
    return binascii.a2b_base64(compact + "=" * (-len(compact) % 4))


def _run_text(run: str) -> str | None:
    """The text that a run encodes; ``None`` if it encodes none."""
    try:
        text = _run_bytes(run).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = sum(map(str.isprintable, text)) + text.count("\n") + text.count("\t") + text.count("\r")
    return text if printable >= _PRINTABLE_SHARE * len(text) else None


def _runs_view(text: str) -> str:
    """Every run of Base64, Base32 or hexadecimal digits decoded; a wrapped run that fails is tried line by line."""
    found: list[str] = []
    for match in _RUN.finditer(text):
        whole = _run_text(match[0])
        candidates = [whole] if whole is not None or "\n" not in match[0] else map(_run_text, match[0].split())
        found += (decoded for decoded in candidates if decoded)
    return "\n".join(found)


def _hidden_text(text: str) -> str:
    """What invisible tag characters spell."""
    return "\n".join("".join(chr(ord(char) - 0xE0000) for char in run) for run in _TAGS.findall(text))


def _joined_letters(match: re.Match[str]) -> str:
    return match[0][::2]


def _layer(text: str, folded: str, signs: Iterable[int]) -> Iterator[str]:
    """The views one decoding away."""
    for sign in signs:
        if sign == _RUNS:
            yield _runs_view(text)
        elif sign == _ESCAPE:
            yield without_escapes(text)
        elif sign == _SPACED:
            yield _LETTERS_APART.sub(_joined_letters, folded)
        elif sign == _DIGITS:
            yield folded.translate(_DIGITS_AS_LETTERS)
    if holds_tags(text):
        yield _hidden_text(text)


def holds_tags(text: str) -> bool:
    """Whether there are invisible tag characters."""
    if text.isascii():
        return False
    data = text.encode(errors="replace")
    return any(tag in data for tag in _TAG_BYTES)


def decoded(text: str, folded: str, signs: Iterable[int]) -> Iterator[str]:
    """Decoded variants of a text, nested up to three deep.

    Args:
        text: As it came, since Base64 distinguishes case.
        folded: ``fold(text)``.
        signs: The indexes of the ``MARKERS`` that match ``folded``.
    """
    seen = {text, folded}
    level = [(text, folded, signs)]
    for _ in range(_DEPTH_LIMIT):
        deeper: list[tuple[str, str, Iterable[int]]] = []
        for layer in level:
            for view in _layer(*layer):
                if not view or view in seen:
                    continue
                if len(seen) > _VIEW_LIMIT:
                    return
                seen.add(view)
                view_folded = fold(view)
                deeper.append((view, view_folded, _MARKERS.matches(view_folded.encode(errors="replace"))))
                yield view
        level = deeper


def views(text: str) -> Iterator[str]:
    """Decoded variants of a text, nested up to three deep; nothing for a text that encodes nothing."""
    folded = fold(text)
    return decoded(text, folded, _MARKERS.matches(folded.encode(errors="replace")))
