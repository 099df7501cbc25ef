"""Rules over several fields of one object, each written once for both of its judges.

The API server evaluates ``cel``; for files, ``breaches`` finds the same on the document itself, so that a mistake in
one field hides no mistake in another. What one field alone decides is no rule: it belongs to that field's type.

A rule asks ``has`` also of a field with a default: the server judges ``default: {}`` before it fills in the inside.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grokwarden.api.quantities import DURATION_PATTERN, is_usable_duration
from grokwarden.resources import FieldPath

Raw = Mapping[str, object]
"""An object of a document, unvalidated; a member that is null counts as absent, as it does at the API server."""

_DURATION: Final = re.compile(DURATION_PATTERN)


class Reason(StrEnum):
    """Why the API server says that it refuses a field."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule that doesn't hold, with the path relative to the object that carries the rule."""

    path: FieldPath
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of an object.

    Attributes:
        field: The member that the API server names as the culprit, in camelCase.
        message: What has to hold; a breach may say it more exactly.
        cel: True where the rule holds, ``self`` being the object; ``None`` where the schema itself makes the server
            refuse what breaks it.
        breaches: What is wrong in an object of a document; nothing where the members have the wrong type.
    """

    field: str
    message: str
    reason: Reason
    cel: str | None
    breaches: Callable[[Raw], Iterable[Breach]]

    def as_validation(self) -> Iterator[dict[str, str]]:
        """The entry of ``x-kubernetes-validations``, if the rule needs one."""
        if self.cel is not None:
            blamed = {"message": self.message, "fieldPath": f".{self.field}", "reason": self.reason.value}
            yield {"rule": self.cel, **blamed}


def rule(field: str, message: str, reason: Reason, *, cel: str, holds: Callable[[Raw], bool]) -> Rule:
    """A rule that a predicate decides; it is to be true where a type is wrong, which is reported elsewhere."""

    def breaches(raw: Raw) -> Iterator[Breach]:
        if not holds(raw):
            yield Breach(path=(field,), message=message)

    return Rule(field=field, message=message, reason=reason, cel=cel, breaches=breaches)


def only_for(block: str, *, discriminator: str, value: str, default: str | None = None) -> Rule:
    """A member block of a union is given only with its own discriminator, which may have a default."""
    return rule(
        block,
        f"may only be given with {discriminator} {value}",
        Reason.FORBIDDEN,
        cel=f"!has(self.{block}) || (has(self.{discriminator}) && self.{discriminator} == '{value}')",
        holds=lambda raw: raw.get(block) is None or (raw.get(discriminator) or default or value) == value,
    )


def required_for(block: str, *, discriminator: str, value: str) -> Rule:
    """A member that its discriminator's value can't do without; ``value`` is not the discriminator's default."""
    return rule(
        block,
        f"is required with {discriminator} {value}",
        Reason.REQUIRED,
        cel=f"!has(self.{discriminator}) || self.{discriminator} != '{value}' || has(self.{block})",
        holds=lambda raw: raw.get(discriminator) != value or raw.get(block) is not None,
    )


def unique_names(items: str, *, keyed: bool = False) -> Rule:
    """No two entries of a list of named objects have the same name.

    Args:
        items: The list.
        keyed: Its entries are keyed by their names (``x-kubernetes-list-type: map``), which says it to the server.
    """

    def breaches(raw: Raw) -> Iterator[Breach]:
        entries = raw.get(items)
        first_by_name: dict[str, int] = {}
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get("name") if isinstance(entry, Mapping) else None
            if not isinstance(name, str):
                continue
            first = first_by_name.setdefault(name, index)
            if first != index:
                message = f'the name "{name}" is already taken by {items}[{first}]; names must be unique'
                yield Breach(path=(items, index, "name"), message=message)

    return Rule(
        field=items,
        message="names must be unique",
        reason=Reason.INVALID,  # with FieldValueDuplicate the server leaves the message out
        cel=None
        if keyed
        else f"!has(self.{items}) || self.{items}.all(a, self.{items}.exists_one(b, b.name == a.name))",
        breaches=breaches,
    )


def usable_duration(field: str) -> Rule:
    """A duration is neither zero nor longer than a day."""

    def holds(raw: Raw) -> bool:
        text = raw.get(field)
        return not isinstance(text, str) or not _DURATION.fullmatch(text) or is_usable_duration(text)

    return rule(
        field,
        "must be at least 1ms and at most 24h",
        Reason.INVALID,
        cel=(
            f"!has(self.{field}) || "
            f"(duration(self.{field}) >= duration('1ms') && duration(self.{field}) <= duration('24h'))"
        ),
        holds=holds,
    )
