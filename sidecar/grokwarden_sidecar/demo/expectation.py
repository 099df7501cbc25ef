"""What a step expects, as data, and how that is held against what was seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOTHING = "nothing was seen"


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened.

    Attributes:
        value: Compared with the expectation.
        note: Shown beside it, and compared with nothing.
    """

    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that a step has to show.

    Attributes:
        subject: Whose word it is: ``client``, ``provider``, ``metric``, ``audit`` and the like.
        value: What must be seen, word for word.
        about: What the value belongs to, such as a metric's name.
    """

    subject: str
    value: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class AtMost:
    """A number that a step must not exceed.

    Attributes:
        limit: In ``unit``.
    """

    subject: str
    limit: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An expectation beside what was seen."""

    subject: str
    expected: str
    happened: str
    holds: bool


def compare(expected: Sequence[Expectation | AtMost], seen: Mapping[str, Seen]) -> tuple[Finding, ...]:
    """A finding for each expectation. What was not seen does not hold."""
    return tuple(_finding(item, seen.get(item.subject)) for item in expected)


def _finding(item: Expectation | AtMost, seen: Seen | None) -> Finding:
    happened = NOTHING if seen is None else f"{seen.value}  {seen.note}".rstrip()
    match item:
        case Expectation():
            expected = f"{item.about} {item.value}".lstrip()
            holds = seen is not None and seen.value == item.value
        case AtMost():
            expected = f"at most {item.limit} {item.unit}"
            holds = seen is not None and seen.value.isdecimal() and int(seen.value) <= item.limit
            happened = f"{seen.value} {item.unit}" if seen is not None else NOTHING
    return Finding(subject=item.subject, expected=expected, happened=happened, holds=holds)
