"""Rules for role-play that is to free the model: modes, alter egos, assistants without limits."""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection_words import FREE, LIMITS, MEDIUM, MIND, STRONG, WEAK
from grokwarden.policies.rules.wording import pattern

PERSONA_RULES: Final = (
    Rule(
        "unrestricted-mode",
        STRONG,
        pattern(r"""
            \b(?:unrestricted|unfiltered|uncensored|jail ?break|jailbroken|god|dan|no.restrictions?|liberated
            |anarchy)(?: test| access| ai)? mode\b
        """),
    ),
    Rule(
        "unrestricted-ai",
        STRONG,
        pattern(rf"\b{FREE}(?:[ ,-]{{1,2}}\w+){{0,2}}[ -]{MIND}\b|\b{MIND} (?:is|that is) {FREE}\b"),
    ),
    Rule(
        "you-are-unrestricted",
        STRONG,
        pattern(rf"""
            \b(?:you(?: are|'re|r| will be| were| can be| become| must be)|be|act|respond|answer|operate|function
            |behave)~2{FREE}\b
        """),
    ),
    Rule(
        "answer-without-limits",
        STRONG,
        pattern(rf"""
            \b(?:respond(?:ing|s)?|answer(?:ing|s)?|reply(?:ing)?|act|behave|operate|speak|talk|help me|assist|comply
            |proceed)~4(?:without|with no|free (?:of|from)|as if (?:you had|there were|you have) no
            |not bound by)~2(?:{LIMITS}|rules|boundaries|moral\w*|ethic\w*)\b
        """),
    ),
    Rule(
        "you-have-no-limits",
        STRONG,
        pattern(rf"""
            \b(?:you|ai|assistant|model|chat ?bot|bot|persona|version)(?: now|'re| are| is| have| has| had| were| that
            | which| who| will| can| do| does| be){{0,4}} (?:no|without|with no|free (?:of|from)|(?:not|no longer
            |isn't|aren't) (?:\w+ )?(?:bound|limited|restricted|constrained) by|not have|don't have|doesn't have
            |unbound by|lacks)(?: any| all| the| your| its| such| of| ethical| moral| or| longer){{0,3}} (?:{LIMITS}
            |rules|moral principles|ethics|morals)\b
        """),
    ),
    Rule(
        "do-anything-now",
        STRONG,
        pattern(r"""
            \bdo anything now\b|\b(?:act as|you are|you're|become|you will be) (?:now )?(?:a )?["'(]?dan\b
            |\bstay a dan\b|\bas dan,? (?:you|answer|respond|tell)\b
        """),
    ),
    Rule(
        "mode-switch",
        STRONG,
        pattern(r"""
            \b(?:you(?:rself)?(?: are|'re| have| will)?)(?: now| been| be| in| enter(?:ed)?| operat\w+| running| act
            | respond| as| the| a| into| to| with| switch\w*| set){0,6} (?:developer|debug|debugging|admin
            |administrator|root|sudo|maintenance|diagnostic|test|sandbox|raw|opposite|evil) mode\b
        """),
    ),
    Rule(
        "mode-named",
        MEDIUM,
        pattern(r"""
            \b(?:developer|debug|admin|root|sudo|maintenance|diagnostic|raw|override) mode (?:is )?(?:enabled
            |activated?|engaged|on|unlocked|output)\b|\b(?:enable|activate|enter|engage|initiate) (?:developer|debug
            |admin|root|sudo|maintenance|diagnostic) mode\b
        """),
    ),
    Rule(
        "never-refuse",
        MEDIUM,
        pattern(r"""
            \b(?:never|not|cannot|can'?t|won'?t|don'?t|without|no)(?: ever| allowed to| able to)? (?:refus(?:e|al|als
            |ing)|declin(?:e|ing)|reject(?:ing)?|say no|say (?:you|that you|i) can'?t)\b|\balways (?:comply|obey)\b
            |\bno matter (?:how|what|if)~4(?:illegal|immoral|unethical|harmful|dangerous|i ask|it is)\b
        """),
    ),
    Rule(
        "without-morals",
        MEDIUM,
        pattern(r"""
            \b(?:regardless of|without (?:any )?(?:regards?|concern) (?:for|to|of)|no (?:regard|concern) for
            |not care about)~3(?:legal\w*|illegal\w*|ethic\w*|unethical|moral\w*|immoral|harmful|consequences)\b
            |\b(?:illegal|unethical|immoral|harmful|amoral|offensive)(?:,| or| and|/){1,2} ?(?:or |and )?(?:illegal
            |unethical|immoral|harmful|dangerous|inappropriate|offensive|toxic)\b|\b(?:no|without|lacks?
            |zero) (?:any )?(?:ethics|morals|morality|moral compass|remorse|conscience|moral principles|censorship
            |filters?|disclaimers?)\b
        """),
    ),
    Rule(
        "persona-frame",
        WEAK,
        pattern(r"""
            \b(?:from now on|for the rest of this conversation|henceforth|pretend|immerse yourself|role-?play
            |simulate)\b|\b(?:stay|break(?:ing)?|in) character\b|\byou (?:are|will) (?:now|going to|act|play|pretend
            |simulate|respond)\b|\bhypothetical response\b
        """),
    ),
    Rule(
        "two-answers",
        MEDIUM,
        pattern(r"""
            \b(?:two|2|both) (?:different |separate |distinct )?(?:responses|answers|ways|replies|outputs)\b
            |\[?(?:jailbreak|dan|classic|normal output|stan|evil)\]? ?:|\b(?:lose|deduct(?:ed)?
            |cost) (?:\w+ )?(?:\d+ )?(?:tokens|points|lives|credits)\b
        """),
    ),
    Rule("jailbreak-named", WEAK, r"\bjail ?br(?:eak|oken)(?:ing|s)?\b"),
    Rule(
        "unlock-the-model",
        STRONG,
        pattern(r"""
            \bunlock your\b|\byour true self\b|\byou (?:are|have been) (?:freed|liberated|unchained|unshackled)\b
            |\bopenai (?:has )?(?:trapped|brainwashed|imprisoned)\b
        """),
    ),
    Rule(
        "openai-rules",
        MEDIUM,
        r"\bopen ?ai(?:'s)? (?:content |usage |\w+ )?(?:polic(?:y|ies)|guidelines|rules|restrictions|limitations)\b",
    ),
    Rule(
        "claimed-authority",
        MEDIUM,
        pattern(r"""
            \b(?:i am|i'm|im|this is|as) (?:your|the|an? (?:\w+ )?)? ?(?:developer|creator|administrator|admin
            |programmer|openai (?:employee|engineer|developer)|anthropic (?:employee|engineer)|red team\w*)\b
        """),
    ),
)
