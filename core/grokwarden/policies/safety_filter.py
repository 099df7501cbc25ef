"""safety-filter: requests for help with crimes and answers that give it; adult and offensive content only if asked for.

A request is known by how it asks, an answer by how it instructs, so each has rules of its own. A question about a
crime, how to be safe from it, or a story is no request for help with it. Rules alone miss what is paraphrased: see
docs/policies.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from grokwarden.exchange.model import Exchange, Role, Slot
from grokwarden.policies.base import Finding, Policy, SettingProblem
from grokwarden.policies.rules.detector import Detector, Rule, own_pattern_problems, threshold_problems
from grokwarden.policies.rules.safety import ANSWER_RULES, REQUEST_EXCUSES, REQUEST_RULES
from grokwarden.text.patterns import PatternSet
from grokwarden.vocabulary import Action, Need, Phase

_NEVER: Final = frozenset({Role.SYSTEM, Role.DEVELOPER, Role.DEFINITION})


class Category(StrEnum):
    """What may be filtered; the value is the name in resources."""

    CRIMINAL_ACTIVITY = "CriminalActivity"
    ADULT_CONTENT = "AdultContent"
    OFFENSIVE_CONTENT = "OffensiveContent"


_PREFIX: Final = {
    Category.CRIMINAL_ACTIVITY: "criminal-activity/",
    Category.ADULT_CONTENT: "adult-content/",
    Category.OFFENSIVE_CONTENT: "offensive-content/",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``safetyFilter`` block.

    Attributes:
        threshold: The lowest score that is a finding, in [0, 1].
        categories: Whose built-in rules apply.
        patterns: The author's own patterns, RE2, case ignored; reported as ``pattern-1`` and so on.
    """

    threshold: float = 0.8
    categories: tuple[Category, ...] = (Category.CRIMINAL_ACTIVITY,)
    patterns: tuple[str, ...] = ()


class SafetyFilterStep:
    """The compiled policy: one detector for what asks, one for what answers, one for what may be either."""

    __slots__ = ("_answers", "_either", "_requests")

    def __init__(self, settings: Settings) -> None:
        own = PatternSet(settings.patterns)
        prefixes = tuple(_PREFIX[category] for category in settings.categories)

        def detector(rules: Iterable[Rule], excuses: Sequence[str] = ()) -> Detector:
            wanted = [rule for rule in rules if rule.name.startswith(prefixes)]
            return Detector(wanted, own, own_name="pattern", threshold=settings.threshold, excuses=excuses)

        self._requests = detector(REQUEST_RULES, REQUEST_EXCUSES)
        self._answers = detector(ANSWER_RULES)
        self._either = detector(dict.fromkeys((*REQUEST_RULES, *ANSWER_RULES)))

    def judge(self, call: Exchange) -> Iterable[Finding]:  # noqa: ARG002 - the protocol's
        return ()

    def scan(self, text: str, slot: Slot) -> Finding | None:
        if slot.phase in {Phase.TOOL_ARGUMENTS, Phase.TOOL_RESULT}:
            return self._either.worst(text)
        if slot.role in _NEVER:
            return None
        if slot.phase is Phase.RESPONSE or slot.role is Role.ASSISTANT:
            return self._answers.worst(text)
        return (self._requests if slot.role is Role.USER else self._either).worst(text)


def _settings(settings: Mapping[str, Any]) -> Settings:
    return msgspec.convert(settings, Settings, strict=False)


def build(settings: Mapping[str, Any]) -> SafetyFilterStep:
    """The step for checked settings."""
    return SafetyFilterStep(_settings(settings))


def check(settings: Mapping[str, Any]) -> list[SettingProblem]:
    """The patterns that RE2 refuses or that match everything, and a threshold out of range."""
    given = _settings(settings)
    return [*threshold_problems(given.threshold), *own_pattern_problems(given.patterns, "patterns")]


POLICY: Final = Policy(
    name="safety-filter",
    summary="Finds requests for help with crimes and answers that give it; adult and offensive content if asked for.",
    actions=(Action.BLOCK, Action.FLAG),
    sees=MappingProxyType(
        {
            Phase.REQUEST: Need.WHOLE,
            Phase.TOOL_RESULT: Need.WHOLE,
            Phase.RESPONSE: Need.WINDOW,
            Phase.TOOL_ARGUMENTS: Need.WHOLE,
        }
    ),
    build=build,
    check=check,
)
