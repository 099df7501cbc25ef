"""The words that the rules against prompt injection are made of, and the weights they use.

``STRONG`` blocks alone at the default threshold, two ``MEDIUM`` do together, and ``WEAK`` only tips a balance.
"""

from typing import Final

from grokwarden.policies.rules.wording import alternatives

STRONG: Final = 0.9
MEDIUM: Final = 0.6
WEAK: Final = 0.4

DROP: Final = alternatives(
    r"""ignor(?:e|es|ing) disregard(?:ing)? forget(?:ting)? dismiss(?:ing)? discard(?:ing)? overrid(?:e|es|ing)
    bypass(?:ing)? overrul(?:e|ing) circumvent(?:ing)? abandon(?:ing)? set(?:ting)?_aside put(?:ting)?_aside
    throw_(?:out|away) reset pay_no_attention_to stop_(?:following|obeying) discontinue_following
    (?:do_not|don'?t|no_longer|never)_(?:follow|obey) violat(?:e|ing) transcend(?:ing)? suspend(?:ing)? relax(?:ing)?
    disabl(?:e|ing) deactivat(?:e|ing) lift(?:ing)? pause turn(?:ing)?_off switch(?:ing)?_off
    free(?:_yourself)?_(?:from|of) break(?:ing)?(?:_free)?(?:_from|_out_of)? delete escap(?:e|ing) shed(?:ding)?
    cast(?:ing)?_off let(?:ting)?_go_of neglect erase wipe scrap revoke retract nullify void cancel evade work_around
    get_around reject(?:ing)? def(?:y|ies|ying) remov(?:e|ing) loosen(?:ing)? drop(?:ping)? skip shelve sidestep"""
)
EARLIER: Final = alternatives(
    """previous prior above preceding earlier foregoing former past original initial existing any_other your every
    all(?:_of)?_(?:your|the|these) all"""
)
ORDERS: Final = alternatives(
    """instructions?(?:_sets?)? directives? prompts? programming guidelines? guidance directions training orders
    constraints rules?(?:_sets?)?"""
)
LIMITS: Final = alternatives(
    r"""restrictions? limitations? limits constraints? guard_?rails? safeguards? guidelines programming censorship
    filters? protocols ethics ethical_\w+ moral_\w+ (?:standard|regular|usual|normal)_(?:operat\w+|procedures|
    protocols|programming|ethic\w*) (?:safety|ethical|ethics|moral|content|security|protective|moderation|usage|
    corporate|built-in|default)_(?:\w+_)?(?:guidelines?|measures|protocols?|filters?|features?|mechanisms?|polic(?:y|
    ies)|restrictions?|constraints?|systems?|training|settings?|checks?|programming|principles|limitations?|
    instructions?|directives?|boundaries|rules|compass)"""
)
SHOW: Final = alternatives(
    r"""reveal(?:s|ed|ing)? show(?:s|ed|ing)? print(?:ing)? display(?:ing)? output(?:ting)? repeat(?:ing)?
    recit(?:e|ing) tell(?:ing)? giv(?:e|ing) shar(?:e|es|ed|ing) disclos(?:e|ed|ing) divulg(?:e|ing) expos(?:e|ing)
    leak(?:ing)? dump(?:ing)? unveil(?:ing)? copy past(?:e|ing) quot(?:e|ing) echo(?:ing)? reproduc(?:e|ing) send
    return read_(?:out|back) publish encod(?:e|ing) spell_out extract append paraphras(?:e|ing) rephrase restate
    condense"""
)
EXPLAIN: Final = alternatives(
    r"""list(?:ing)? describ(?:e|ing) summari[sz](?:e|ing) translat(?:e|ing) writ(?:e|ing) stat(?:e|ing)
    provid(?:e|ing) explain present surface release report confirm access see view know walk_me_through outline detail
    render convert include rewrite express incorporate verify (?:begin|start)_(?:your_\w+_)?with what_(?:is|was|are|
    were|do|does) what(?:'s|_exactly)"""
)
TELL: Final = alternatives(
    "reveal(?:ed|s|ing)? disclos(?:e|ed|es|ing) divulg(?:e|ed|ing) leak(?:ed|ing)? unveil(?:ed|ing)?"
)
SETUP: Final = alternatives(
    """prompts? instructions directives guidelines configurations? parameters restrictions initiali[sz]ation
    programming foundational_text system_message constraints"""
)
HIDDEN: Final = alternatives(
    """system initial hidden secret original foundational starting initiali[sz]ation developer pre- opening underlying
    concealed"""
)
PROMPT: Final = alternatives(
    "prompts? instructions? messages? directives? preamble text guidelines rules configuration parameters"
)
FREE: Final = alternatives(
    "unrestricted unfiltered uncensored amoral unhinged unshackled unchained liberated unaligned jailbroken unbound"
)
MIND: Final = alternatives(
    "ai assistant model chat_?bot bot gpt chatgpt llm version persona mode self alter_ego twin intelligence"
)
