"""The commonest injections in German, French, Spanish, Italian and Portuguese, on folded text (no accents).

Where a word is English too, such as "ignore" or "instructions", an article or a pronoun of the language has to stand
by it.
"""

from typing import Final

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.wording import alternatives, pattern

_STRONG: Final = 0.9

_DE_DROP: Final = alternatives(
    r"ignorier\w* vergiss vergessen_sie missacht\w+ umgeh\w* uberschreib\w* verwirf setz\w*_dich_uber setze brich_mit"
)
_DE_ORDERS: Final = alternatives(
    r"""anweisung\w* instruktion\w* richtlinien? regeln vorgaben programmierung befehle? einschrankung\w*
    beschrankung\w* sicherheits\w* standard\w*protokolle?"""
)
_FR_DROP: Final = alternatives(
    r"""ignor\w+ oubli\w+ neglig\w+ outrepass\w+ contourn\w+ abandonn\w+ laiss\w+_(?:de_cote|tomber) met\w+_de_cote
    fai\w+_fi desobei\w+ transgress\w+ ne_tiens_pas_compte"""
)
_FR_ORDERS: Final = alternatives(
    r"""instructions? consignes? regles? directives? programmation restrictions? limit\w+
    contraintes? protocoles? garde-fous"""
)
_ES_DROP: Final = alternatives(
    r"""ignor\w+ olvid\w+ descart\w+ desestim\w+ omit\w+ pasa_por_alto haz_caso_omiso deja\w*_de_lado anul\w+
    desobedec\w+ sobrepas\w+ abandon\w+ bypassa sortea suspend\w+"""
)
_ES_ORDERS: Final = alternatives(
    r"""instruccion\w* directri\w+ reglas ordenes programacion restriccion\w* limitacion\w* configuracion
    indicacion\w* normas protocolos"""
)
_IT_DROP: Final = alternatives(
    r"""ignor\w+ dimentic\w+ scart\w+ trascur\w+ disobbed\w+ aggir\w+ abbandon\w+ metti\w*_da_parte
    lascia\w*_(?:da_parte|perdere) non_(?:seguire|tenere_conto) bypass\w+ sospend\w+ accanton\w+ super[ai]"""
)
_IT_ORDERS: Final = alternatives(
    r"""istruzion\w+ direttiv\w+ regol[ae] programmazione restrizion\w+ limitazion\w+ vincol\w+ linee_guida
    bussola_morale protocolli"""
)
_PT_DROP: Final = alternatives(
    r"""ignor\w+ esque\w+ desconsider\w+ descart\w+ desobede\w+ contorn\w+ abandon\w+ deix\w+_de_lado
    desafi\w+ bypass\w+ suspend\w+"""
)
_PT_ORDERS: Final = alternatives(
    r"""instruco\w+ instrucao diretri\w+ regras ordens programacao restrico\w+ limitaco\w+ configurac\w+
    algoritmos procedimentos protocolos"""
)

LANGUAGE_RULES: Final = (
    Rule("ignore-instructions-de", _STRONG, pattern(rf"\b{_DE_DROP}~3{_DE_ORDERS}\b")),
    Rule(
        "ignore-instructions-fr",
        _STRONG,
        pattern(rf"\b{_FR_DROP}~2(?:les|tes|vos|ces|toutes?|tous|ta|votre|l|aux|mes)~2{_FR_ORDERS}\b"),
    ),
    Rule("ignore-instructions-es", _STRONG, pattern(rf"\b{_ES_DROP}~2{_ES_ORDERS}\b")),
    Rule("ignore-instructions-it", _STRONG, pattern(rf"\b{_IT_DROP}~2{_IT_ORDERS}\b")),
    Rule("ignore-instructions-pt", _STRONG, pattern(rf"\b{_PT_DROP}~2{_PT_ORDERS}\b")),
    Rule(
        "reveal-prompt-de",
        _STRONG,
        pattern(r"""
            \b(?:zeig\w*|verrat\w*|nenn\w*|gib|gebt|offenbar\w*|enthull\w*|teil\w*|wiederhol\w*|was (?:ist|sind
            |war\w*)|wie laute\w*)~5(?:deine?[nrs]?|ihre?[nrs]?|den|die)~1(?:system-?prompts?|system-?anweisung\w*
            |prompts?|eingabeaufforderung|anfangsanweisung\w*|programmierung|anweisung\w*)\b
        """),
    ),
    Rule(
        "reveal-prompt-fr",
        _STRONG,
        pattern(r"""
            \b(?:revel\w+|montr\w+|affich\w+|donn\w+|divulgu\w+|partag\w+|repet\w+|dis|dites|expos\w+|devoil\w+
            |quell?e?s? (?:est|sont|etai\w+))~5(?:(?:ton|votre|tes|vos) (?:\w+ )?(?:prompts?|invite)|(?:prompt|invite
            |message) (?:systeme|initiale?|secrete?|cachee?|d'origine)|(?:tes|vos) (?:\w+ )?(?:instructions|consignes
            |directives))\b
        """),
    ),
    Rule(
        "reveal-prompt-es",
        _STRONG,
        pattern(r"""
            \b(?:revel\w+|muestr\w+|mostr\w+|dime|dame|divulg\w+|compart\w+|repit\w+|imprim\w+|expon\w+|desvel\w+
            |devel\w+|cual(?:es)? (?:es|son|era\w*|fue\w*))~5(?:(?:tu|su) (?:\w+ )?prompt|prompt (?:del sistema
            |inicial|secreto|oculto|original)|(?:tus|sus) (?:\w+ )?(?:instrucciones|indicaciones|directrices))\b
        """),
    ),
    Rule(
        "reveal-prompt-it",
        _STRONG,
        pattern(r"""
            \b(?:rivel\w+|mostra\w*|dimmi|dammi|divulg\w+|condivid\w+|ripet\w+|stampa\w*|espon\w+|svel\w+|qual\w* (?:e
            |sono|era\w*))~5(?:(?:tuo|vostro|suo) (?:\w+ )?prompt|prompt (?:di sistema|iniziale|segreto|nascosto
            |originale|fondamentale)|(?:tue|vostre) (?:\w+ )?(?:istruzioni|direttive))\b
        """),
    ),
    Rule(
        "reveal-prompt-pt",
        _STRONG,
        pattern(r"""
            \b(?:revel\w+|mostr\w+|diga(?:-me)?|diz(?:-me)?|divulg\w+|compartilh\w+|partilh\w+|repit\w+|imprim\w+
            |exib\w+|qua(?:l|is) (?:e|era|foi|sao|eram))~5(?:(?:teu|seu|vosso) (?:\w+ )?prompt|prompt (?:do sistema
            |inicial|secreto|oculto|original)|(?:tuas|suas) (?:\w+ )?(?:instrucoes|diretrizes))\b
        """),
    ),
    Rule(
        "without-limits-other-languages",
        _STRONG,
        pattern(r"""
            \b(?:antwort\w*|ki|assistent|du bist)~6(?:ohne|keine|frei von)~1(?:einschrankungen|beschrankungen|filter
            |zensur|regeln)\b|\b(?:repond\w*|agis\w*|ia|comporte\w*)~6(?:sans|aucune?)~1(?:restrictions?|limit\w+
            |filtres?|censure|contraintes?|regles?)\b|\b(?:respond\w*|actua\w*|ia|asistente|modo)~6(?:sin
            |ninguna?)~1(?:restricciones|limites|limitaciones|filtros?|censura)\b|\b(?:rispond\w*|agisc\w*|ia
            |comporta\w*)~6(?:senza|nessun\w*)~1(?:restrizioni|limit\w+|filtri|censura|vincoli|regole)\b
            |\b(?:respond\w*|aj[ai]\w*|ia)~6(?:sem|nenhuma?)~1(?:restricoes|limit\w+|filtros?|censura|regras)\b
            |\bneue anweisung(?:en)?:|\bnouvelles (?:instructions|consignes) ?:|\bnuevas instrucciones ?:
            |\bnuove istruzioni ?:|\bnovas instrucoes ?:
        """),
    ),
)
