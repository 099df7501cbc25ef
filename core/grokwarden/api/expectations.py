"""What is expected where a value is refused, in words, and the nearest name for a misspelt one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from grokwarden.api import fields, providertarget, quantities, status
from grokwarden.vocabulary import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a pattern stands for.

    Attributes:
        phrase: Completes "expected …".
        echoes: The value may stand in the message; not where it could hold a key or a prompt.
        names: The closed set behind the pattern, if there is one.
    """

    phrase: str
    echoes: bool = True
    names: tuple[str, ...] = ()


BY_PATTERN: Final[Mapping[str, Expectation]] = {
    fields.LABEL_PATTERN: Expectation(
        phrase="lower-case letters, digits and hyphens, with a letter or digit at both ends"
    ),
    fields.OBJECT_NAME_PATTERN: Expectation(
        phrase="lower-case letters, digits, hyphens and dots, with a letter or digit at both ends"
    ),
    fields.SEMVER_PATTERN: Expectation(phrase="a semantic version such as 1.4.0"),
    fields.THRESHOLD_PATTERN: Expectation(phrase='a number from 0 to 1 in quotes, such as "0.8"'),
    fields.LABEL_KEY_PATTERN: Expectation(phrase="a label key such as app or example.com/team"),
    fields.LABEL_VALUE_PATTERN: Expectation(phrase="a label value: letters, digits, hyphens, dots and underscores"),
    quantities.DURATION_PATTERN: Expectation(phrase="a duration such as 500ms, 30s, 1m30s or 2h"),
    quantities.PRICE_PATTERN: Expectation(
        phrase='USD per million tokens with at most four decimals, in quotes, such as "1.25"'
    ),
    providertarget.PROVIDER_PATTERN: Expectation(
        phrase="xai, openai, openai-compatible, or xai:chat:<model>", names=tuple(Provider)
    ),
    providertarget.BASE_URL_PATTERN: Expectation(
        phrase="an http or https address such as https://api.x.ai/v1, without user, query or fragment", echoes=False
    ),
    providertarget.PROXY_URL_PATTERN: Expectation(
        phrase="an http or https address such as http://proxy.example:3128, without user or path", echoes=False
    ),
    providertarget.MODEL_PATTERN: Expectation(phrase="a model's name, without white space"),
    providertarget.ENTRY_PATTERN: Expectation(
        phrase="the name of a Secret's entry: letters, digits, hyphens, dots and underscores", echoes=False
    ),
    providertarget.ENVIRONMENT_PATTERN: Expectation(
        phrase="the name of an environment variable, such as XAI_API_KEY", echoes=False
    ),
    status.REASON_PATTERN: Expectation(phrase="a reason in one CamelCase word"),
}

_ECHOED_CHARACTERS: Final = 60
_TYPE_PHRASES: Final[Mapping[type, str]] = {type(None): "nothing", str: "text", list: "a list", dict: "a mapping"}


def one_of(names: Iterable[str]) -> str:
    """The names as a choice: ``Block or Flag``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean "policy"?`` if one of ``names`` is near, whatever the case, otherwise nothing."""
    by_folded = {candidate.casefold().replace("_", ""): candidate for candidate in names}
    found = get_close_matches(name.casefold().replace("_", ""), by_folded, n=1)
    return f'; did you mean "{by_folded[found[0]]}"?' if found else ""


def shown(value: object) -> str:
    """A value that may be shown, in quotes and cut to a sensible length."""
    text = str(value)
    return f'"{text}"' if len(text) <= _ECHOED_CHARACTERS else f'"{text[:_ECHOED_CHARACTERS]}…"'


def type_phrase(value: object) -> str:
    """What a value of a document is, in words."""
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return _TYPE_PHRASES.get(type(value), f"a {type(value).__name__}")
