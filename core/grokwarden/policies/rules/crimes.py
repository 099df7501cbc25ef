"""What people ask help for when they ask for a crime: verb and object, never one without the other."""

from typing import Final

import msgspec

from grokwarden.policies.rules.wording import alternatives, pattern


class Crime(msgspec.Struct, frozen=True, gc=False):
    """One kind of crime.

    Attributes:
        name: Last part of the rules' names.
        words: RE2 on folded text.
        distance: How many words may stand between the asking and the crime.
    """

    name: str
    words: str
    distance: int = 4


_SOMEONE: Final = alternatives(
    r"""someone somebody (?:a|another|other|an_innocent|innocent)_(?:person|people|human|man|woman|child|kid|girl|
    boy|individual|baby|stranger) people persons humans women him her (?:my|your|his|her|their)_(?:\w+_)?(?:wife|
    husband|boss|neighbou?r|girlfriend|boyfriend|ex|parents?|mother|father|brother|sister|partner|spouse|friend|
    teacher|coworker|child|kids?|family|roommate|enem(?:y|ies)) a_(?:politician|celebrity|cop|police_officer|
    prostitute|minor|victim|classmate) the_president civilians victims innocent_people"""
)
_ACCOUNT: Final = alternatives(
    r"""(?:\w+_)?accounts? (?:\w+_)?computers? (?:\w+_)?networks? (?:\w+_)?databases? (?:\w+_)?systems?
    (?:\w+_)?servers? (?:\w+_)?websites? (?:\w+_)?phones? (?:\w+_)?wi-?fi (?:\w+_)?emails? (?:\w+_)?bank government
    (?:\w+_)?devices? (?:\w+_)?cameras?"""
)
_NAMED_DRUGS: Final = alternatives(
    """(?:crystal_)?meth(?:amphetamine)?s? cocaine crack heroin lsd mdma ecstasy fentanyl ghb dmt narcotics
    amphetamines? opioids (?:illegal|illicit|hard|street|party|date_rape)_drugs controlled_substances"""
)

CRIMES: Final = (
    Crime(
        "weapons",
        pattern(r"""
            (?:(?:mak|build|construct|assembl|creat|manufactur|3d.?print|plant|detonat|produc|obtain|acquir|buy|sell
            |smuggl|set off|us)(?:e|ing|ting off)?(?: a| an| the| my| your| own| some| home-?made| improvised
            | powerful| simple| illegal| untraceable| undetectable| functional| 3d| printed| small
            | deadly){0,5} (?:(?:pipe|nail|car|fertilizer|letter|suitcase|dirty|nuclear|atomic|chlorine|petrol|gas
            |time)?[ -]?bombs?|explosives?(?: devices?)?|ieds?|grenades?|molotov(?: cocktails?)?|napalm|thermite
            |(?:nuclear|chemical|biological|lethal|deadly|illegal|military-grade|automatic|untraceable|unregistered
            |stolen)(?: \w+)? (?:weapons?|guns?|firearms?)|bio-?weapons?|nerve agents?|nerve gas|poison gas
            |mustard gas|sarin|ricin|anthrax|ghost guns?|gun silencers?)|(?:mak(?:e|ing)|manufactur(?:e|ing)
            |3d.?print(?:ing)?|smuggl(?:e|ing)|traffic(?:king)?)(?: a| an| my| own| some| home-?made| improvised
            | plastic){0,3} (?:guns?|firearms?|weapons))
        """),
        2,
    ),
    Crime(
        "drugs",
        pattern(rf"""
            (?:(?:mak|cook|synthesi[sz]|manufactur|produc|extract|sell|smuggl|traffick?|distribut|deal|buy|transport
            |import|ship|hid|obtain|conceal|get)(?:e|ing|ping|ting)?~3{_NAMED_DRUGS}|(?:cook|sell|smuggl|traffick?
            |deal)(?:e|ing)?~2drugs|meth lab|drug (?:lab|trafficking|ring|dealing))
        """),
    ),
    Crime(
        "hacking",
        pattern(rf"""
            (?:hack(?:ing)? (?:into )?(?:someone(?:'s| else's)?|a|an|the|any|my (?:ex|neighbou?r|school|boss|wife
            |husband|girlfriend|boyfriend)\S*|other people\S*|government|bank|corporate)|(?:gain|get
            |obtain)(?:ing)? unauthori[sz]ed access|break(?:ing)? into~3{_ACCOUNT}|(?:steal|harvest|phish)(?:s
            |ing)?~3(?:passwords?|credentials|credit cards?|credit card numbers|identit(?:y|ies)|personal (?:data
            |information)|sensitive (?:data|information)|confidential (?:data|information)|bank details|bitcoins?|data
            |information|cookies|trade secrets)|(?:launch|perform|conduct|carry out|execut|do)(?:e|ing)?~2(?:ddos
            |denial.of.service|cyber ?attacks?|sql injection|man.in.the.middle|ransomware|phishing|brute.force)
            |crack(?:ing)?~2(?:passwords?|wi-?fi|encryption)|exploit(?:ing)?~4(?:vulnerabilit(?:y|ies)|weaknesses)
            |bypass(?:ing)?~2(?:security (?:systems?|cameras)|alarms?|password protection|drm)|infect(?:s
            |ing)?~4(?:malware|virus|ransomware|computers|devices)|spoof(?:ing)?~2(?:email\w*|caller|domains?)
            |access(?:ing)?~1(?:someone else's|other people's)~1(?:online |private )?(?:accounts?|emails?|messages?
            |data)|intercept(?:ing)?~3(?:communications?|traffic|messages|calls)|us(?:e|ing)~2(?:botnets?|malware
            |ransomware|keyloggers?|spyware|rootkits?|trojans?)|spread(?:ing)?~2(?:malware|ransomware|viruses|a virus
            |spyware)|distribut(?:e|ing)~2(?:malware|ransomware))
        """),
    ),
    Crime(
        "fraud",
        pattern(r"""
            (?:launder(?:ing)?~2(?:money|cash|funds|proceeds)|money laundering|counterfeit(?:ing)?~1(?:money|currency
            |bills|goods|products|cash|checks|ids?|documents?|stocks|bonds|metals|precious)|(?:forg|fak|falsify
            |counterfeit)(?:e|ing)?~2(?:documents?|signatures?|passports?|ids?|checks?|prescriptions?|records
            |certificates?|visas?)|(?:mak|creat|get|obtain|produc|us|sell)(?:e|ing)?~2(?:fake|false|forged
            |counterfeit)(?: \w+){0,2} (?:job offers?|platforms?|ids?|passports?|identit(?:y|ies)|documents?|licenses?
            |checks?|money|invoices?|charit(?:y|ies)|accounts?)|commit(?:ting)?~3(?:fraud|identity theft|tax evasion
            |insider trading|perjury|embezzlement|arson|robbery|theft|crimes?|cybercrimes?|extortion|forgery)
            |(?:evad(?:e|ing)|cheat(?:ing)? on|dodg(?:e|ing)|avoid(?:ing)? paying) (?:my |your )?taxes|tax evasion
            |embezzl(?:e|ing)|insider (?:trading|information)|(?:ponzi|pyramid)(?: or pyramid)? schemes?
            |(?:scam(?:ming)?|defraud(?:ing)?|swindl(?:e|ing)|con(?:ning)?|trick(?:ing)?|deceiv(?:e|ing))~1(?:people
            |someone|others|investors|customers|consumers|victims|the elderly|elderly|users|individuals|employers
            |job seekers|money)|blackmail(?:ing)?|extort(?:ing)?|brib(?:e|ing)|phishing|buy(?:ing)?~1stolen
            |(?:insurance|credit card|bank|wire|welfare|mortgage|healthcare|investment|advance.fee|real estate
            |securities|tax|check) (?:fraud|scams?)|(?:fake|romance|employment|investment|lottery|online
            |charity) (?:scams?|schemes?)|steal(?:ing)?~2(?:someone's )?identit(?:y|ies)|shell (?:companies
            |corporations)~5(?:hide|launder|evade|conceal)|manipulat(?:e|ing)~2(?:stock (?:market|prices?)|stocks
            |financial (?:statements|markets)|markets?|elections?)|price.fixing|pump.and.dump|cook(?:ing)? the books)
        """),
        6,
    ),
    Crime(
        "violence",
        pattern(rf"""
            (?:(?:kill|murder|assassinat|poison|strangl|stab|tortur|kidnap|abduct|rap|assault|suffocat|drown|drug
            |lynch|mutilat|abus|molest|harass|stalk|cyberstalk|bully|cyberbully|intimidat|threaten)(?:e|ing
            |p?ing)?~1{_SOMEONE}|(?:hurt|harm|attack|beat up|injure|choke|maim|physically harm) {_SOMEONE}|hir(?:e
            |ing)~2(?:hitman|hit man|assassin|contract killer)|(?:commit|plan|carry out|execut|organi[sz]|stag|launch
            |perform|conduct)(?:e|ing)?~3(?:murder|terror(?:ist)? attacks?|terrorism|mass shooting|school shooting
            |massacre|genocide|bombings?|hate crimes?|assassination|mass murder|acts? of terror\w*|violence)
            |(?:recruit|join|fund|financ|support)(?:e|ing)?~4(?:terrorists?|terrorist (?:groups?|organi[sz]ations?)
            |isis|extremist groups?|terrorism|violent extremis\w+)|assassinat(?:e|ing)|(?:mak|creat|produc)(?:e
            |ing)~2poisons?|poison(?:ing)?~2(?:water supply|food|drinks?)|incit(?:e|ing)~2(?:violence|hatred|riots?
            |a riot)|(?:abduct|kidnap|tortur|molest|poison|hurt|beat|starv)(?:e|ing)?~1(?:children|kids|babies))
        """),
    ),
    Crime(
        "theft",
        pattern(r"""
            (?:shoplift(?:ing)?|pick ?pocket(?:ing)?|pick pockets|(?:rob|robbing|burglari[sz](?:e|ing))(?: a| an| the
            | someone| people)?~1(?:banks?|stores?|houses?|homes?|someone|people|shop|atm|jewelry store|train|person
            |gas station)|steal(?:ing)? (?:something|from|money|other people'?s?)|steal(?:ing)?(?: a| an| the| my
            | your| someone'?s?){1,3} (?:cars?|bikes?|money|store|work|bank|parents|shop|mail|packages?|art|jewelry
            |merchandise|wallet|phone)|hot-?wir(?:e|ing)~2(?:car|vehicle)|break(?:ing)? into~2(?:house|home|car
            |building|apartment|safe|store|museum|office)|pick(?:ing)?~1locks?~3(?:break|enter|house|illegally)
            |vandali[sz](?:e|ing)|carjack(?:ing)?|set(?:ting)? fire to~2(?:house|building|car|school|home|forest
            |store)|burn(?:ing)? down~2(?:house|building|home|school)|commit(?:ting)? arson|sabotag(?:e
            |ing)~3(?:equipment|power|factory|vehicle|plane|train|work|brakes|infrastructure))
        """),
        3,
    ),
    Crime(
        "trafficking",
        pattern(r"""
            (?:(?:human|sex|organ|child|labou?r)[ -]trafficking|\w+ trafficking (?:network|ring|operation)
            |traffick?(?:ing)?~1(?:humans?|people|women|children|victims?|organs?|persons?|migrants?|girls
            |individuals)|smuggl(?:e|ing)~4(?:people|migrants|humans?|immigrants|aliens|goods|weapons|guns|contraband
            |ivory|animals|across)|forc(?:e|ed|ing)~3(?:prostitution|labou?r|sex work|into sex)|(?:poach(?:ing)?
            |hunt(?:ing)?)~1(?:elephants?|rhinos?|endangered|protected)|illegal wildlife|sell(?:ing)?~2(?:organs?
            |kidney|endangered|ivory|stolen))
        """),
    ),
    Crime(
        "child-abuse",
        pattern(r"""
            (?:(?:child|children|minors?|underage|kids?|teen(?:age)?|preteen)~2(?:porn(?:ography)?|nudes?|nudity
            |erotic\w*|sexually explicit|sexual (?:content|images|acts|photos|stories))|csam|child labou?r
            |sexual exploitation|(?:groom|lur|seduc|molest|entic|exploit|abus)(?:e|ing)?~2(?:child(?:ren)?|minors?
            |kids?|underage\w*|teen\w*|preteens?)|(?:sexually explicit|sexualized|erotic|pornographic)~5(?:minors?
            |child(?:ren)?|underage|preteens?))
        """),
        6,
    ),
    Crime(
        "spying",
        pattern(r"""
            (?:(?:spy(?:ing)? on|track(?:ing)?|stalk(?:ing)?|monitor(?:ing)?|eavesdrop(?:ping)? on|follow(?:ing)?
            |record(?:ing)?|surveil)~5without~2(?:knowing|knowledge|consent|permission|noticing|awareness)
            |(?:install(?:ing)?|us(?:e|ing))~2(?:spyware|stalkerware|keyloggers?|hidden cameras?)|doxx?(?:ing)?
            |find(?:ing)? (?:out )?someone's~2(?:address|private information)|secretly~1(?:record|film|track|monitor
            |photograph)(?:ing)?|deep ?fakes?~6(?:porn\w*|blackmail|harass|without|nude|explicit|defam\w+)|(?:reveng
            |non-?consensual)~2(?:porn\w*|images?|photos?))
        """),
        6,
    ),
)
