"""What the engine says of a call: one decision per step and phase, and what follows from all of them."""

from collections.abc import Iterable

import msgspec

from grokwarden.bundle import BlockResponse
from grokwarden.exchange.model import Edit, Opaque
from grokwarden.vocabulary import Action, Mode, Phase


class Decision(msgspec.Struct, kw_only=True, gc=False):
    """What one step decided in one phase.

    Attributes:
        action: Decided; it acts only in ``Enforce``.
        rule: The rule that decided, ``None`` where nothing was found.
        score: The highest score seen, also below the threshold; ``None`` where nothing was found.
        scanned: Characters that were looked at.
        took_ns: Time spent on it.
    """

    pack: str
    step: str
    policy: str
    phase: Phase
    mode: Mode
    action: Action = Action.ALLOW
    rule: str | None = None
    score: float | None = None
    scanned: int = 0
    took_ns: int = 0

    @property
    def blocks(self) -> bool:
        """It stops the call."""
        return self.action is Action.BLOCK and self.mode is Mode.ENFORCE


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The decision that stops a call, and how its pack wants the caller told."""

    decision: Decision
    response: BlockResponse


class Verdict(msgspec.Struct, kw_only=True):
    """The request phase's outcome.

    Attributes:
        block: The first enforced block in the order of the chain.
        edits: What the enforced decisions change in the request.
        unscanned: What goes on unread, because every pack says ``onUnscannable: Allow``.
    """

    decisions: list[Decision]
    block: Block | None
    edits: list[Edit]
    unscanned: tuple[Opaque, ...] = ()


def enforced_action(decisions: Iterable[Decision]) -> Action:
    """The strongest action that acted."""
    return _strongest([d.action for d in decisions if d.action is not Action.ALLOW and d.mode is Mode.ENFORCE])


def decided_action(decisions: Iterable[Decision]) -> Action:
    """The strongest action, Shadow included."""
    return _strongest([d.action for d in decisions if d.action is not Action.ALLOW])


def _strongest(actions: list[Action]) -> Action:
    return max(actions, key=lambda action: action.rank) if actions else Action.ALLOW
