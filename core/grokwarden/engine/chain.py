"""A bundle made ready to judge: every step built once, in the order of evaluation."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from grokwarden.bundle import BlockResponse, Bundle, PackPart, StepPart
from grokwarden.engine.decision import Decision
from grokwarden.errors import BundleError
from grokwarden.exchange.model import Exchange, Slot
from grokwarden.policies import POLICIES
from grokwarden.policies.base import CallStep, Finding, Policy, TextStep
from grokwarden.vocabulary import Action, Fallback, Mode, Need, Phase

ERROR_RULE: Final = "error"
_ANSWER: Final = (Phase.RESPONSE, Phase.TOOL_ARGUMENTS)
Report = Callable[[str, str, Exception], None]
"""Told of a step that failed: pack, step, and the error, whose text may hold pieces of the call."""


class BoundStep(msgspec.Struct, frozen=True):
    """One step of one pack with everything needed to apply it.

    Attributes:
        request_phases: Its phases that a request can have.
        answer_phases: Its phases that an answer can have and that need a look at the answer's text.
        judge: Judges a request as a whole; ``None`` if the policy goes text by text.
        scan: Judges one text; ``None`` if the policy needs the call.
    """

    pack: PackPart
    part: StepPart
    policy: Policy
    judge: Callable[[Exchange], Iterable[Finding]] | None
    scan: Callable[[str, Slot], Finding | None] | None
    request_phases: tuple[Phase, ...]
    answer_phases: tuple[Phase, ...]

    @property
    def block_response(self) -> BlockResponse:
        return self.pack.block_response

    def decision(self, phase: Phase) -> Decision:
        """A decision of this step that has found nothing yet."""
        return Decision(
            pack=self.pack.name, step=self.part.name, policy=self.part.policy, phase=phase, mode=self.part.mode
        )

    def need(self, phase: Phase) -> Need:
        return self.policy.sees[phase]

    def weigh(self, decision: Decision, finding: Finding) -> None:
        """Let the finding count in the decision: the strongest action stands, then the highest score."""
        action = self.part.action if finding.action is None else finding.action
        if decision.rule is None or (action.rank, finding.score) > (decision.action.rank, decision.score or 0.0):
            decision.action, decision.rule, decision.score = action, finding.rule, finding.score

    def fail(self, decision: Decision) -> None:
        """The check could not be made: ``onError`` decides, and the record says so."""
        decision.action = Action.BLOCK if self.part.on_error is Fallback.BLOCK else Action.ALLOW
        decision.rule = ERROR_RULE
        decision.score = None

    @property
    def enforces(self) -> bool:
        return self.part.mode is Mode.ENFORCE


def bind(bundle: Bundle) -> tuple[BoundStep, ...]:
    """Every step of the bundle, built, in order of evaluation.

    Raises:
        BundleError: A step names a policy that this program doesn't have, or its settings can't be used.
    """
    return tuple(step for pack in bundle.packs for step in bind_pack(pack))


def bind_pack(pack: PackPart) -> tuple[BoundStep, ...]:
    """One pack's steps, built, in order: for whoever has to know which pack of a bundle can't be.

    Raises:
        BundleError: As ``bind``.
    """
    return tuple(_bind_step(pack, part) for part in pack.steps)


def _bind_step(pack: PackPart, part: StepPart) -> BoundStep:
    policy = POLICIES.get(part.policy)
    if policy is None:
        raise BundleError(
            f"pack {pack.name}, step {part.name}: there is no policy {part.policy!r} here; keeping the previous bundle"
        )
    try:
        step = policy.build(part.settings)
    except (msgspec.ValidationError, ValueError) as error:
        raise BundleError(f"pack {pack.name}, step {part.name}: {error}; keeping the previous bundle") from error
    seen = [phase for phase in part.phases if phase in policy.sees]
    return BoundStep(
        pack=pack,
        part=part,
        policy=policy,
        judge=step.judge if isinstance(step, CallStep) else None,
        scan=step.scan if isinstance(step, TextStep) else None,
        request_phases=tuple(phase for phase in seen if phase is not Phase.RESPONSE),
        answer_phases=tuple(phase for phase in seen if phase in _ANSWER and policy.sees[phase] is not Need.CALL),
    )
