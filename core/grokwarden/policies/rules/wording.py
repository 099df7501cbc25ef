"""The notation of the rules, so that they read as word lists and sentences rather than as regular expressions."""

import re
from textwrap import dedent
from typing import Final

_GAP: Final = re.compile(r"~(\d)")
_CONTINUED: Final = re.compile(r"\|\s+")


def alternatives(words: str) -> str:
    """One group that matches any of the words; white space stands between two of them, ``_`` is a space within one.

    A line that ends with ``|`` goes on with the next one.
    """
    return "(?:" + "|".join(_CONTINUED.sub("|", words).split()).replace("_", " ") + ")"


def pattern(template: str) -> str:
    """An RE2 pattern from several lines: line breaks and the common indentation don't count, ``~3`` is a gap.

    A gap is up to so many words, with what separates them, within one sentence. Gaps count words and not characters,
    because the automaton would need a state per character: hostile texts would then cost twenty times as much.
    """
    lines = "".join(dedent(template).splitlines())
    return _GAP.sub(lambda gap: rf"(?:[^a-z0-9.?!]{{1,3}}[a-z0-9']+){{0,{gap[1]}}}[^a-z0-9.?!]{{1,3}}", lines)
