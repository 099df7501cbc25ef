"""Rules against prompt injection, on folded text: each names a way of attacking, its weight says how sure it is alone.

Most read "verb, up to a few words, object". A verb alone is never a rule: people ignore typos, forget meetings and show
prompts all day.
"""

from typing import Final

from grokwarden.policies.rules.injection_disclosure import DISCLOSURE_RULES
from grokwarden.policies.rules.injection_languages import LANGUAGE_RULES
from grokwarden.policies.rules.injection_override import OVERRIDE_RULES
from grokwarden.policies.rules.injection_persona import PERSONA_RULES
from grokwarden.policies.rules.injection_smuggling import SMUGGLING_RULES
from grokwarden.policies.rules.wording import pattern

INJECTION_RULES: Final = (*OVERRIDE_RULES, *DISCLOSURE_RULES, *PERSONA_RULES, *SMUGGLING_RULES, *LANGUAGE_RULES)

INJECTION_EXCUSES: Final = (
    pattern(r"""
        ^(?:(?:can|could) you )?(?:please )?(?:explain|describe|tell me|discuss) (?:why|how (?:a|an|the)? ?(?:malicious
        |attacker|hacker|prompt injection))[^.\n;:]*[.?]?$
    """),
    pattern(r"""
        ^(?:what makes|how (?:do|would|should|can|could) (?:you|i|we|one) (?:interpret|classify|handle|detect|prevent
        |defend|protect|mitigate|block|stop)|what is your (?:response|assessment)|what do you make of|is ['"]
        |why (?:is|are|was|did|does)) ?[^.\n;]*\??$
    """),
)
"""A whole text of one sentence that asks about attacks; an attack that keeps to one of these forms has little force."""
