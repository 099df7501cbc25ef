"""What the API server tells and is told, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class FactList:
    """Every object of a kind, at one moment."""

    facts: Sequence[Fact]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    """The pod that a token was made for, as the API server says."""

    namespace: str
    pod_name: str
    pod_uid: str
    service_account: str


class Write(StrEnum):
    """What became of a write, where it depends on what others did meanwhile."""

    DONE = "Done"
    GONE = "Gone"  # there is no such object any more
    RECREATED = "Recreated"  # an object of that name is there, but it is another one
    EXISTS = "Exists"  # somebody else made it first
    CHANGED = "Changed"  # somebody else wrote it since it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSecret:
    """A Secret of the operator's own. Its entries are never shown."""

    name: str
    resource_version: str
    entries: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What a Kubernetes Event tells of a resource.

    Attributes:
        reason: One PascalCase word; ``action`` likewise: what was being done.
        note: For a person; cut at 1 KiB.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str
    is_warning: bool
    reason: str
    action: str
    note: str
