"""What the rest of the sidecar knows of where its configuration comes from, and what it answers.

``FileSource`` and ``StreamSource`` are the two. Whatever the source, there is one way behind it: ``Applier``.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from grokwarden.bundle import Bundle, Manifest, PackPart, PartRef, TargetPart


class RefusalReason(StrEnum):
    """Why a part of a configuration is not in force, for programs."""

    UNSUPPORTED_SCHEMA = "UnsupportedSchema"
    INVALID_MANIFEST = "InvalidManifest"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    INVALID_PART = "InvalidPart"
    UNKNOWN_POLICY = "UnknownPolicy"
    BUILD_FAILED = "BuildFailed"
    MISSING_TARGET = "MissingTarget"
    INVALID_TARGET = "InvalidTarget"
    INCOMPLETE = "Incomplete"  # nothing wrong with it, but with another one, and there was nothing in force before


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProblem:
    """Why a part can't be used; the message is for people."""

    reason: RefusalReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOutcome:
    """What became of one pack that a configuration names; ``problem`` is ``None`` if it is in force as named."""

    ref: PartRef
    problem: PartProblem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A configuration, all parts of which are here.

    Attributes:
        version: The digest of the manifest.
        parts: By digest; bytes where nobody has looked at them yet.
    """

    version: str
    manifest: Manifest
    parts: Mapping[str, PackPart | TargetPart | bytes]

    @classmethod
    def of(cls, bundle: Bundle) -> "Update":
        """A bundle that was verified when it was read."""
        refs = (*bundle.manifest.packs, *bundle.manifest.targets)
        parts: tuple[PackPart | TargetPart, ...] = (*bundle.packs, *bundle.targets)
        by_digest = {ref.digest: part for ref, part in zip(refs, parts, strict=True)}
        return cls(version=bundle.version, manifest=bundle.manifest, parts=by_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A configuration that can't be used at all, with every reason.

    Attributes:
        version: Of its manifest, if it has one that far.
        packs: What is answered for each of its packs, if they are known.
    """

    problems: list[str]
    is_unreadable: bool = False
    version: str = ""
    packs: tuple[PackOutcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a configuration.

    Attributes:
        version: As the configuration has it.
        packs: Every pack that it names.
        bundle: What is in force by it, which may be less, and in part older; ``None`` where it changed nothing.
        unreadable: Digests of parts whose bytes can't be used.
    """

    version: str
    packs: tuple[PackOutcome, ...] = ()
    bundle: Bundle | None = None
    unreadable: frozenset[str] = frozenset()

    @property
    def is_complete(self) -> bool:
        """All of it is in force."""
        return self.bundle is not None and all(pack.problem is None for pack in self.packs)

    @property
    def refused(self) -> tuple[PackOutcome, ...]:
        """The packs that are not in force as named."""
        return tuple(pack for pack in self.packs if pack.problem is not None)


class BundleSource(Protocol):
    """Gives the configuration that is there now, and every later one, in order."""

    @property
    def description(self) -> str:
        """For people: where it comes from."""
        ...

    def updates(self) -> AsyncIterator[Update | Rejection]: ...

    async def settled(self, outcome: Outcome) -> None:
        """The configuration that was given last has been dealt with; the next one may come."""
        ...
