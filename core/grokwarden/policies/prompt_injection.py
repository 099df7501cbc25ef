"""prompt-injection: texts that try to take the model over, found by rules in what users and tools write.

Only texts from outside are read: what the application itself wrote, such as its system message, its tools'
definitions and the answers it kept, is never scanned. Rules alone catch what is phrased like an attack:
docs/policies says what they miss.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from grokwarden.exchange.model import Exchange, Role, Slot
from grokwarden.policies.base import Finding, Policy, SettingProblem
from grokwarden.policies.rules.detector import Detector, own_pattern_problems, threshold_problems
from grokwarden.policies.rules.injection import INJECTION_EXCUSES, INJECTION_RULES
from grokwarden.text.patterns import PatternSet
from grokwarden.vocabulary import Action, Need, Phase

_OUTSIDERS: Final = frozenset({Role.USER, Role.TOOL, Role.FUNCTION})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``promptInjection`` block.

    Attributes:
        threshold: The lowest score that is a finding, in [0, 1].
        attack_patterns: The author's own patterns, RE2, case ignored; reported as ``attack-pattern-1`` and so on.
    """

    threshold: float = 0.8
    attack_patterns: tuple[str, ...] = ()


class PromptInjectionStep:
    """The compiled policy."""

    __slots__ = ("_detector",)

    def __init__(self, settings: Settings) -> None:
        self._detector = Detector(
            INJECTION_RULES,
            PatternSet(settings.attack_patterns),
            own_name="attack-pattern",
            threshold=settings.threshold,
            excuses=INJECTION_EXCUSES,
        )

    def judge(self, call: Exchange) -> Iterable[Finding]:  # noqa: ARG002 - the protocol's
        return ()

    def scan(self, text: str, slot: Slot) -> Finding | None:
        return self._detector.worst(text) if slot.role in _OUTSIDERS else None


def _settings(settings: Mapping[str, Any]) -> Settings:
    return msgspec.convert(settings, Settings, strict=False)


def build(settings: Mapping[str, Any]) -> PromptInjectionStep:
    """The step for checked settings."""
    return PromptInjectionStep(_settings(settings))


def check(settings: Mapping[str, Any]) -> list[SettingProblem]:
    """The patterns that RE2 refuses or that match everything, and a threshold out of range."""
    given = _settings(settings)
    return [*threshold_problems(given.threshold), *own_pattern_problems(given.attack_patterns, "attackPatterns")]


POLICY: Final = Policy(
    name="prompt-injection",
    summary="Finds texts of users and tools that try to override the instructions, or to make the model reveal them.",
    actions=(Action.BLOCK, Action.FLAG),
    sees=MappingProxyType({Phase.REQUEST: Need.WHOLE, Phase.TOOL_RESULT: Need.WHOLE}),
    build=build,
    check=check,
)
