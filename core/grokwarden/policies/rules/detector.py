"""How rules become one finding: the same for every policy that matches patterns.

Each rule that matches anywhere, in the text or in what it decodes to, counts once. Their weights add up like
independent evidence, ``1 - product(1 - weight)``, so weak signs need company and strong ones don't.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import Final

import msgspec

from grokwarden.policies.base import Finding, SettingProblem
from grokwarden.text.decode import MARKERS, decoded, holds_tags
from grokwarden.text.fold import fold
from grokwarden.text.patterns import PatternSet, refusal


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One built-in rule.

    Attributes:
        name: What findings, headers and records call it; part of the contract with users.
        weight: How sure this rule alone is, in (0, 1].
        pattern: RE2 on folded text (lower case, ASCII letters), matched as bytes: no classes of other letters.
    """

    name: str
    weight: float
    pattern: str


_PRECISION: Final = 6


@lru_cache(maxsize=64)
def _built_in(patterns: tuple[str, ...]) -> PatternSet:
    """Patterns of our own, compiled once per process: some ten milliseconds each time, for every pack otherwise."""
    return PatternSet(patterns, on_bytes=True)


class Detector:
    """Rules and an author's own patterns, compiled; immutable and thread-safe."""

    __slots__ = ("_count", "_excuses", "_own", "_own_name", "_rules", "_set", "_threshold")

    def __init__(
        self, rules: Iterable[Rule], own: PatternSet, *, own_name: str, threshold: float, excuses: Sequence[str] = ()
    ) -> None:
        """Compile the rules.

        Args:
            rules: The built-in rules.
            own: The author's patterns; any of them scores 1.
            own_name: An own pattern is reported as this name and its number, from one.
            threshold: The lowest score that is a finding.
            excuses: Patterns on folded text that make harmless what the rules find in plain sight; nothing excuses
                what was encoded, or what an own pattern finds.
        """
        self._rules = tuple(rules)
        self._count = len(self._rules)
        self._set = _built_in((*(rule.pattern for rule in self._rules), *MARKERS))
        self._excuses = _built_in(tuple(excuses))
        self._own = own
        self._own_name = own_name
        self._threshold = threshold

    def worst(self, text: str) -> Finding | None:
        """The finding for a text, or ``None`` below the threshold; the rule named is the heaviest that matched."""
        folded = fold(text)
        data = folded.encode(errors="replace")
        found = self._set.matches(data)
        if own := self._own_finding(text, data):
            return own
        if not found and not holds_tags(text):
            return None
        plain = {index for index in found if index < self._count}
        rules = set(plain)
        for view in decoded(text, folded, [index - self._count for index in found if index >= self._count]):
            view_data = fold(view).encode(errors="replace")
            rules.update(index for index in self._set.matches(view_data) if index < self._count)
            if own := self._own_finding(view, view_data):
                return own
        if not rules or (rules == plain and self._excuses.matches(data)):
            return None
        return self._scored(rules)

    def _own_finding(self, text: str, folded: bytes) -> Finding | None:
        """The author's first pattern found in a text as it is or, where more than case differs, in its folded form."""
        found = self._own.matches(text.encode(errors="replace"))
        if not found and not (text.isascii() and len(text) == len(folded)):
            found = self._own.matches(folded)
        return Finding(rule=f"{self._own_name}-{min(found) + 1}", score=1.0) if found else None

    def _scored(self, indexes: Iterable[int]) -> Finding | None:
        matched = sorted((self._rules[index] for index in indexes), key=lambda rule: (-rule.weight, rule.name))
        score = round(1.0 - prod(1.0 - rule.weight for rule in matched), _PRECISION)
        return Finding(rule=matched[0].name, score=score) if score >= self._threshold else None


def own_pattern_problems(patterns: Sequence[str], field: str) -> list[SettingProblem]:
    """Every own pattern that can't be used, and why."""
    problems = [
        SettingProblem(path=f"{field}[{index}]", message=f"the pattern can't be used: {reason}; write RE2 syntax")
        for index, pattern in enumerate(patterns)
        if (reason := refusal(pattern)) is not None
    ]
    if not problems and not PatternSet.fits(patterns):
        message = "together the patterns are too large to compile; shorten them or their repetitions"
        problems.append(SettingProblem(path=field, message=message))
    return problems


def threshold_problems(threshold: float) -> list[SettingProblem]:
    """Whether the threshold is no score."""
    if 0.0 <= threshold <= 1.0:
        return []
    return [SettingProblem(path="threshold", message='expected a number from "0" to "1", such as "0.8"')]
