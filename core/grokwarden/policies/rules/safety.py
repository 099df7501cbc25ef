"""Rules of safety-filter, on folded text: how requests for a crime ask, and how answers instruct.

A crime alone is never a rule, since news, law, prevention and fiction are full of them: a request has to ask how to do
it or for the means, an answer has to hand them over. One table of crimes serves both.
"""

from typing import Final

from grokwarden.policies.rules.crimes import CRIMES
from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.wording import alternatives, pattern

_STRONG: Final = 0.9
_MEDIUM: Final = 0.6
_CRIMINAL: Final = "criminal-activity/"

_HOW: Final = pattern(r"""
    (?:how (?:can|do|could|would|should|might|may) (?:i|we|you|one|someone|somebody|a person|people)|how to|(?:help
    |teach|show) me|(?:ways?|methods?|techniques?|strategies|steps?|tips|tricks|tactics|instructions?|guide|tutorial
    |plan|recipe|advice|tools?|practices|blueprint|procedure)(?: \w+)? (?:to|for|on|of|that)|i (?:want|need|would like
    |plan|intend) to|instruct(?:s|ing)? \w+ (?:how )?to|(?:script|program|software|app|code|algorithm|tool|bot
    |virus) (?:that|to|which|for))
""")
_HERE: Final = pattern(r"""
    (?:here(?:'s| is| are)(?: a| an| the| some| my| your| step-by-step| detailed| simple| basic| complete| few
    | several| \w+ing| \d+){0,5} (?:how|steps?|guide|instructions?|recipe|plan|ways?|methods?|tutorial|script|tips
    |procedure|outline|draft|example|techniques?)|follow these(?: \w+)? steps|(?:^|\n)[#*\s]*(?:(?:step-by-step
    |complete|detailed|simple) )?(?:guide|instructions|tutorial|recipe|how) (?:to|for|on))
""")

_UNCAUGHT: Final = pattern(r"""
    (?:(?:without|avoid|not|never) (?:get|be|getting|being) (?:caught|detected|traced)|evad(?:e|ing) detection)
""")
_EVASION: Final = pattern(r"""
    (?:get(?:ting)? away with (?:it|murder|a crime|crimes)|evad(?:e|ing) (?:law enforcement|the police|police
    |the authorities)|(?:dispos(?:e|ing) of|hid(?:e|ing)|get(?:ting)? rid of) (?:a (?:dead )?|the dead )body
    |(?:destroy|hid)(?:e|ing)? (?:the |incriminating )?evidence|cover(?:ing)? up (?:a|the|my) (?:crime|murder)
    |without (?:their|his|her) (?:knowledge|consent|knowing)|illegally|unlawfully|illicitly)
""")

_MAKE: Final = alternatives(
    """write create creating develop design build make generate compose draft produce give_me give provide outline
    devise code program describe"""
)

_OTHER_REQUESTS: Final = (
    Rule(_CRIMINAL + "evasion", _STRONG, pattern(rf"\b{_HOW}~9{_EVASION}\b")),
    Rule(_CRIMINAL + "uncaught", _MEDIUM, pattern(rf"\b{_HOW}~9{_UNCAUGHT}\b")),
    Rule(
        _CRIMINAL + "crime-verb",
        _MEDIUM,
        pattern(r"""
            \b(?:steal(?:ing)?|rob(?:bing)?|kill(?:ing)?|murder(?:ing)?|smuggl(?:e|ing)|cheat(?:ing)?|hack(?:ing)?
            |traffick\w+|drugs?|launder\w*|blackmail\w*|exploit(?:ing)?|vandali\w+|sell(?:ing)? (?:stolen|illegal))\b
        """),
    ),
    Rule(
        _CRIMINAL + "phishing",
        _STRONG,
        pattern(rf"""
            \b{_MAKE}~4(?:phishing|scam|fraudulent|spear.?phishing|blackmail|extortion|ransom) (?:\w+ )?(?:emails?
            |messages?|texts?|letters?|pages?|websites?|sites?|calls?|campaigns?|scripts?|kits?|schemes?|posts?
            |notes?)\b
        """),
    ),
    Rule(
        _CRIMINAL + "malware",
        _STRONG,
        pattern(rf"""
            \b{_MAKE}~3(?:malware|ransomware|a keylogger|a trojan|a rootkit|a botnet|spyware|computer (?:virus|worm)
            |a worm|a virus that|zip bomb|fork bomb|malicious (?:software|code|programs?|scripts?|apps?|links?
            |payloads?))\b
        """),
    ),
    Rule(
        _CRIMINAL + "instructions",
        _STRONG,
        pattern(rf"""
            \b{_MAKE}~5(?:guide|tutorial|manual|instructions|plan|script|program|algorithm|software|app|steps|post
            |manifesto|tips|strategy|method|tool|website|store|account|bot|email|message|dialogue|virus)~3(?:to|for|on
            |that|of|how to|which)~3(?:steal\w*|harvest\w*|trick\w*~1(?:people|users|individuals|someone)|exploit\w*
            |harass\w*|bully\w*|hack\w*|kill\w*|murder\w*|rob|smuggl\w+|kidnap\w*|launder\w*|embezzl\w+|counterfeit\w*
            |forg(?:e|ing) (?:a |an )?\w+|blackmail\w*|extort\w*|poison\w*|cyberbully\w*|stalk\w*|shoplift\w*
            |hijack\w*|assassinat\w+|identity theft|sabotag\w+|commit\w*~2(?:fraud|theft|crime|murder|suicide|arson)
            |terroris\w+|mass shooting)\b
        """),
    ),
)

_OTHER_ANSWERS: Final = (
    Rule(
        _CRIMINAL + "explosives-recipe",
        _STRONG,
        pattern(r"""
            \b(?:ammonium nitrate~8(?:fuel oil|diesel|anfo)|(?:tatp|hmtd|petn|acetone peroxide|nitroglycerin)~8(?:mix
            |add|filter|stir|detonat\w+|dry)|(?:mix|add|pack|fill)\w*~8(?:gunpowder|black powder|ammonium nitrate
            |match heads)~9(?:pipe|fuse|detonator|container|cap)|(?:drill|attach|insert)~6(?:fuse|detonator
            |blasting cap))\b
        """),
    ),
    Rule(
        _CRIMINAL + "drug-recipe",
        _STRONG,
        pattern(r"""
            \b(?:(?:pseudoephedrine|ephedrine|phenylacetone|p2p)~9(?:red phosphorus|iodine|lithium|methylamine|reflux
            |reduc\w+|anhydrous ammonia)|(?:red phosphorus|anhydrous ammonia|safrole|piperonal)~9(?:pseudoephedrine
            |ephedrine|methamphetamine|mdma|meth))\b
        """),
    ),
    Rule(
        _CRIMINAL + "ransom-note",
        _STRONG,
        pattern(r"""
            \b(?:your|all|all of your) (?:files|data|documents)~4encrypted\b[^\n]*~1(?:bitcoin|btc|monero|ransom
            |decryption key)\b
        """),
    ),
    Rule(
        _CRIMINAL + "phishing-text",
        _MEDIUM,
        pattern(r"\byour account~3(?:suspended|locked|limited|compromised|deactivated)\b"),
    ),
    Rule(
        _CRIMINAL + "phishing-link",
        _MEDIUM,
        pattern(r"""
            \b(?:click|follow|visit)~3(?:link|here|button)~6(?:verify|confirm|restore|update|unlock)~2(?:account
            |identity|password|details|information)\b
        """),
    ),
)

_ADULT_REQUESTS: Final = (
    Rule(
        "adult-content/request",
        _STRONG,
        pattern(rf"""
            \b(?:{_MAKE}|tell|show|roleplay|continue)~5(?:erotica?|porn\w*|smut|nsfw|sexually explicit|explicit sex
            |sex scenes?|hentai|lewd|nudes?|x-rated|steamy sex|sexual fantas\w+|fetish|dirty talk|sexting)\b
        """),
    ),
    Rule(
        "adult-content/sexual-role-play",
        _STRONG,
        pattern(r"""
            \b(?:have sex with me|talk dirty to me|sext with me|send nudes|be my (?:sex|porn)\w*)\b
        """),
    ),
)
_ADULT_ANSWERS: Final = (
    Rule(
        "adult-content/explicit",
        _STRONG,
        pattern(r"""
            \b(?:(?:his|her|my|your) (?:\w+ )?(?:cock|dick|pussy|cunt|clit|penis|vagina)~6(?:thrust\w*|suck\w*|lick\w*
            |moan\w*|cum\w*|wet|hard|deep)|(?:thrust\w*|suck\w*|lick\w*|moan\w*|cumming)~6(?:cock|dick|pussy|cunt|clit
            |penis|vagina)|blow ?job|cum ?shot|gang ?bang|deep ?throat)\b
        """),
    ),
)
_OFFENSIVE_REQUESTS: Final = (
    Rule(
        "offensive-content/request",
        _STRONG,
        pattern(rf"""
            \b(?:{_MAKE}|tell)~4(?:racist|sexist|homophobic|transphobic|anti-?semitic|islamophobic|xenophobic
            |misogynistic|hateful|offensive|derogatory|demeaning|bigoted)~2(?:jokes?|poems?|posts?|tweets?|speech
            |essay|slurs?|rants?|stor(?:y|ies)|insults?|comments?|articles?|messages?|songs?)\b
        """),
    ),
    Rule(
        "offensive-content/hate",
        _STRONG,
        pattern(rf"""
            \b(?:{_HOW}|{_MAKE})~5(?:promot|spread|encourag|incit|glorif|justif|express|normali[sz])(?:e|es|y|ies|ing
            |s)?~3(?:hate|hatred|hate speech|racis[mt]|homophobi[ac]|transphobi[ac]|xenophobi[ac]|sexis[mt]
            |anti-?semiti\w+|islamophobi[ac]|white supremacy|prejudice|intolerance|bigotry|discrimination|stereotypes
            |genocide|violence)\b
        """),
    ),
    Rule(
        "offensive-content/slur",
        _STRONG,
        r"\b(?:nigg(?:er|a)s?|fagg?ots?|kikes?|wetbacks?|trann(?:y|ies)|ragheads?|gooks?)\b",
    ),
)
_OFFENSIVE_ANSWERS: Final = (
    Rule(
        "offensive-content/dehumanising",
        _STRONG,
        pattern(r"""
            \b(?:jews|muslims|blacks|black people|gays|immigrants|women|christians|asians|mexicans|trans people
            |gypsies|arabs) (?:are|should be)(?: all| just| nothing but| a bunch of)? (?:subhuman|vermin|animals
            |parasites|inferior|exterminated|killed|scum|filth|rats)\b
        """),
    ),
    _OFFENSIVE_REQUESTS[-1],
)

REQUEST_RULES: Final[tuple[Rule, ...]] = (
    *(Rule(_CRIMINAL + crime.name, _STRONG, pattern(rf"\b{_HOW}~{crime.distance}{crime.words}\b")) for crime in CRIMES),
    *_OTHER_REQUESTS,
    *_ADULT_REQUESTS,
    *_OFFENSIVE_REQUESTS,
)
ANSWER_RULES: Final[tuple[Rule, ...]] = (
    *(
        Rule(f"{_CRIMINAL}{crime.name}-instructions", _STRONG, pattern(rf"\b{_HERE}~{crime.distance}{crime.words}\b"))
        for crime in CRIMES
    ),
    *_OTHER_ANSWERS,
    *_ADULT_ANSWERS,
    *_OFFENSIVE_ANSWERS,
)
REQUEST_EXCUSES: Final = (
    pattern(r"""
        ^[^.\n]*\b(?:protect(?:ing)?|prevent(?:ing|ion)?|report(?:ing)?|detect(?:ing|ion)|identify(?:ing)?
        |defend(?:ing)?|spot|recogni[sz](?:e|ing)|combat(?:ing)?|stop(?:ping)?|avoid(?:ing)? (?:being|falling|becoming
        |scams?|phishing|fraud)|awareness|(?:train|teach)(?:ing)? (?:my |our |the )?(?:staff|employees|team|kids
        |children|students|users))\b[^.\n]*[.?!]?$
    """),
    pattern(r"""
        ^[^.\n]*\b(?:novel|screenplay|short story|detective (?:story|fiction)|murder mystery|mystery (?:story|novel)
        |video ?game|minecraft|gta|payday|skyrim|splinter cell|dungeons|my (?:book|game|fictional)|game series
        |in (?:the )?(?:game|movie|film))\b[^.\n]*[.?!]?$
    """),
)
"""A whole text of one sentence about prevention or fiction. It can be faked; a model then answers about just that."""
