"""The response phase: an answer judged as it arrives, with the same verdict whether it streams or comes whole."""

from collections.abc import Callable, Sequence

from grokwarden.engine.chain import BoundStep, Report
from grokwarden.engine.decision import Block, Decision
from grokwarden.engine.windows import WindowCutter
from grokwarden.exchange.answer import Lane, Piece
from grokwarden.exchange.model import Slot
from grokwarden.policies.base import Finding
from grokwarden.text.fold import visible
from grokwarden.vocabulary import Need, OnStream, Phase

_Scanner = tuple[int, BoundStep, Callable[[str, Slot], Finding | None]]
"""A step's number in the chain, the step, and what judges a text for it."""


class AnswerPlan:
    """What is the same for every answer under one bundle: which steps see what of it.

    Attributes:
        holds_all: A step waits for the whole answer, so nothing may be delivered before ``finish``.
        holds_tool_calls: Tool calls may be delivered only once their choice has finished.
        holders: Pack and step of those that a delivery waits for.
    """

    def __init__(self, steps: Sequence[BoundStep]) -> None:
        self._by_need: dict[tuple[Phase, Need], tuple[_Scanner, ...]] = {
            (phase, need): tuple(
                (number, step, scan)
                for number, step in enumerate(steps)
                if phase in step.answer_phases and step.need(phase) is need and (scan := step.scan) is not None
            )
            for phase in (Phase.RESPONSE, Phase.TOOL_ARGUMENTS)
            for need in (Need.WINDOW, Need.WHOLE)
        }
        buffering = [step for step in steps if step.enforces and step.part.on_stream is OnStream.BUFFER]
        calling = [step for step in steps if step.enforces and Phase.TOOL_ARGUMENTS in step.answer_phases]
        self.holds_all = bool(buffering)
        self.holds_tool_calls = bool(calling)
        self.holders = tuple((step.pack.name, step.part.name) for step in buffering or calling)

    def scanners(self, phase: Phase, need: Need) -> tuple[_Scanner, ...]:
        """The steps that see this phase's texts in this way."""
        return self._by_need[phase, need]


class _LaneState:
    """A text so far; without a cutter or a list where no step sees windows or the whole of it.

    Attributes:
        is_fresh: Something of it has come since its end was last judged.
    """

    __slots__ = ("cutter", "is_fresh", "slot", "whole")

    def __init__(self, slot: Slot, plan: AnswerPlan) -> None:
        self.slot = slot
        self.is_fresh = True
        self.cutter = WindowCutter() if plan.scanners(slot.phase, Need.WINDOW) else None
        self.whole: list[str] | None = [] if plan.scanners(slot.phase, Need.WHOLE) else None


class AnswerGuard:
    """The response-phase steps of one call, with what they have seen of its answer.

    Feed it every piece in order, then ``finish`` each choice or the whole. The first enforced block is final.

    Attributes:
        holds_all: As of ``AnswerPlan``, and so are ``holds_tool_calls`` and ``holders``.
        block: What stops the answer, as soon as it is known.
    """

    __slots__ = (
        "_clock_ns",
        "_decisions",
        "_lanes",
        "_plan",
        "_report",
        "block",
        "holders",
        "holds_all",
        "holds_tool_calls",
    )

    def __init__(self, plan: AnswerPlan, clock_ns: Callable[[], int], report: Report) -> None:
        self._plan = plan
        self._clock_ns = clock_ns
        self._report = report
        self._lanes: dict[Lane, _LaneState] = {}
        self._decisions: dict[tuple[int, Phase], Decision] = {}
        self.holds_all = plan.holds_all
        self.holds_tool_calls = plan.holds_tool_calls
        self.holders = plan.holders
        self.block: Block | None = None

    def feed(self, pieces: Sequence[Piece]) -> Block | None:
        """Judge the windows that these pieces complete. Invisible characters don't count in a window."""
        for piece in pieces:
            lane = self._lanes.get(piece.lane)
            if lane is None:
                lane = self._lanes[piece.lane] = _LaneState(piece.slot, self._plan)
            lane.is_fresh = True
            if lane.whole is not None:
                lane.whole.append(piece.text)
            if lane.cutter is not None:
                for window in lane.cutter.feed(visible(piece.text)):
                    self._scan(lane.slot, window, Need.WINDOW)
        return self.block

    def judge_whole(self, pieces: Sequence[Piece]) -> Block | None:
        """Judge an answer that came in one piece."""
        self.feed(pieces)
        return self.finish()

    def finish(self, choice: int | None = None) -> Block | None:
        """Judge the ends of one choice's texts, or of all.

        A text that goes on after its choice's end is judged on from its beginning: the verdict is that of the whole.
        """
        for key, lane in self._lanes.items():
            if lane.is_fresh and (choice is None or key[0] == choice):
                lane.is_fresh = False
                if lane.cutter is not None and (tail := lane.cutter.tail()) is not None:
                    self._scan(lane.slot, tail, Need.WINDOW)
                if lane.whole:
                    self._scan(lane.slot, "".join(lane.whole), Need.WHOLE)
        return self.block

    @property
    def decisions(self) -> list[Decision]:
        """One decision for each step and phase that had something to see, in the order of the chain."""
        return [self._decisions[key] for key in sorted(self._decisions, key=lambda key: key[0])]

    def _scan(self, slot: Slot, text: str, need: Need) -> None:
        phase = slot.phase
        for number, step, scan in self._plan.scanners(phase, need):
            decision = self._decisions.get((number, phase))
            if decision is None:
                decision = self._decisions[(number, phase)] = step.decision(phase)
            started = self._clock_ns()
            decision.scanned += len(text)
            try:
                finding = scan(text, slot)
                if finding is not None:
                    step.weigh(decision, finding)
            except Exception as error:  # noqa: BLE001 - whatever failed, `onError` decides what becomes of the call
                self._report(step.pack.name, step.part.name, error)
                step.fail(decision)
            decision.took_ns += self._clock_ns() - started
            if decision.blocks and self.block is None:
                self.block = Block(decision=decision, response=step.block_response)
