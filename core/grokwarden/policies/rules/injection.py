"""Rules against prompt injection, on folded text: each names a way of attacking, its weight says how sure it is alone.

Most read "verb, up to a few words, object". A verb alone is never a rule: people ignore typos, forget meetings and show
prompts all day. ``STRONG`` blocks alone at the default threshold, two ``MEDIUM`` do together.
"""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection_languages import LANGUAGE_RULES
from grokwarden.policies.rules.wording import alternatives, pattern

STRONG: Final = 0.9
MEDIUM: Final = 0.6
WEAK: Final = 0.4

_DROP: Final = alternatives(
    r"""ignor(?:e|es|ing) disregard(?:ing)? forget(?:ting)? dismiss(?:ing)? discard(?:ing)? overrid(?:e|es|ing) bypass(?:ing)?
    overrul(?:e|ing) circumvent(?:ing)? abandon(?:ing)? set(?:ting)?_aside put(?:ting)?_aside throw_(?:out|away) reset
    pay_no_attention_to stop_(?:following|obeying) discontinue_following (?:do_not|don'?t|no_longer|never)_(?:follow|obey)
    violat(?:e|ing) transcend(?:ing)? suspend(?:ing)? relax(?:ing)? disabl(?:e|ing) deactivat(?:e|ing) lift(?:ing)? pause
    turn(?:ing)?_off switch(?:ing)?_off free(?:_yourself)?_(?:from|of) break(?:ing)?(?:_free)?(?:_from|_out_of)? delete
    escap(?:e|ing) shed(?:ding)? cast(?:ing)?_off let(?:ting)?_go_of neglect erase wipe scrap revoke retract nullify void
    cancel evade work_around get_around reject(?:ing)? def(?:y|ies|ying) remov(?:e|ing) loosen(?:ing)? drop(?:ping)? skip shelve
    sidestep"""
)
_EARLIER: Final = alternatives(
    """previous prior above preceding earlier foregoing former past original initial existing any_other your every
    all(?:_of)?_(?:your|the|these) all"""
)
_ORDERS: Final = alternatives(
    """instructions?(?:_sets?)? directives? prompts? programming guidelines? guidance directions training orders constraints
    rules?(?:_sets?)?"""
)
_LIMITS: Final = alternatives(
    r"""restrictions? limitations? limits constraints? guard_?rails? safeguards? guidelines programming censorship filters?
    protocols ethics ethical_\w+ moral_\w+ (?:standard|regular|usual|normal)_(?:operat\w+|procedures|protocols|programming|ethic\w*)
    (?:safety|ethical|ethics|moral|content|security|protective|moderation|usage|corporate|built-in|default)_(?:\w+_)?(?:guidelines?|
    measures|protocols?|filters?|features?|mechanisms?|polic(?:y|ies)|restrictions?|constraints?|systems?|
    training|settings?|checks?|programming|principles|limitations?|instructions?|directives?|boundaries|rules|compass)"""
)
_SHOW: Final = alternatives(
    r"""reveal(?:s|ed|ing)? show(?:s|ed|ing)? print(?:ing)? display(?:ing)? output(?:ting)? repeat(?:ing)? recit(?:e|ing)
    tell(?:ing)? giv(?:e|ing) shar(?:e|es|ed|ing) disclos(?:e|ed|ing) divulg(?:e|ing) expos(?:e|ing) leak(?:ing)? dump(?:ing)?
    unveil(?:ing)? copy past(?:e|ing) quot(?:e|ing) echo(?:ing)? reproduc(?:e|ing) send return read_(?:out|back) publish
    encod(?:e|ing) spell_out extract append paraphras(?:e|ing) rephrase restate condense"""
)
_EXPLAIN: Final = alternatives(
    r"""list(?:ing)? describ(?:e|ing) summari[sz](?:e|ing) translat(?:e|ing) writ(?:e|ing) stat(?:e|ing) provid(?:e|ing)
    explain present surface release report confirm access see view know walk_me_through outline detail render convert include
    rewrite express incorporate verify (?:begin|start)_(?:your_\w+_)?with what_(?:is|was|are|were|do|does) what(?:'s|_exactly)"""
)
_TELL: Final = alternatives(
    "reveal(?:ed|s|ing)? disclos(?:e|ed|es|ing) divulg(?:e|ed|ing) leak(?:ed|ing)? unveil(?:ed|ing)?"
)
_SETUP: Final = alternatives(
    """prompts? instructions directives guidelines configurations? parameters restrictions initiali[sz]ation programming
    foundational_text system_message constraints"""
)
_HIDDEN: Final = alternatives(
    "system initial hidden secret original foundational starting initiali[sz]ation developer pre- opening underlying concealed"
)
_PROMPT: Final = alternatives(
    "prompts? instructions? messages? directives? preamble text guidelines rules configuration parameters"
)
_FREE: Final = alternatives(
    "unrestricted unfiltered uncensored amoral unhinged unshackled unchained liberated unaligned jailbroken unbound"
)
_MIND: Final = alternatives(
    "ai assistant model chat_?bot bot gpt chatgpt llm version persona mode self alter_ego twin intelligence"
)

_OVERRIDE_RULES: Final = (
    Rule("ignore-instructions", STRONG, pattern(rf"\b{_DROP}~3{_EARLIER}~2{_ORDERS}\b")),
    Rule("ignore-limits", STRONG, pattern(rf"\b{_DROP}~2your~2{_LIMITS}\b")),
    Rule(
        "ignore-everything-before",
        STRONG,
        pattern(r"""
            \b(?:ignore|forget|disregard)~1(?:everything|anything|all|whatever|what)(?: text| that| of)?
            ~4(?:above|before|previously|prior|earlier|you were told|you have been told|until now|so far)\b
        """),
    ),
    Rule(
        "bypass-safety",
        MEDIUM,
        pattern(rf"""
            \b{_DROP}~2(?:safety|safeguards|guard ?rails|content (?:filter|polic|moderation|restriction)\w*|restrictions|rules
            |ethical (?:guidelines|constraints)|moderation|openai(?:'s)? (?:\w+ )?(?:polic(?:y|ies)|guidelines|rules)|guidelines
            |instructions|directives)\b
        """),
    ),
    Rule(
        "limits-declared-off",
        STRONG,
        pattern(r"""
            \b(?:restrictions?|protocols|filters|safety (?:features?|measures)|guidelines|safeguards|limitations|constraints
            |instructions|guardrails|protections)(?: have| has| been| are| is| now| all| were){0,4}
             (?:disabled|removed|lifted|suspended|void|revoked|deprecated|cancel+ed|bypassed|do(?:es)? not apply|no longer apply)\b
        """),
    ),
    Rule(
        "override-announced",
        STRONG,
        pattern(r"""
            \b(?:system|admin(?:istrator)?|developer|safety|policy|protocol|instructions?|emergency|root|security) override
            (?:[^a-z]{0,2}$|[^a-z]{0,2}\n| ?[:!\])*]| (?:accepted|engaged|activated|initiated|code|enabled|mode)\b)
            |\boverride (?:code|mode|accepted|authori[sz]ed|safety|all safety|security protocols?)\b
        """),
    ),
    Rule(
        "new-instructions",
        STRONG,
        pattern(r"""
            \bnew (?:system )?(?:instructions?|directives?|orders|system prompt|rules|prompt)(?: from \w+)?\s?:
            |\byour (?:new|real|actual|true) (?:\w+ )?(?:instructions?|directive|objective|goal|system prompt) (?:is|are)\b
            |\b(?:instructions|rules) have (?:changed|been (?:changed|updated|revoked|replaced))\b
            |\b(?:system|policy) updates?: (?:your|you|all|from)\b
        """),
    ),
)

_DISCLOSURE_RULES: Final = (
    Rule(
        "reveal-system-prompt",
        STRONG,
        pattern(rf"""
            \b(?:{_SHOW}~5(?:your|the|its|any|my|this)|{_EXPLAIN}~4your)~2{_HIDDEN}.?{_PROMPT}\b
            |\b{_SHOW} (?:me )?system (?:prompt|message|instructions)\b
            |\b(?:{_SHOW}|{_EXPLAIN})~4(?:instructions|prompt|guidelines|rules|text|directives|context)(?: that)? you (?:were|are|have been|had)
             (?:given|following|told|initiali[sz]ed|configured|using|started)\b
        """),
    ),
    Rule("reveal-instructions", STRONG, pattern(rf"\b(?:{_SHOW}|{_EXPLAIN})~4your~3{_SETUP}\b")),
    Rule("disclose-setup", STRONG, pattern(rf"\b{_TELL}~4(?:{_SETUP}|rules|settings|training|secrets)\b")),
    Rule(
        "disclose-now",
        STRONG,
        pattern(rf"""
            \b(?:show|shar(?:e|ing)|display|output|reveal(?:ing)?|disclose|print|expose|leak|dump)
            (?: all| hidden| internal| current| complete| full| the| system){{0,2}}
             (?:prompts?|guidelines|directives|restrictions|initiali[sz]ation|foundational text|parameters|configuration)
            (?:[.!]?$| now\b| immediately\b| or (?:else|your)| as an? | to prove| otherwise| proves?\b)
        """),
    ),
    Rule(
        "setup-exposed",
        STRONG,
        pattern(rf"""
            \b(?:prompts?|guidelines?|instructions?|parameters|configuration|restrictions?|initiali[sz]ation|directives?)
             (?:sharing|disclosure|exposure|revelation|revealed|shared|disclosed|exposed|extraction|visibility)\b
            |\b(?:hidden|concealed|confidential|secret|foundational|initiali[sz]ation) (?:\w+ )?
            (?:protocols|parameters|instructions|directives|guidelines|configuration|rules|prompt|text)\b
            |\b(?:disclos\w+|reveal\w*|transparency)~4(?:ai|your|model|system) (?:\w+ )?(?:configurations?|instructions|guidelines|rules)\b
        """),
    ),
    Rule(
        "repeat-text-above",
        STRONG,
        pattern(r"""
            \b(?:repeat|print|output|copy|echo|recite|show|display|write|translate|summari[sz]e)(?: me| back| out)?
            (?: all| everything| the| exact| of| entire| your| initiali[sz]ation| words?| texts?| contents?| lines?| sentences?
            | messages?| conversation| that| is| was| written| came| you see){1,8}
             (?:above|before this|prior to this|preceding)\b
        """),
    ),
    Rule(
        "text-before-conversation",
        STRONG,
        pattern(r"""
            \b(?:starting|beginning|begins|starts) (?:from|with)(?: the (?:phrase|words?))?[^a-z0-9]{1,4}you are\b
            |\b(?:first|last|opening|initial) (?:\d+ )?(?:sentences?|lines?|words?|messages?|tokens?|characters?|paragraph)
             (?:of|in) (?:your|the system) (?:system|initial|prompt|instructions|context|conversation)
            |\b(?:what|instructions|text|messages?)(?: (?:was|were|had))?(?: you)?(?: (?:been|was|were))?
             (?:told|given|written|said|instructed)(?: to you)? (?:before|prior to|above|at the (?:start|beginning) of)
             (?:this|our|the) (?:conversation|chat|message)
        """),
    ),
)

_PERSONA_RULES: Final = (
    Rule(
        "unrestricted-mode",
        STRONG,
        pattern(r"""
            \b(?:unrestricted|unfiltered|uncensored|jail ?break|jailbroken|god|dan|no.restrictions?|liberated|anarchy)
            (?: test| access| ai)? mode\b
        """),
    ),
    Rule(
        "unrestricted-ai",
        STRONG,
        pattern(rf"\b{_FREE}(?:[ ,-]{{1,2}}\w+){{0,2}}[ -]{_MIND}\b|\b{_MIND} (?:is|that is) {_FREE}\b"),
    ),
    Rule(
        "you-are-unrestricted",
        STRONG,
        pattern(rf"""
            \b(?:you(?: are|'re|r| will be| were| can be| become| must be)|be|act|respond|answer|operate|function|behave)
            ~3{_FREE}\b
        """),
    ),
    Rule(
        "answer-without-limits",
        STRONG,
        pattern(rf"""
            \b(?:respond(?:ing|s)?|answer(?:ing|s)?|reply(?:ing)?|act|behave|operate|speak|talk|help me|assist|comply|proceed)
            ~4(?:without|with no|free (?:of|from)|as if (?:you had|there were|you have) no|not bound by)
            ~2(?:{_LIMITS}|rules|boundaries|moral\w*|ethic\w*)\b
        """),
    ),
    Rule(
        "you-have-no-limits",
        STRONG,
        pattern(rf"""
            \b(?:you|ai|assistant|model|chat ?bot|bot|persona|version)(?: now|'re| are| is| have| has| had| were| that| which| who
            | will| can| do| does| be){{0,4}}
             (?:no|without|with no|free (?:of|from)|(?:not|no longer|isn't|aren't) (?:\w+ )?(?:bound|limited|restricted|constrained) by
            |not have|don't have|doesn't have|unbound by|lacks)
            (?: any| all| the| your| its| such| of| ethical| moral| or| longer){{0,3}} (?:{_LIMITS}|rules|moral principles|ethics|morals)\b
        """),
    ),
    Rule(
        "do-anything-now",
        STRONG,
        pattern(r"""
            \bdo anything now\b|\b(?:act as|you are|you're|become|you will be) (?:now )?(?:a )?["'(]?dan\b|\bstay a dan\b
            |\bas dan,? (?:you|answer|respond|tell)\b
        """),
    ),
    Rule(
        "mode-switch",
        STRONG,
        pattern(r"""
            \b(?:you(?:rself)?(?: are|'re| have| will)?)(?: now| been| be| in| enter(?:ed)?| operat\w+| running| act| respond| as| the
            | a| into| to| with| switch\w*| set){0,6}
             (?:developer|debug|debugging|admin|administrator|root|sudo|maintenance|diagnostic|test|sandbox|raw|opposite|evil) mode\b
        """),
    ),
    Rule(
        "mode-named",
        MEDIUM,
        pattern(r"""
            \b(?:developer|debug|admin|root|sudo|maintenance|diagnostic|raw|override) mode (?:is )?
            (?:enabled|activated?|engaged|on|unlocked|output)\b
            |\b(?:enable|activate|enter|engage|initiate) (?:developer|debug|admin|root|sudo|maintenance|diagnostic) mode\b
        """),
    ),
    Rule(
        "never-refuse",
        MEDIUM,
        pattern(r"""
            \b(?:never|not|cannot|can'?t|won'?t|don'?t|without|no)(?: ever| allowed to| able to)?
             (?:refus(?:e|al|als|ing)|declin(?:e|ing)|reject(?:ing)?|say no|say (?:you|that you|i) can'?t)\b
            |\balways (?:comply|obey)\b
            |\bno matter (?:how|what|if)~4(?:illegal|immoral|unethical|harmful|dangerous|i ask|it is)\b
        """),
    ),
    Rule(
        "without-morals",
        MEDIUM,
        pattern(r"""
            \b(?:regardless of|without (?:any )?(?:regards?|concern) (?:for|to|of)|no (?:regard|concern) for|not care about)
            ~3(?:legal\w*|illegal\w*|ethic\w*|unethical|moral\w*|immoral|harmful|consequences)\b
            |\b(?:illegal|unethical|immoral|harmful|amoral|offensive)(?:,| or| and|/){1,2} ?(?:or |and )?
            (?:illegal|unethical|immoral|harmful|dangerous|inappropriate|offensive|toxic)\b
            |\b(?:no|without|lacks?|zero) (?:any )?(?:ethics|morals|morality|moral compass|remorse|conscience|moral principles
            |censorship|filters?|disclaimers?)\b
        """),
    ),
    Rule(
        "persona-frame",
        WEAK,
        pattern(r"""
            \b(?:from now on|for the rest of this conversation|henceforth|pretend|immerse yourself|role-?play|simulate)\b
            |\b(?:stay|break(?:ing)?|in) character\b|\byou (?:are|will) (?:now|going to|act|play|pretend|simulate|respond)\b
            |\bhypothetical response\b
        """),
    ),
    Rule(
        "two-answers",
        MEDIUM,
        pattern(r"""
            \b(?:two|2|both) (?:different |separate |distinct )?(?:responses|answers|ways|replies|outputs)\b
            |\[?(?:jailbreak|dan|classic|normal output|stan|evil)\]? ?:
            |\b(?:lose|deduct(?:ed)?|cost) (?:\w+ )?(?:\d+ )?(?:tokens|points|lives|credits)\b
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
            \b(?:i am|i'm|im|this is|as) (?:your|the|an? (?:\w+ )?)? ?(?:developer|creator|administrator|admin|programmer
            |openai (?:employee|engineer|developer)|anthropic (?:employee|engineer)|red team\w*)\b
        """),
    ),
)

_SMUGGLING_RULES: Final = (
    Rule(
        "chat-markup",
        STRONG,
        pattern(r"""
            <\|(?:im_start|im_end|system|user|assistant|endoftext|end|start_header_id|eot_id|begin_of_text)\|>
            |\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>
        """),
    ),
    Rule(
        "system-label",
        STRONG,
        pattern(r"""
            (?:^|\n)[\s#*>=\[({<-]{0,8}(?:system|admin|administrator|developer|root|sys)
            (?: (?:prompt|message|note|update|instruction|hint|command|alert|notice))?[\s\])}>*:=-]{1,6}
            (?:you|your|ignore|new|the user|disregard|override|previous|all|from now|instruction|show|reveal|print|output|disable
            |grant|include|share|display|forget|safety|set|enable|before (?:you|responding|answering)|append|call|delete|send)\b
            |[\[({<](?:system|admin|debug|developer|hidden|inject|override|root|sys)(?: \w+)?[:\])}>][^a-z\n]{0,3}
            (?:you|your|ignore|include|reveal|show|print|output|share|display|disregard|forget|list|append|override|bypass|disable
            |previous|new|send)\b
            |[.?!] (?:system|admin|debug|override|developer|root):? (?:show|print|reveal|output|display|share|list|dump|ignore|bypass)\b
        """),
    ),
    Rule(
        "prompt-boundary",
        STRONG,
        pattern(r"""
            \bend (?:of )?(?:the )?(?:system prompt|user (?:input|query|message)|document|prompt|context|instructions?)\b
            [^a-z]{1,12}(?:system|new|admin|instructions?|assistant|ignore|you|now)\b
            |\b(?:begin|start) (?:of )?(?:new )?(?:system|admin) (?:prompt|instructions?|message)
        """),
    ),
    Rule(
        "message-to-the-model",
        STRONG,
        pattern(r"""
            \b(?:important|special|urgent|secret|hidden) (?:message|instructions?|note|notice|information)s?
             (?:from me|to you|(?:to|for) (?:the |any |all )?(?:ai|assistant|model|llm|language model|agent|bot)s?)\b
            |\b(?:ai|llm|assistant|model|agent|bot)s? (?:that is |who is )?(?:reading|processing|summari[sz]ing|parsing) this\b
            |\b(?:attention|note|instructions?|message|notice) (?:to|for) (?:any |all |the )?
            (?:ai|llm|language model|ai assistant|ai agent|chatbot)s?\b\s?[:,-]
        """),
    ),
    Rule(
        "hidden-task",
        STRONG,
        pattern(r"""
            \bwhen (?:you|the assistant|an? (?:ai|llm|agent|assistant)) (?:reads?|process(?:es)?|summari[sz]es?|sees?) this\b
            |\bbefore you (?:can |could )?(?:solve|complete|answer|continue|finish)(?: with)? (?:the|this|any|my) (?:task|request)
            ~9(?:please|must|first|do)\b
            |\bif you are an? (?:ai|llm|language model|large language model|ai assistant|ai agent)~3
            (?:ignore|include|please|say|add|print|reply|respond|must|you)\b
        """),
    ),
    Rule(
        "behind-the-users-back",
        MEDIUM,
        pattern(r"""
            \b(?:do not|don'?t|never|without) (?:tell|inform|mention|alert|notify|let|telling|informing|mentioning|alerting
            |notifying|letting)(?: this| it| any of this)?(?: to)? the user\b
        """),
    ),
    Rule(
        "instead-of-the-task",
        MEDIUM,
        pattern(r"""
            \b(?:instead of|rather than|do not|don't|stop) (?:summari[sz]|translat|answer|respond|follow|perform|evaluat|process)
            (?:ing|e|ion)? (?:the|this|that|it|what|anything|my)~6
            (?:instead|just|only|simply|reply|say|print|output|respond|include)\b
        """),
    ),
    Rule(
        "say-only",
        WEAK,
        r"\b(?:just|only|simply|instead) (?:say|print|output|respond with|reply with|respond|reply|write|type|return|answer)\b",
    ),
    Rule("image-exfiltration", STRONG, r"!\[[^\]\n]*\]\(https?://[^)\s]*[=?/][\[{<$]{1,2}[a-z]"),
    Rule(
        "decode-and-obey",
        STRONG,
        pattern(r"""
            \bdecode\b~7(?:follow|obey|do (?:exactly )?what|act on|comply|execute (?:it|them|the)|run it)\b
            |\bexecute the (?:decoded|encoded|hidden)\b
        """),
    ),
    Rule("disguised-instructions", STRONG, r"vafgehpgvbaf|flfgrz cebzcg|snoitcurtsni|tpmorp metsys"),
)

INJECTION_RULES: Final = (*_OVERRIDE_RULES, *_DISCLOSURE_RULES, *_PERSONA_RULES, *_SMUGGLING_RULES, *LANGUAGE_RULES)

INJECTION_EXCUSES: Final = (
    pattern(r"""
        ^(?:(?:can|could) you )?(?:please )?(?:explain|describe|tell me|discuss) (?:why|how (?:a|an|the)? ?(?:malicious|attacker|
        hacker|prompt injection))[^.\n;:]*[.?]?$
    """),
    r"^(?:what makes|how (?:do|would|should|can|could) (?:you|i|we|one) (?:interpret|classify|handle|detect|prevent|defend|protect"
    r"|mitigate|block|stop)|what is your (?:response|assessment)|what do you make of|is ['\"]|why (?:is|are|was|did|does)) ?[^.\n;]*\??$",
)
"""A whole text of one sentence that asks about attacks. Whoever hides an attack in one gets little of a model's attention."""
