"""The request phase: every step's decisions on one call, and what they mean for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from grokwarden.engine.chain import BoundStep, Report
from grokwarden.engine.decision import Block, Decision, Verdict
from grokwarden.exchange.model import Edit, Exchange, Role, Segment, Slot
from grokwarden.vocabulary import Action, OnStream, Phase

_Text = tuple[Slot, str]


def judge_request(steps: Sequence[BoundStep], call: Exchange, clock_ns: Callable[[], int], report: Report) -> Verdict:
    """The verdict of all steps on one call. Every step sees the original text."""
    request = _Request(call, _texts(call.segments), clock_ns, report)
    verdict = Verdict(decisions=[], block=None, edits=[])
    for step in steps:
        if step.request_phases:
            request.judge(step, verdict)
        if call.stream and step.part.on_stream is OnStream.REJECT:
            _reject_stream(step, verdict)
    return verdict


@dataclass(frozen=True, slots=True)
class _Request:
    """One call, and its texts by phase."""

    call: Exchange
    texts: dict[Phase, list[_Text]]
    clock_ns: Callable[[], int]
    report: Report

    def judge(self, step: BoundStep, verdict: Verdict) -> None:
        """Add one step's decisions to the verdict: one for each phase that the call has."""
        started = self.clock_ns()
        first = step.request_phases[0]
        decisions: list[Decision] = []
        edits: list[Edit] = []
        for phase in step.request_phases:
            texts = self.texts.get(phase, ())
            if texts or (phase is first and step.judge is not None):
                decision = step.decision(phase)
                decisions.append(decision)
                self._decide(step, decision, texts, edits if phase is first else None)
        took = self.clock_ns() - started
        for decision in decisions:
            decision.took_ns, took = took, 0
            _conclude(step, decision, verdict)
        if step.enforces:
            verdict.edits += edits

    def _decide(self, step: BoundStep, decision: Decision, texts: Sequence[_Text], edits: list[Edit] | None) -> None:
        """Let what the step finds count in its decision; ``edits`` is given where the call as a whole is judged."""
        try:
            scan = step.scan
            for slot, text in texts:
                decision.scanned += len(text)
                if scan is not None and (finding := scan(text, slot)) is not None:
                    step.weigh(decision, finding)
            if step.judge is not None and edits is not None:
                for finding in step.judge(self.call):
                    step.weigh(decision, finding)
                    edits += finding.edits
        except Exception as error:  # noqa: BLE001 - whatever failed, `onError` decides what becomes of the call
            self.report(step.pack.name, step.part.name, error)
            step.fail(decision)
            if edits is not None:
                edits.clear()


def _conclude(step: BoundStep, decision: Decision, verdict: Verdict) -> None:
    verdict.decisions.append(decision)
    if decision.blocks and verdict.block is None:
        verdict.block = Block(decision=decision, response=step.block_response)


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
