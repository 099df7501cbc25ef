"""Why a call would be let through, changed or stopped: every step's decision on it, without sending anything."""

import msgspec

from grokwarden.engine import Engine
from grokwarden.engine.decision import Block, Decision, decided_action, enforced_action
from grokwarden.exchange.answer import Piece
from grokwarden.exchange.body import apply_edits
from grokwarden.exchange.chat import parse_chat
from grokwarden.exchange.model import Field, Role, Slot
from grokwarden.vocabulary import Phase


class StepExplanation(msgspec.Struct, kw_only=True, frozen=True):
    """One decision, as ``Decision`` has it."""

    pack: str
    step: str
    policy: str
    phase: str
    mode: str
    action: str
    rule: str | None
    score: float | None
    scanned: int


class Explanation(msgspec.Struct, kw_only=True, frozen=True):
    """What becomes of a call.

    Attributes:
        action: The strongest action that acts; ``would_action`` counts Shadow too.
        decided_by: ``pack/step`` of the decision that stops the call.
        refused: Why the call is stopped without a policy: something in it can't be read.
        sent: The request as the provider would get it; ``None`` if it would not.
    """

    bundle: str
    action: str
    would_action: str
    decided_by: str | None
    refused: str | None
    steps: tuple[StepExplanation, ...]
    sent: msgspec.Raw | None


def explain_call(engine: Engine, body: bytes, *, answer: str | None = None) -> Explanation:
    """What the engine decides on a chat-completions request, and on an answer's text if one is given.

    Raises:
        MalformedCall: The body is refused before any step sees it.
    """
    call = parse_chat(body)
    verdict = engine.judge_request(call)
    decisions, block = list(verdict.decisions), verdict.block
    if answer is not None and (guard := engine.answer_guard()) is not None:
        piece = Piece((0, "content"), Slot(Role.ASSISTANT, Field.CONTENT, Phase.RESPONSE), answer)
        guard.feed([piece])
        block = block or guard.finish()
        decisions += guard.decisions
    unread = engine.refused_opaque(call)
    refused = f"{unread[1].reason} can't be read, and pack {unread[0]} refuses what it can't read" if unread else None
    stopped = verdict.block is not None or refused is not None
    return Explanation(
        bundle=engine.bundle.version,
        action="Block" if refused else enforced_action(decisions).value,
        would_action="Block" if refused else decided_action(decisions).value,
        decided_by=_name(block),
        refused=refused,
        steps=tuple(_explain(decision) for decision in decisions),
        sent=None if stopped else msgspec.Raw(apply_edits(body, verdict.edits)),
    )


def _name(block: Block | None) -> str | None:
    return f"{block.decision.pack}/{block.decision.step}" if block else None


def _explain(decision: Decision) -> StepExplanation:
    return StepExplanation(
        pack=decision.pack,
        step=decision.step,
        policy=decision.policy,
        phase=decision.phase.value,
        mode=decision.mode.value,
        action=decision.action.value,
        rule=decision.rule,
        score=decision.score,
        scanned=decision.scanned,
    )
