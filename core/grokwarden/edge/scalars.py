"""What an unquoted word of a YAML file means, and which ones are refused because readers disagree about them.

kubectl reads YAML 1.1, most people know 1.2 or JSON. What all of them read alike is taken; the rest has to be quoted.
Dates, versions and times of day are texts for everybody who matters, so they are texts here.
"""

import math
import re
from typing import Final

Scalar = str | int | float | bool | None

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_OLD_BOOLEANS: Final = frozenset({"y", "n", "yes", "no", "on", "off"})
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_REAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ODD_NUMBER: Final = re.compile(
    r"[-+]?(?:0[0-9_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|[1-9][0-9]*(?:_[0-9]+)+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_LARGEST_INTEGER: Final = 2**63 - 1
_DIGITS_TO_CONVERT: Final = 20  # 64 bits have 19 digits; converting more is work for nothing


class AmbiguousScalarError(ValueError):
    """An unquoted word that YAML readers understand differently; the message says what to write instead."""


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        AmbiguousScalarError: Readers disagree about it: a YAML 1.1 boolean, an octal or otherwise odd number.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text.lower() in _OLD_BOOLEANS:
        raise AmbiguousScalarError(
            f'an unquoted {text} is a boolean to kubectl: write "{text}" for the text, or true or false'
        )
    if _ODD_NUMBER.fullmatch(text):
        raise AmbiguousScalarError(
            f'an unquoted {text} is read as different numbers: write "{text}" for the text, or a plain decimal number'
        )
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _REAL.fullmatch(text):
        return _real(text)
    return text


def resolve_key(text: str) -> str:
    """The key that an unquoted scalar names: a key is a text, whatever it looks like.

    Raises:
        AmbiguousScalarError: Other readers make a boolean or a null of it.
    """
    if text in _NULLS:
        raise AmbiguousScalarError("a key is empty or null: write a name, or quote it")
    if text in _BOOLEANS or text.lower() in _OLD_BOOLEANS:
        raise AmbiguousScalarError(f'an unquoted {text} as a key is a boolean to kubectl: write "{text}"')
    return text


def is_plain_text(text: str) -> bool:
    """Whether every reader takes the unquoted word as this very text."""
    try:
        return resolve_plain(text) == text and resolve_key(text) == text
    except AmbiguousScalarError:
        return False


def _integer(text: str) -> int:
    if len(text) <= _DIGITS_TO_CONVERT and abs(number := int(text)) <= _LARGEST_INTEGER:
        return number
    raise AmbiguousScalarError(f"{text[:24]} does not fit in 64 bits: quote it for the text")


def _real(text: str) -> float:
    if math.isfinite(number := float(text)):
        return number
    raise AmbiguousScalarError(f"{text[:24]} is too large for a number: quote it for the text")
