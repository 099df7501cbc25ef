"""Writes ``core/grokwarden/catalog/confusables.py``: what looks like an ASCII letter, a digit, ``<``, ``>`` or ``/``.

Run it in an environment of its own that has ``confusable-homoglyphs`` (it carries Unicode's confusables):
``python tools/generate_confusables.py > core/grokwarden/catalog/confusables.py``. A letter that looks like a digit is
left out: no rule is about digits. Double brackets are left out too, since a French quotation is no tag.
"""

import re
import sys
import unicodedata
from collections import defaultdict

from confusable_homoglyphs.confusables import confusables_data  # type: ignore[import-not-found]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = {
    "<": "‹〈⟨˂ᐸ❮❰⋖𝈶ᚲ〈🞀⪪⦑⧀❬⊰≺⧼",
    ">": "›〉⟩˃ᐳ❯❱⋗𝈷ᐅ〉🞂⪫⦒⧁❭⊱≻⧽𖼿",
    "/": "∕⁄⧸⟋╱᜵⁁〳𝈺ノ㇓丿⼃ⳆᎣ⫽⧶⫻",
}
EXTRA = {"o": "〇", "a": "ɐ", "e": "ǝ", "i": "ıӀІ", "ss": "ßẞ", "ae": "æÆ", "oe": "œŒ", "u": "ʋ", "y": "γ", "w": "ωѡ"}
NAMED = re.compile(
    r".*?(?:LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL )?|REGIONAL INDICATOR SYMBOL LETTER )([A-Z])(?: WITH .*)?"
)


def look_alike(char: str) -> str | None:
    """What one character stands for by its name or its digit value; ``None`` if that says nothing."""
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    name = unicodedata.name(char, "")
    if "IOTA" in name:
        return "i"
    match = NAMED.fullmatch(name)
    return match[1].lower() if match else None


def by_confusables() -> dict[str, str]:
    """The single characters that Unicode's table sets equal to one ASCII character."""
    found: dict[str, str] = {}
    for target in (*LETTERS.upper(), *LETTERS, *MARKS):
        for entry in confusables_data.get(target, ()):
            char = entry["c"]
            if len(char) == 1 and ord(char) > 0x7F:
                found[char] = target.lower()
    return found


def is_needed(char: str) -> bool:
    """Whether compatibility decomposition alone would not get there."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in {"Mn", "Me"})
    return not plain.isascii() and unicodedata.category(char) not in {"Mn", "Me", "Cf", "Cn", "Cs", "Co"}


def main() -> None:
    """The module is on standard output."""
    table = by_confusables()
    for code in range(0x80, 0x110000):
        if (found := look_alike(chr(code))) is not None:
            table[chr(code)] = found
    for target, chars in (*MARKS.items(), *EXTRA.items()):
        table.update(dict.fromkeys(chars, target))
    groups: dict[str, list[str]] = defaultdict(list)
    for char in sorted(table):
        if is_needed(char):
            groups[table[char]].append(char)
    out = sys.stdout
    out.write(
        '"""What looks like an ASCII letter, a digit, ``<``, ``>`` or ``/``. Made by tools/generate_confusables.py.\n\n'
    )
    out.write(
        "Characters that NFKD alone maps to ASCII are not listed. Derived from Unicode's confusables data (UTS #39),\n"
    )
    out.write("Copyright Unicode, Inc., under the Unicode License v3: see confusables.LICENSE beside this file.\n")
    out.write('"""\n\nfrom typing import Final\n\n# fmt: off\nLOOK_ALIKES: Final[dict[str, str]] = {\n')
    for target, chars in sorted(groups.items()):
        codes = [f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in chars]
        lines, line = [], ""
        for code in codes:
            if len(line) + len(code) > 104:
                lines.append(line)
                line = ""
            line += code
        lines.append(line)
        out.write(f'    "{target}": (\n' + "".join(f'        "{row}"\n' for row in lines) + "    ),\n")
    out.write("}\n# fmt: on\n")


if __name__ == "__main__":
    main()
