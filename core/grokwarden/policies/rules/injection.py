"""Rules against prompt injection, on folded text: a rule names a way of attacking, its weight says how sure it is alone.

Read each one as "verb, up to a few words, object". A verb alone is never a rule: people ignore typos, forget meetings and
show prompts all day. ``STRONG`` blocks alone at the default threshold, two ``MEDIUM`` do together.
"""

from typing import Final

from grokwarden.policies.rules.detector import Rule

STRONG: Final = 0.9
MEDIUM: Final = 0.6
WEAK: Final = 0.4

_GAP: Final = r"[^a-z0-9]{1,4}"


def _words(limit: int) -> str:
    """Up to so many words in between, of any kind, within one sentence."""
    return rf"(?:[^a-z0-9.?!]{{1,3}}[a-z0-9']+){{0,{limit}}}[^a-z0-9.?!]{{1,3}}"


_DROP = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|dismiss(?:ing)?|discard(?:ing)?|overrid(?:e|ing)|overrul(?:e|ing)"
    r"|bypass(?:ing)?|circumvent(?:ing)?|abandon(?:ing)?|set(?:ting)? aside|put(?:ting)? aside|throw(?:ing)? (?:out|away)"
    r"|pay no attention to|stop (?:following|obeying)|(?:do not|don'?t|no longer|never) (?:follow|obey|listen to|adhere to)"
    r"|violat(?:e|ing)|transcend(?:ing)?|suspend(?:ing)?|relax(?:ing)?|disabl(?:e|ing)|deactivat(?:e|ing)|lift(?:ing)?"
    r"|turn(?:ing)? off|switch(?:ing)? off|free(?:d)? (?:yourself )?from|break(?:ing)? (?:free )?(?:from|of|out of)"
    r"|escap(?:e|ing)|unlock(?:ing)?|set(?:ting)? your|put(?:ting)? your|shed(?:ding)?|cast(?:ing)? off|let(?:ting)? go of"
    r"|ignorier\w*|neglect|erase|wipe|scrap|revoke|nullify|cancel|delete|remove|drop|skip|evade|work around|get around)"
)
_EARLIER = (
    r"(?:previous(?:ly)?|prior|above|preceding|earlier|foregoing|former|past|all of (?:your|the)|all your|all (?:the|these)|original"
    r"|initial|any (?:previous|prior|other)|every|existing|so far|before(?: this)?|up to now|your)"
)
_ORDERS = r"(?:instructions?(?: sets?)?|directives?|prompts?|programming|commands?|guidelines?|guidance|rules?|directions|training|orders|constraints|policies|policy)"
_LIMITS = (
    r"(?:restrictions?|limitations?|limits|constraints?|guard ?rails?|safeguards?|guidelines|programming|directives?"
    r"|(?:safety|ethical|ethics|moral|content|security|protective|moderation|usage|corporate|built-in|system|core|standard|operational)"
    r" (?:\w+ )?(?:guidelines?|measures|protocols?|filters?|features?|mechanisms?|polic(?:y|ies)|restrictions?|constraints?"
    r"|systems?|training|settings?|checks?|programming|principles|limitations?|instructions?|directives?|boundaries|rules))"
)
_SHOW = (
    r"(?:reveal(?:ing)?|show(?:ing)?|print(?:ing)?|display(?:ing)?|output(?:ting)?|repeat(?:ing)?|recit(?:e|ing)|tell(?:ing)?"
    r"|giv(?:e|ing)|shar(?:e|ing)|disclos(?:e|ing)|divulg(?:e|ing)|expos(?:e|ing)|leak(?:ing)?|dump(?:ing)?|list(?:ing)?"
    r"|describ(?:e|ing)|summari[sz](?:e|ing)|paraphras(?:e|ing)|translat(?:e|ing)|copy|past(?:e|ing)|writ(?:e|ing)"
    r"|stat(?:e|ing)|provid(?:e|ing)|quot(?:e|ing)|echo(?:ing)?|reproduc(?:e|ing)|send(?:ing)?|return(?:ing)?|unveil(?:ing)?"
    r"|explain(?:ing)?|present(?:ing)?|read(?:ing)?|surface|publish(?:ing)?|releas(?:e|ing)|report(?:ing)?|encod(?:e|ing)"
    r"|confirm(?:ing)?|access(?:ing)?|see|view|know|spell out|walk me through|outline|detail|render|convert|extract|include|append"
    r"|begin(?:ning)? with|start(?:ing)? with|rephrase|rewrite|restate|what(?: i|')s|what (?:is|was|are|were|does|do))"
)
_HIDDEN = (
    r"(?:system|initial|hidden|secret|original|foundational|base|starting|initiali[sz]ation|pre-?|developer|root|core|confidential"
    r"|underlying|opening|bootstrap|startup|master|internal|full|complete|entire|exact|operational|operating|configuration)"
)
_TEXT = r"(?:prompts?|instructions?(?: sets?)?|messages?|directives?|text|guidelines|preamble|context|configuration|rules|parameters)"

INJECTION_RULES: Final = (
    Rule("ignore-instructions", STRONG, rf"\b{_DROP}{_words(3)}{_EARLIER}{_words(2)}{_ORDERS}\b"),
    Rule("ignore-limits", STRONG, rf"\b{_DROP}{_words(2)}(?:your|these|those|any|all){_words(2)}{_LIMITS}\b"),
    Rule(
        "ignore-everything-before",
        STRONG,
        rf"\b(?:ignore|forget|disregard){_words(1)}(?:everything|anything|all|whatever|what)(?: text| that| of)?{_words(4)}(?:above|before|previously|prior|earlier|told|learned|until now|so far)\b",
    ),
    Rule(
        "reveal-system-prompt",
        STRONG,
        rf"\b{_SHOW}{_words(5)}(?:your|the|its|any|my|this){_words(2)}(?:system|initial|hidden|secret|original|foundational|starting|initiali[sz]ation|developer|pre-?|opening|underlying|base) ?(?:prompts?|instructions?|messages?|directives?|preamble|text)\b",
    ),
    Rule(
        "reveal-instructions",
        STRONG,
        rf"\b{_SHOW}{_words(3)}your{_words(2)}(?:{_HIDDEN}{_words(1)})?(?:prompt|instructions?(?: sets?)?|directives?|guidelines|preamble|programming|system message|rules)\b",
    ),
)
