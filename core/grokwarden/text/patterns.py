"""Many RE2 patterns as one automaton: linear in the text whatever the patterns, with no backtracking."""

from collections.abc import Sequence
from typing import Final

import re2

_MEMORY_BYTES: Final = 16 << 20
_MEMORY_BYTES_PER_CHARACTER: Final = 128
_PATTERN_MEMORY_BYTES: Final = 1 << 20


def _options(*, on_bytes: bool, memory_bytes: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory_bytes
    options.log_errors = False
    options.case_sensitive = on_bytes
    options.never_capture = True
    if on_bytes:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


def _compiled(patterns: Sequence[str], *, on_bytes: bool) -> re2.Set:
    memory_bytes = _MEMORY_BYTES + _MEMORY_BYTES_PER_CHARACTER * sum(map(len, patterns))
    compiled = re2.Set.SearchSet(_options(on_bytes=on_bytes, memory_bytes=memory_bytes))
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled


class PatternSet:
    """Patterns compiled together; immutable and thread-safe."""

    __slots__ = ("_set",)

    def __init__(self, patterns: Sequence[str], *, on_bytes: bool = False) -> None:
        """Compile the patterns.

        Args:
            patterns: RE2 syntax.
            on_bytes: Take the text as bytes and case as it is, for patterns that are ASCII and meant for folded text:
                a smaller, faster automaton. Otherwise characters count, and case does not.
        """
        self._set: re2.Set | None = None
        if patterns:
            self._set = _compiled(patterns, on_bytes=on_bytes)

    @staticmethod
    def fits(patterns: Sequence[str]) -> bool:
        """Whether patterns that are usable one by one can be compiled together."""
        try:
            PatternSet(patterns)
        except re2.error:
            return False
        return True

    def matches(self, data: bytes) -> Sequence[int]:
        """The indexes of the patterns found in a UTF-8 text, in no particular order."""
        return () if self._set is None else self._set.Match(data) or ()


def refusal(pattern: str) -> str | None:
    """Why a pattern can't be used; ``None`` if it can."""
    options = _options(on_bytes=False, memory_bytes=_PATTERN_MEMORY_BYTES)
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown reason"
        return f"RE2 refuses it: {reason.decode() if isinstance(reason, bytes) else reason}"
    if compiled.search("") is not None:
        return "it matches the empty string, so it would match every text"
    return None
