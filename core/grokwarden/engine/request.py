"""The request phase: every step's decisions on one call, and what they mean for it."""

from collections.abc import Callable, Sequence
from itertools import groupby

from grokwarden.engine.chain import BoundStep, Report
from grokwarden.engine.decision import Block, Decision, Verdict
from grokwarden.exchange.model import Edit, Exchange, Role, Segment, Slot
from grokwarden.policies.base import Finding
from grokwarden.vocabulary import Action, OnStream, Phase

_Text = tuple[Slot, str]


def judge_request(steps: Sequence[BoundStep], call: Exchange, clock_ns: Callable[[], int], report: Report) -> Verdict:
    """The verdict of all steps on one call. Every step sees the original text."""
    verdict = Verdict(decisions=[], block=None, edits=[])
    texts = _texts(call.segments)
    for step in steps:
        if step.request_phases:
            _judge_step(step, call, texts, verdict, clock_ns, report)
        if call.stream and step.part.on_stream is OnStream.REJECT:
            _reject_stream(step, verdict)
    return verdict


def _judge_step(
    step: BoundStep,
    call: Exchange,
    texts: dict[Phase, list[_Text]],
    verdict: Verdict,
    clock_ns: Callable[[], int],
    report: Report,
) -> None:
    started = clock_ns()
    decisions: list[Decision] = []
    edits: list[Edit] = []
    for phase in step.request_phases:
        seen = texts.get(phase)
        is_first = phase is step.request_phases[0]
        if seen is None and not (is_first and step.judge is not None):
            continue
        decision = step.decision(phase)
        decisions.append(decision)
        for _, text in seen or ():
            decision.scanned += len(text)
        try:
            if step.scan is not None:
                _scan(step.scan, step, decision, seen or ())
            if step.judge is not None and is_first:
                for finding in step.judge(call):
                    step.weigh(decision, finding)
                    edits += finding.edits
        except Exception as error:  # noqa: BLE001 - whatever failed, `onError` decides what becomes of the call
            report(step.pack.name, step.part.name, error)
            step.fail(decision)
            edits.clear()
    took = clock_ns() - started
    for decision in decisions:
        decision.took_ns = took
        took = 0
        _conclude(step, decision, verdict)
    if step.enforces:
        verdict.edits += edits


def _conclude(step: BoundStep, decision: Decision, verdict: Verdict) -> None:
    verdict.decisions.append(decision)
    if decision.blocks and verdict.block is None:
        verdict.block = Block(decision=decision, response=step.block_response)


def _scan(
    scan: Callable[[str, Slot], Finding | None], step: BoundStep, decision: Decision, texts: Sequence[_Text]
) -> None:
    for slot, text in texts:
        finding = scan(text, slot)
        if finding is not None:
            step.weigh(decision, finding)


def _reject_stream(step: BoundStep, verdict: Verdict) -> None:
    decision = step.decision(Phase.RESPONSE)
    decision.action, decision.rule = Action.BLOCK, "stream-rejected"
    _conclude(step, decision, verdict)


def _texts(segments: Sequence[Segment]) -> dict[Phase, list[_Text]]:
    """The texts by phase; a message in several parts is also seen as one, with and without a space at the seams."""
    texts: dict[Phase, list[_Text]] = {}
    has_parts = False
    for segment in segments:
        slot = segment.slot
        texts.setdefault(slot.phase, []).append((slot, segment.text))
        has_parts = has_parts or slot.part is not None
    if has_parts:
        for slot, parts in _multipart(segments):
            texts[slot.phase] += ((slot, "".join(parts)), (slot, " ".join(parts)))
    return texts


def _multipart(segments: Sequence[Segment]) -> list[tuple[Slot, list[str]]]:
    parts = (s for s in segments if s.slot.part is not None and not s.fixed and s.slot.role is not Role.DEFINITION)
    joined = [(list(group)) for _, group in groupby(parts, key=lambda s: (s.slot.item, s.slot.field))]
    return [(group[0].slot, [s.text for s in group]) for group in joined if len(group) > 1]
