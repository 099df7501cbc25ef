"""What is there, kept up to date by events and lists in whatever order they come.

An object's newest version wins, by its resource version; one that is gone stays gone, since a uid is never used again.
So it does not matter whether something was heard twice, late, or only from a list. Not safe for threads: one loop owns
it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, cast

from grokwarden_operator.listing import (
    Kind,
    Listing,
    NamespaceFact,
    PodFact,
    ResourceFact,
    SecretFact,
    SecretTrouble,
)
from grokwarden_operator.watching.facts import Fact, RawObject, fact_of

SecretName = tuple[str, str]
"""Namespace and name."""

_MOST_GONE: Final = 20_000
"""Of each kind, how many uids of gone objects are remembered, so that a late event does not bring them back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a complete list said that was not known.

    Attributes:
        newer: The uids of objects that were not known, or only in an older version, and that version's number.
        gone: The uids of objects that were known and are no more.
        count: How many of them make a difference to anybody.
    """

    newer: Mapping[str, int]
    gone: frozenset[str]
    count: int


@dataclass(slots=True)
class _Shelf:
    """The objects of one kind. ``view`` is what was last given out, until something changes."""

    by_uid: dict[str, Fact] = field(default_factory=dict)
    uid_of: dict[str, str] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)
    listed_at: int = 0
    view: Mapping[str, Fact] | None = None


class Inventory:
    """Everything that was heard of and is still there."""

    def __init__(self) -> None:
        self._shelves = {kind: _Shelf() for kind in Kind}
        self._secrets: dict[SecretName, SecretFact | SecretTrouble] = {}

    def put(self, kind: Kind, found: Fact | RawObject) -> bool:
        """Takes in an object that was heard of. True if it makes a difference; its own status makes none."""
        fact = _as_fact(kind, found)
        return fact is not None and self._put(self._shelves[kind], fact)

    def remove(self, kind: Kind, uid: str) -> bool:
        """The object is gone for good. True if it was there."""
        return self._remove(self._shelves[kind], uid)

    def replace(self, kind: Kind, found: Iterable[Fact | RawObject], resource_version: str) -> Changes:
        """Takes in a complete list: what is not in it, and not newer than it, is gone.

        A list that is older than the one before it tells that the API server's data was restored from a backup: what
        was known then counts no more.
        """
        shelf, listed_at = self._shelves[kind], version_number(resource_version)
        rewound = 0
        if listed_at < shelf.listed_at:
            rewound = len(shelf.by_uid)
            shelf = self._shelves[kind] = _Shelf()
        shelf.listed_at = listed_at
        facts = {fact.uid: fact for each in found if (fact := _as_fact(kind, each)) is not None}
        known = {uid: version_number(fact.resource_version) for uid, fact in shelf.by_uid.items()}
        gone = frozenset(uid for uid, version in known.items() if uid not in facts and version <= listed_at)
        newer = {
            uid: version
            for uid, fact in facts.items()
            if (version := version_number(fact.resource_version)) > known.get(uid, -1) and uid not in shelf.gone
        }
        removed = sum(self._remove(shelf, uid) for uid in gone)
        added = sum(self._put(shelf, facts[uid]) for uid in newer)
        return Changes(newer=newer, gone=gone, count=removed + added + rewound)

    def put_secret(self, namespace: str, name: str, found: SecretFact | SecretTrouble | None) -> bool:
        """Takes in what was found of a Secret, ``None`` once nobody looks after it. True if it makes a difference."""
        before = self._secrets.get((namespace, name))
        if found is None:
            self._secrets.pop((namespace, name), None)
        else:
            self._secrets[namespace, name] = found
        return found != before

    def wanted_secrets(self) -> frozenset[SecretName]:
        """The Secrets that targets name."""
        return frozenset(
            (target.namespace, name)
            for target in self._shelves[Kind.PROVIDER_TARGET].by_uid.values()
            if isinstance(target, ResourceFact) and (name := _secret_name(target))
        )

    def pod(self, uid: str) -> PodFact | None:
        """The pod with that uid."""
        found = self._shelves[Kind.POD].by_uid.get(uid)
        return found if isinstance(found, PodFact) else None

    def knows(self, kind: Kind, uid: str) -> bool:
        """Whether the object is there."""
        return uid in self._shelves[kind].by_uid

    def version(self, kind: Kind, uid: str) -> str:
        """The newest resource version of the object, empty if it is not there."""
        fact = self._shelves[kind].by_uid.get(uid)
        return "" if fact is None else fact.resource_version

    def listing(self) -> Listing:
        """Everything as it is now; it stays as it is, whatever comes later."""
        found = {
            f"{namespace}/{name}": self._secrets.get((namespace, name))
            for namespace, name in self.wanted_secrets() | self._secrets.keys()
        }
        return Listing(
            packs=cast("Mapping[str, ResourceFact]", self._view(Kind.POLICY_PACK)),
            targets=cast("Mapping[str, ResourceFact]", self._view(Kind.PROVIDER_TARGET)),
            pods=cast("Mapping[str, PodFact]", self._view(Kind.POD)),
            namespaces=cast("Mapping[str, NamespaceFact]", self._view(Kind.NAMESPACE)),
            secrets=MappingProxyType({name: secret or SecretTrouble.UNREAD for name, secret in found.items()}),
        )

    def _view(self, kind: Kind) -> Mapping[str, Fact]:
        shelf = self._shelves[kind]
        if shelf.view is None:
            facts = shelf.by_uid.items()
            shelf.view = MappingProxyType({uid if kind is Kind.POD else name_of(fact): fact for uid, fact in facts})
        return shelf.view

    def _put(self, shelf: _Shelf, fact: Fact) -> bool:
        version = version_number(fact.resource_version)
        known = shelf.by_uid.get(shelf.uid_of.get(name_of(fact), ""))
        if fact.uid in shelf.gone or (known is not None and version < version_number(known.resource_version)):
            return False
        if known is not None and known.uid != fact.uid:
            self._remove(shelf, known.uid)
        shelf.by_uid[fact.uid] = fact
        shelf.uid_of[name_of(fact)] = fact.uid
        shelf.view = None
        return known is None or _essence(known) != _essence(fact)

    def _remove(self, shelf: _Shelf, uid: str) -> bool:
        shelf.gone[uid] = None
        if len(shelf.gone) > _MOST_GONE:
            del shelf.gone[next(iter(shelf.gone))]
        fact = shelf.by_uid.pop(uid, None)
        if fact is None:
            return False
        del shelf.uid_of[name_of(fact)]
        shelf.view = None
        return True


def _as_fact(kind: Kind, found: Fact | RawObject) -> Fact | None:
    return fact_of(kind, found) if isinstance(found, Mapping) else found


def name_of(fact: Fact) -> str:
    """``namespace/name``, or the name of what has no namespace."""
    return fact.name if isinstance(fact, NamespaceFact) else f"{fact.namespace}/{fact.name}"


def version_number(resource_version: str) -> int:
    """A resource version, to be compared with others of its kind; 0 if it is none."""
    return int(resource_version) if resource_version.isascii() and resource_version.isdigit() else 0


def _essence(fact: Fact) -> object:
    """What makes a difference to anybody: all but the version, and but the status of our own resources."""
    if isinstance(fact, ResourceFact):
        return fact.uid, fact.document.content
    return replace(fact, resource_version="")


def _secret_name(target: ResourceFact) -> str:
    spec = target.document.content.get("spec")
    reference = spec.get("secretKeyRef") if isinstance(spec, Mapping) else None
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return name if isinstance(name, str) else ""
