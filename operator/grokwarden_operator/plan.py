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
        keys: By reference, as ``KeySource.secret`` has it: of the bundle's targets alone. Never shown.
        unread: References of which nothing is known just now: what the pod has of them is not to be taken away.
    """

    bundle: Bundle
    keys: Mapping[str, str] = field(repr=False)
    unread: frozenset[str] = frozenset()


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


class Reason(StrEnum):
    """Why a condition has its status, for programs; the worst of several is the first that stands here."""

    ACCEPTED = "Accepted"
    COMPILE_ERROR = "CompileError"
    EGRESS_NOT_ALLOWED = "EgressNotAllowed"

    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    TARGET_NOT_ACCEPTED = "TargetNotAccepted"
    NO_TARGET = "NoTarget"
    AMBIGUOUS_TARGET = "AmbiguousTarget"
    SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105 - like the others here, no secret
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    HOST_NOT_ALLOWED = "HostNotAllowed"
    SECRET_ENTRY_NOT_FOUND = "SecretEntryNotFound"  # noqa: S105
    SECRET_UNUSABLE = "SecretUnusable"  # noqa: S105
    SECRET_UNREAD = "SecretUnread"  # noqa: S105
    SECRET_RESOLVED = "SecretResolved"  # noqa: S105
    NO_SECRET_NEEDED = "NoSecretNeeded"  # noqa: S105
    RESOLVED_REFS = "ResolvedRefs"

    TESTS_FAILED = "TestsFailed"
    TESTS_PASSED = "TestsPassed"
    NO_TESTS = "NoTests"
    NOT_RUN = "NotRun"

    NOT_ACCEPTED = "NotAccepted"
    DISABLED = "Disabled"
    NACKED = "Nacked"
    SIDECARS_MISSING = "SidecarsMissing"
    PENDING = "Pending"
    NO_MATCHING_PODS = "NoMatchingPods"
    PROGRAMMED = "Programmed"

    RETIRED = "Retired"
    KNOWN = "Known"
    NOT_IN_CATALOGUE = "NotInCatalogue"
    NOT_CHECKED = "NotChecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDraft:
    """A condition before it is compared with the one before it."""

    type: ConditionType
    status: Truth
    reason: Reason
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
        statuses: Of every pack and target, but for packs whose status is to stay as it is while sidecars come back.
    """

    pods: Mapping[str, PodConfig]
    statuses: tuple[StatusDraft, ...]
