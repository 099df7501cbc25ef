"""What a pack refers to, followed to the end: its targets, and their keys.

A reference that leads nowhere does not keep a pack from being programmed: its steps are in force wherever it is acked,
and a call that has nowhere to go, or no key to go with, is refused. It is a condition of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from grokwarden.compiler.joining import TargetsView, UnresolvedRef, resolve_routing
from grokwarden.compiler.scope import Scope
from grokwarden.compiler.units import CompiledPack
from grokwarden.errors import Problem
from grokwarden_operator.listing import Kind
from grokwarden_operator.plan import Reason
from grokwarden_operator.reconcile.pod_groups import PodGroup
from grokwarden_operator.reconcile.target_states import TargetState

_ORDER: Final = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefTrouble:
    """One reference that is not followed to its end."""

    reason: Reason
    problem: Problem


class GroupRefs:
    """What the groups of pods say of packs: where their calls go there, and what of that could not be found.

    Read once for all packs: a pack without a routing of its own has one in each namespace.
    """

    def __init__(self, groups: Iterable[PodGroup]) -> None:
        self._targets: dict[str, dict[str, None]] = {}
        self._unresolved: dict[str, dict[UnresolvedRef, None]] = {}
        self._notes: dict[str, dict[Problem, None]] = {}
        joins = {id(group.joined): group.joined for group in groups if group.joined is not None}
        for joined in joins.values():
            for part in joined.bundle.packs:
                self._targets.setdefault(part.name, {}).update(
                    dict.fromkeys(part.routing.targets if part.routing else ())
                )
            for ref in joined.unresolved:
                self._unresolved.setdefault(ref.pack, {})[ref] = None
            for warning in joined.warnings:
                self._notes.setdefault(warning.resource, {})[warning] = None

    def targets_of(self, pack: str) -> Iterable[str]:
        """Where the pack's calls go on some pod."""
        return self._targets.get(pack, ())

    def notes_of(self, pack: str) -> Iterable[Problem]:
        """What is accepted in the pack, and may surprise on some pod."""
        return self._notes.get(f"{Kind.POLICY_PACK} {pack}", ())

    def unresolved_of(self, pack: str) -> Iterable[UnresolvedRef]:
        """What of the pack's routing could not be found for some pod."""
        return self._unresolved.get(pack, ())


def ref_troubles(
    pack: CompiledPack,
    refs: GroupRefs,
    view: TargetsView,
    states: Mapping[str, TargetState],
    *,
    scope: Scope,
    is_in_force: bool,
) -> tuple[RefTrouble, ...]:
    """Everything that the pack's references fail for, the worst first.

    Args:
        pack: The newest generation.
        refs: Of all pods; counts only where they are to run that generation.
        view: The targets that there are.
        states: Of these targets.
        scope: Of the cluster, without a pod.
        is_in_force: They are.
    """
    routing, unresolved = resolve_routing(pack, view, scope=scope)
    found = dict.fromkeys(unresolved)
    used = dict.fromkeys(routing.targets if routing is not None else ())
    if is_in_force:
        found.update(dict.fromkeys(refs.unresolved_of(pack.name)))
        used.update(dict.fromkeys(refs.targets_of(pack.name)))
    troubles = [RefTrouble(reason=Reason(ref.reason.value), problem=ref.problem) for ref in found]
    namespace = pack.loaded.source.namespace
    troubles += (trouble for name in sorted(used) for trouble in _key_troubles(name, states, namespace))
    return tuple(sorted(dict.fromkeys(troubles), key=lambda trouble: _ORDER[trouble.reason]))


def _key_troubles(name: str, states: Mapping[str, TargetState], namespace: str) -> Iterator[RefTrouble]:
    """Why there is no key for a target; of another namespace's, only that there is none."""
    lookup = states[name].lookup if name in states else None
    if lookup is not None and not lookup.is_resolved:
        is_own = name.startswith(f"{namespace}/")
        why = lookup.message if is_own else "it has no key to use; its own condition SecretResolved says why"
        yield RefTrouble(reason=lookup.reason, problem=Problem(message=f"ProviderTarget {name}: {why}"))
