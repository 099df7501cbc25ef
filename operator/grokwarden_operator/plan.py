"""What follows from a listing: what each pod gets, and what each resource's status says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from grokwarden.bundle import Bundle
from grokwarden_operator.listing import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PodConfig:
    """What one pod's sidecar is to have. Pods with equal configurations share the objects in it.

    Attributes:
        keys: By reference, ``namespace/secret/entry``: of the bundle's targets alone. Never shown.
    """

    bundle: Bundle
    keys: Mapping[str, str] = field(repr=False)


class ConditionType(StrEnum):
    """The aspects of a resource's state."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    TESTS_PASSED = "TestsPassed"
    PROGRAMMED = "Programmed"
    SECRET_RESOLVED = "SecretResolved"  # noqa: S105 - a condition's name
    MODEL_AVAILABLE = "ModelAvailable"


class Truth(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDraft:
    """A condition before it is compared with the one before it."""

    type: ConditionType
    status: Truth
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarTally:
    """How many of the matching pods run exactly this generation, and what of the others.

    ``desired`` = ``acked`` + ``nacked`` + ``stale`` + ``missing``.
    """

    desired: int = 0
    acked: int = 0
    nacked: int = 0
    stale: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NackDraft:
    """A sidecar's refusal."""

    pod: str
    generation: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GapDraft:
    """A path on which a step enforces nothing."""

    step: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDraft:
    """A resource's status, before conditions are compared with those before.

    Attributes:
        tally: ``None`` for a target; so are ``nacks`` and ``gaps`` empty.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str
    generation: int
    conditions: tuple[ConditionDraft, ...]
    tally: SidecarTally | None = None
    nacks: tuple[NackDraft, ...] = ()
    gaps: tuple[GapDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that follows from one listing.

    Attributes:
        pods: What each live pod with a sidecar is to have, by uid.
        statuses: Of every pack and target.
    """

    pods: Mapping[str, PodConfig]
    statuses: tuple[StatusDraft, ...]
