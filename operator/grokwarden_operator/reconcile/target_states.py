"""Targets as packs may use them: what compiles, less what the cluster's settings refuse, with the key of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grokwarden.compiler.joining import TargetsView
from grokwarden.compiler.units import CompiledTarget
from grokwarden_operator.reconcile.compiling import TargetVerdict
from grokwarden_operator.reconcile.egress import egress_trouble
from grokwarden_operator.reconcile.hosts import HostRule
from grokwarden_operator.reconcile.secret_keys import KeyLookup, Secrets, look_up_key


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """A target and its key.

    Attributes:
        egress: Why the settings refuse the newest generation; empty if they don't, or if it does not compile.
        in_force: What packs can use: of the verdict's, what the settings let through. Where they refuse the newest
            generation, no older one takes its place: its author is to see that, not to wonder where calls go.
        lookup: The key of what is in force.
    """

    verdict: TargetVerdict
    egress: str
    in_force: CompiledTarget | None
    lookup: KeyLookup | None

    @property
    def is_accepted(self) -> bool:
        """The newest generation can be used; then it is in force."""
        return self.verdict.is_good and not self.egress


def target_states(
    verdicts: Mapping[str, TargetVerdict], secrets: Secrets, rules: Iterable[HostRule]
) -> dict[str, TargetState]:
    """Of every target, by ``namespace/name``, in that order."""
    rules = tuple(rules)
    return {name: _state(verdicts[name], secrets, rules) for name in sorted(verdicts)}


def targets_view(states: Mapping[str, TargetState]) -> TargetsView:
    """What packs can be joined with."""
    compiled = {name: state.in_force for name, state in states.items() if state.in_force is not None}
    return TargetsView(compiled=compiled, names=states.keys())


def _state(verdict: TargetVerdict, secrets: Secrets, rules: tuple[HostRule, ...]) -> TargetState:
    in_force = verdict.in_force
    egress = egress_trouble(in_force.part, rules) if in_force is not None else ""
    if egress:
        in_force = None
    return TargetState(
        verdict=verdict,
        egress=egress if verdict.is_good else "",
        in_force=in_force,
        lookup=look_up_key(in_force.part, secrets) if in_force is not None else None,
    )
