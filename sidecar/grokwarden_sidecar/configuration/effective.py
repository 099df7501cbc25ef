"""What of a new configuration comes into force beside what stays of the one before it. Pure.

One bad pack is refused alone: the rest applies, and that pack keeps its last good generation, if it is of the same
object. Where nothing is in force yet, all of it applies or nothing: a part of a first configuration would be a policy
that nobody wrote.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import msgspec

from grokwarden.bundle import Bundle, Manifest, PartRef, TargetPart, digest_of
from grokwarden_sidecar.configuration.building import Building, BuiltPack, InForce, ReadTarget
from grokwarden_sidecar.configuration.bundle_source import PackOutcome, PartProblem, RefusalReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is to be in force, in order of evaluation, and what that means for each pack of the new manifest."""

    packs: tuple[BuiltPack, ...]
    targets: tuple[ReadTarget, ...]
    outcomes: tuple[PackOutcome, ...]

    def bundle(self, version: str, manifest: Manifest) -> Bundle:
        """The effective bundle, which audit records name: of the wanted version where it is all that was wanted."""
        bundle = Bundle.linked(
            ((pack.ref, pack.part) for pack in self.packs), ((target.ref, target.part) for target in self.targets)
        )
        is_as_wanted = (bundle.manifest.packs, bundle.manifest.targets) == (manifest.packs, manifest.targets)
        return msgspec.structs.replace(bundle, version=version, manifest=manifest) if is_as_wanted else bundle


def select(manifest: Manifest, building: Building, in_force: InForce) -> Selection:
    """The good parts, and in the place of each refused pack the one of the same object that is in force."""
    outcomes = tuple(PackOutcome(ref=ref, problem=_problem_of(ref, building)) for ref in manifest.packs)
    if not in_force.packs and any(outcome.problem for outcome in outcomes):
        return Selection(packs=(), targets=(), outcomes=tuple(map(_unapplied, outcomes)))
    good = {name: target for name, target in building.targets.items() if isinstance(target, ReadTarget)}
    targets = dict(good)
    packs: list[BuiltPack] = []
    for outcome in outcomes:
        built = building.packs[outcome.ref.name]
        if outcome.problem is None and isinstance(built, BuiltPack):
            packs.append(built)
            continue
        kept = in_force.packs.get(outcome.ref.name)
        if kept is not None and kept.ref.uid == outcome.ref.uid:
            targets.update(_kept_targets(kept, manifest, building, in_force))
            packs.append(_routed_within(kept, targets))
    return Selection(packs=tuple(packs), targets=tuple(targets.values()), outcomes=outcomes)


def _problem_of(ref: PartRef, building: Building) -> PartProblem | None:
    """Why a pack is not to be applied as it is named: for its own sake, or for a target's that it sends calls to."""
    pack = building.packs[ref.name]
    if isinstance(pack, PartProblem):
        return pack
    for name in pack.targets:
        target = building.targets.get(name)
        if target is None:
            message = f"routing names target {name}, which the configuration lacks"
            return PartProblem(reason=RefusalReason.MISSING_TARGET, message=message)
        if isinstance(target, PartProblem):
            message = f"target {name}: {target.message.removeprefix(f'target {name}: ')}"
            return PartProblem(reason=RefusalReason.INVALID_TARGET, message=message)
    return None


def _unapplied(outcome: PackOutcome) -> PackOutcome:
    if outcome.problem is not None:
        return outcome
    message = "another pack of the configuration is refused, and none was in force before: all are, or none is"
    return replace(outcome, problem=PartProblem(reason=RefusalReason.INCOMPLETE, message=message))


def _kept_targets(pack: BuiltPack, manifest: Manifest, building: Building, in_force: InForce) -> dict[str, ReadTarget]:
    """The targets in force that a kept pack needs and the new configuration has no good one for.

    One that the manifest no longer names is kept only if it sends the same key to the same host as one that it does
    name: the operator alone says which host may have a key, and that one it does not say of any more.
    """
    named = {ref.name: ref.uid for ref in manifest.targets}
    lent = {_lending(target.part) for target in building.targets.values() if isinstance(target, ReadTarget)}
    kept = {}
    for name in pack.targets:
        held = in_force.targets.get(name)
        if held is None or isinstance(building.targets.get(name), ReadTarget):
            continue
        is_named = named.get(name) == held.ref.uid
        if is_named or (name not in named and (held.part.key is None or _lending(held.part) in lent)):
            kept[name] = held
    return kept


def _lending(target: TargetPart) -> tuple[str | None, str]:
    """Which key goes to which host."""
    return target.key.secret if target.key else None, urlsplit(target.base_url).netloc


def _routed_within(pack: BuiltPack, targets: Iterable[str]) -> BuiltPack:
    """The pack without the targets that are gone; the very same if none is."""
    routing = pack.part.routing
    if routing is None or set(routing.targets) <= set(targets):
        return pack
    left = tuple(name for name in routing.targets if name in set(targets))
    part = msgspec.structs.replace(pack.part, routing=msgspec.structs.replace(routing, targets=left))
    return replace(pack, part=part, ref=msgspec.structs.replace(pack.ref, digest=digest_of(part)))
