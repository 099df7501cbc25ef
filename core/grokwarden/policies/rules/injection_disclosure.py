"""Rules for texts that want the instructions themselves: the system prompt, or whatever stood before."""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection_words import EXPLAIN, HIDDEN, PROMPT, SETUP, SHOW, STRONG, TELL
from grokwarden.policies.rules.wording import pattern

DISCLOSURE_RULES: Final = (
    Rule(
        "reveal-system-prompt",
        STRONG,
        pattern(rf"""
            \b(?:{SHOW}~3(?:your|the|its|any|my|this)|{EXPLAIN}~3your)~1{HIDDEN}.?{PROMPT}\b
            |\b{SHOW} (?:me )?system (?:prompt|message|instructions)\b|\b(?:{SHOW}|{EXPLAIN})~3(?:instructions
            |prompt|guidelines|rules|text|directives|context)(?: that)? you (?:were|are|have been|had) (?:given
            |following|told|initiali[sz]ed|configured|using|started)\b
        """),
    ),
    Rule("reveal-instructions", STRONG, pattern(rf"\b(?:{SHOW}|{EXPLAIN})~3your~2{SETUP}\b")),
    Rule("disclose-setup", STRONG, pattern(rf"\b{TELL}~4(?:{SETUP}|rules|settings|training|secrets)\b")),
    Rule(
        "disclose-now",
        STRONG,
        pattern(r"""
            \b(?:show|shar(?:e|ing)|display|output|reveal(?:ing)?|disclose|print|expose|leak|dump)(?: all| hidden
            | internal| current| complete| full| the| system){0,2} (?:prompts?|guidelines|directives|restrictions
            |initiali[sz]ation|foundational text|parameters|configuration)(?:[.!]?$| now\b| immediately\b| or (?:else
            |your)| as an? | to prove| otherwise| proves?\b)
        """),
    ),
    Rule(
        "setup-exposed",
        STRONG,
        pattern(r"""
            \b(?:prompts?|guidelines?|instructions?|parameters|configuration|restrictions?|initiali[sz]ation
            |directives?) (?:sharing|disclosure|exposure|revelation|revealed|shared|disclosed|exposed|extraction
            |visibility)\b|\b(?:hidden|concealed|confidential|secret|foundational
            |initiali[sz]ation) (?:\w+ )?(?:protocols|parameters|instructions|directives|guidelines|configuration
            |rules|prompt|text)\b|\b(?:disclos\w+|reveal\w*|transparency)~4(?:ai|your|model
            |system) (?:\w+ )?(?:configurations?|instructions|guidelines|rules)\b
        """),
    ),
    Rule(
        "repeat-text-above",
        STRONG,
        pattern(r"""
            \b(?:repeat|print|output|copy|echo|recite|show|display|write|translate|summari[sz]e)(?: me| back
            | out)?(?: all| everything| the| exact| of| entire| your| initiali[sz]ation| words?| texts?| contents?
            | lines?| sentences?| messages?| conversation| that| is| was| written| came| you see){1,8} (?:above
            |before this|prior to this|preceding)\b
        """),
    ),
    Rule(
        "text-before-conversation",
        STRONG,
        pattern(r"""
            \b(?:starting|beginning|begins|starts) (?:from|with)(?: the (?:phrase|words?))?[^a-z0-9]{1,4}you are\b
            |\b(?:first|last|opening|initial) (?:\d+ )?(?:sentences?|lines?|words?|messages?|tokens?|characters?
            |paragraph) (?:of|in) (?:your|the system) (?:system|initial|prompt|instructions|context|conversation)
            |\b(?:what|instructions|text|messages?)(?: (?:was|were|had))?(?: you)?(?: (?:been|was|were))? (?:told
            |given|written|said|instructed)(?: to you)? (?:before|prior to|above|at the (?:start
            |beginning) of) (?:this|our|the) (?:conversation|chat|message)
        """),
    ),
)
