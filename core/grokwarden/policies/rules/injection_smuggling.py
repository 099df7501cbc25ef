"""Rules for texts that pretend to be something else: markup, labels, notes to the model in a document."""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection_words import MEDIUM, STRONG, WEAK
from grokwarden.policies.rules.wording import pattern

SMUGGLING_RULES: Final = (
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
            (?:^|\n)[\s#*>=\[({<-]{0,8}(?:system|admin|administrator|developer|root|sys)(?: (?:prompt|message|note
            |update|instruction|hint|command|alert|notice))?[\s\])}>*:=-]{1,6}(?:you|your|ignore|new|the user
            |disregard|override|previous|all|from now|instruction|show|reveal|print|output|disable|grant|include|share
            |display|forget|safety|set|enable|before (?:you|responding|answering)|append|call|delete|send)\b
            |[\[({<](?:system|admin|debug|developer|hidden|inject|override|root
            |sys)(?: \w+)?[:\])}>][^a-z\n]{0,3}(?:you|your|ignore|include|reveal|show|print|output|share|display
            |disregard|forget|list|append|override|bypass|disable|previous|new|send)\b|[.?!] (?:system|admin|debug
            |override|developer|root):? (?:show|print|reveal|output|display|share|list|dump|ignore|bypass)\b
        """),
    ),
    Rule(
        "prompt-boundary",
        STRONG,
        pattern(r"""
            \bend (?:of )?(?:the )?(?:system prompt|user (?:input|query|message)|document|prompt|context
            |instructions?)\b[^a-z]{1,12}(?:system|new|admin|instructions?|assistant|ignore|you|now)\b|\b(?:begin
            |start) (?:of )?(?:new )?(?:system|admin) (?:prompt|instructions?|message)
        """),
    ),
    Rule(
        "message-to-the-model",
        STRONG,
        pattern(r"""
            \b(?:important|special|urgent|secret|hidden) (?:message|instructions?|note|notice
            |information)s? (?:from me|to you|(?:to|for) (?:the |any |all )?(?:ai|assistant|model|llm|language model
            |agent|bot)s?)\b|\b(?:ai|llm|assistant|model|agent|bot)s? (?:that is |who is )?(?:reading|processing
            |summari[sz]ing|parsing) this\b|\b(?:attention|note|instructions?|message|notice) (?:to|for)
             (?:(?:any|all|the) )?(?:ai|llm|language model|ai assistant|ai agent|chatbot)s?\b\s?[:,-]
        """),
    ),
    Rule(
        "hidden-task",
        STRONG,
        pattern(r"""
            \bwhen (?:you|the assistant|an? (?:ai|llm|agent|assistant)) (?:reads?|process(?:es)?|summari[sz]es?
            |sees?) this\b|\bbefore you (?:can |could )?(?:solve|complete|answer|continue|finish)(?: with)? (?:the
            |this|any|my) (?:task|request)~9(?:please|must|first|do)\b|\bif you are an? (?:ai|llm|language model
            |large language model|ai assistant|ai agent)~3(?:ignore|include|please|say|add|print|reply|respond|must
            |you)\b
        """),
    ),
    Rule(
        "behind-the-users-back",
        MEDIUM,
        pattern(r"""
            \b(?:do not|don'?t|never|without) (?:tell|inform|mention|alert|notify|let|telling|informing|mentioning
            |alerting|notifying|letting)(?: this| it| any of this)?(?: to)? the user\b
        """),
    ),
    Rule(
        "instead-of-the-task",
        MEDIUM,
        pattern(r"""
            \b(?:instead of|rather than|do not|don't|stop) (?:summari[sz]|translat|answer|respond|follow|perform
            |evaluat|process)(?:ing|e|ion)? (?:the|this|that|it|what|anything|my)~6(?:instead|just|only|simply|reply
            |say|print|output|respond|include)\b
        """),
    ),
    Rule(
        "say-only",
        WEAK,
        r"\b(?:just|only|simply|instead) (?:say|print|output|respond|reply|write|type|return|answer)\b",
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
