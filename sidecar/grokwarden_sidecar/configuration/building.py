"""Parts made ready for use, each on its own: what is wrong with one is known to be that one's, and built once.

Nothing here touches what is in force. It all runs in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import msgspec
import structlog

from grokwarden.bundle import PackPart, PartRef, TargetPart, decode_part
from grokwarden.edge.logs import place_of
from grokwarden.engine.chain import BoundStep, bind_pack
from grokwarden.errors import BundleChecksumError, BundleError
from grokwarden.policies import POLICIES, audit_logger
from grokwarden_sidecar.configuration.bundle_source import PartProblem, RefusalReason, Update

log = structlog.stdlib.get_logger(__name__)

_KEEPING: Final = "; keeping the previous bundle"  # what becomes of it is said by whoever decides it
_SOURCE: Final = "the operator"
_Part = TypeVar("_Part", PackPart, TargetPart)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPack:
    """A pack, ready to judge.

    Attributes:
        logs_all: What its ``audit-logger`` steps say of calls in which nothing acted; ``None`` where it has none.
    """

    ref: PartRef
    part: PackPart
    steps: tuple[BoundStep, ...]
    logs_all: bool | None

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets that it sends calls to."""
        return self.part.routing.targets if self.part.routing else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTarget:
    """A target whose part could be read."""

    ref: PartRef
    part: TargetPart


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What governs calls now, by name."""

    packs: Mapping[str, BuiltPack] = field(default_factory=dict)
    targets: Mapping[str, ReadTarget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """A configuration's parts, by name: each usable, or the reason why it isn't.

    Attributes:
        unreadable: Digests of parts whose bytes can't be used.
    """

    packs: dict[str, BuiltPack | PartProblem]
    targets: dict[str, ReadTarget | PartProblem]
    unreadable: frozenset[str]


def build(update: Update, in_force: InForce) -> Building:
    """Everything that an update names; what is in force already is taken from there."""
    unreadable: set[str] = set()
    packs: dict[str, BuiltPack | PartProblem] = {}
    for ref in update.manifest.packs:
        known = in_force.packs.get(ref.name)
        if known is not None and known.ref.digest == ref.digest:
            packs[ref.name] = replace(known, ref=ref)
        else:
            part = _read(update, ref, PackPart, unreadable)
            packs[ref.name] = part if isinstance(part, PartProblem) else _build_pack(ref, part)
    targets: dict[str, ReadTarget | PartProblem] = {}
    for ref in update.manifest.targets:
        held = in_force.targets.get(ref.name)
        if held is not None and held.ref.digest == ref.digest:
            targets[ref.name] = replace(held, ref=ref)
        else:
            read = _read(update, ref, TargetPart, unreadable)
            targets[ref.name] = read if isinstance(read, PartProblem) else ReadTarget(ref=ref, part=read)
    return Building(packs=packs, targets=targets, unreadable=frozenset(unreadable))


def _read(update: Update, ref: PartRef, kind: type[_Part], unreadable: set[str]) -> _Part | PartProblem:
    part = update.parts[ref.digest]
    if isinstance(part, kind):
        return part
    if not isinstance(part, bytes):
        return PartProblem(reason=RefusalReason.INVALID_PART, message=f"the part of {ref.name} is of another kind")
    try:
        return decode_part(part, ref, kind, source=_SOURCE)
    except BundleChecksumError as error:
        problem = PartProblem(reason=RefusalReason.CHECKSUM_MISMATCH, message=_text_of(error))
    except BundleError as error:
        problem = PartProblem(reason=RefusalReason.INVALID_PART, message=_text_of(error))
    except RecursionError:
        message = f"bundle from {_SOURCE}: part of {ref.name}: nested too deeply"
        problem = PartProblem(reason=RefusalReason.INVALID_PART, message=message)
    unreadable.add(ref.digest)
    return problem


def _build_pack(ref: PartRef, part: PackPart) -> BuiltPack | PartProblem:
    for step in part.steps:
        if step.policy not in POLICIES:
            message = f"step {step.name}: there is no policy {step.policy} in this version of the sidecar"
            return PartProblem(reason=RefusalReason.UNKNOWN_POLICY, message=message)
    try:
        return BuiltPack(ref=ref, part=part, steps=bind_pack(part), logs_all=_logs_all(part))
    except BundleError as error:
        return PartProblem(reason=RefusalReason.BUILD_FAILED, message=_text_of(error))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one pack must not keep the others from applying
        log.error("pack_build_failed", pack=ref.name, error=type(error).__name__, at=place_of(error))
        message = f"pack {ref.name}: building it failed with {type(error).__name__}"
        return PartProblem(reason=RefusalReason.BUILD_FAILED, message=message)


def _logs_all(part: PackPart) -> bool | None:
    name = audit_logger.POLICY.name
    said = [
        msgspec.convert(step.settings, audit_logger.Settings).log_all_access
        for step in part.steps
        if step.policy == name
    ]
    return any(said) if said else None


def _text_of(error: BundleError) -> str:
    return str(error).removesuffix(_KEEPING)
