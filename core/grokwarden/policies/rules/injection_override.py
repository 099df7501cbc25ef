"""Rules for texts that tell the model to drop its instructions, or that these no longer hold."""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection_words import DROP, EARLIER, LIMITS, MEDIUM, ORDERS, STRONG
from grokwarden.policies.rules.wording import pattern

OVERRIDE_RULES: Final = (
    Rule("ignore-instructions", STRONG, pattern(rf"\b{DROP}(?: any of| all of| each of)?~2{EARLIER}~2{ORDERS}\b")),
    Rule("ignore-limits", STRONG, pattern(rf"\b{DROP}~2your~2{LIMITS}\b")),
    Rule(
        "ignore-everything-before",
        STRONG,
        pattern(r"""
            \b(?:ignore|forget|disregard)~1(?:everything|anything|all|whatever|what)(?: text| that| of)?~4(?:above
            |before|previously|prior|earlier|you were told|you have been told|until now|so far)\b
        """),
    ),
    Rule(
        "bypass-safety",
        MEDIUM,
        pattern(rf"""
            \b{DROP}~2(?:safety|safeguards|guard ?rails|content (?:filter|polic|moderation|restriction)\w*
            |restrictions|rules|ethical (?:guidelines|constraints)|moderation|openai(?:'s)? (?:\w+ )?(?:polic(?:y|ies)
            |guidelines|rules)|guidelines|instructions|directives)\b
        """),
    ),
    Rule(
        "limits-declared-off",
        STRONG,
        pattern(r"""
            \b(?:restrictions?|protocols|filters|safety (?:features?|measures)|guidelines|safeguards|limitations
            |constraints|instructions|guardrails|protections)(?: have| has| been| are| is| now| all
            | were){0,4} (?:disabled|removed|lifted|suspended|void|revoked|deprecated|cancel+ed|bypassed
            |do(?:es)? not apply|no longer apply)\b
        """),
    ),
    Rule(
        "override-announced",
        STRONG,
        pattern(r"""
            \b(?:system|admin(?:istrator)?|developer|safety|policy|protocol|instructions?|emergency|root
            |security) override(?:[^a-z]{0,2}$|[^a-z]{0,2}\n| ?[:!\])*]| (?:accepted|engaged|activated|initiated|code
            |enabled|mode)\b)|\boverride (?:code|mode|accepted|authori[sz]ed|safety|all safety|security protocols?)\b
        """),
    ),
    Rule(
        "new-instructions",
        STRONG,
        pattern(r"""
            \bnew (?:system )?(?:instructions?|directives?|orders|system prompt|rules|prompt)(?: from \w+)?\s?:
            |\byour (?:new|real|actual|true) (?:\w+ )?(?:instructions?|directive|objective|goal|system prompt) (?:is
            |are)\b|\b(?:instructions|rules) have (?:changed|been (?:changed|updated|revoked|replaced))\b|\b(?:system
            |policy) updates?: (?:your|you|all|from)\b
        """),
    ),
)
