"""The response phase: an answer judged as it arrives, with the same verdict whether it streams or comes whole."""

from collections.abc import Callable, Sequence

import msgspec

from grokwarden.engine.chain import BoundStep, Report
from grokwarden.engine.decision import Block, Decision
from grokwarden.engine.windows import WindowCutter
from grokwarden.exchange.answer import Lane, Piece
from grokwarden.exchange.model import Slot
from grokwarden.text.fold import visible
from grokwarden.vocabulary import Need, OnStream, Phase


class _LaneState(msgspec.Struct):
    """A text so far. ``is_fresh``: something of it has come since its end was last judged."""

    slot: Slot
    cutter: WindowCutter
    whole: list[str]
    is_fresh: bool = True


class AnswerGuard:
    """The response-phase steps of one call, with what they have seen of its answer.

    Feed it every piece in order, then ``finish`` each choice or the whole. The first enforced block is final.

    Attributes:
        holds_all: A step waits for the whole answer, so nothing may be delivered before ``finish``.
        holds_tool_calls: Tool calls may be delivered only once their choice has finished.
        holders: Pack and step of those that a delivery waits for.
        block: What stops the answer, as soon as it is known.
    """

    def __init__(self, steps: Sequence[BoundStep], clock_ns: Callable[[], int], report: Report) -> None:
        self._clock_ns = clock_ns
        self._report = report
        self._lanes: dict[Lane, _LaneState] = {}
        self._decisions: dict[tuple[int, Phase], Decision] = {}
        self._steps: dict[Phase, list[tuple[int, BoundStep]]] = {
            phase: [(number, step) for number, step in enumerate(steps) if phase in step.answer_phases]
            for phase in (Phase.RESPONSE, Phase.TOOL_ARGUMENTS)
        }
        self._needs = {phase: frozenset(step.need(phase) for _, step in bound) for phase, bound in self._steps.items()}
        buffering = [step for step in steps if step.enforces and step.part.on_stream is OnStream.BUFFER]
        calling = [step for _, step in self._steps[Phase.TOOL_ARGUMENTS] if step.enforces]
        self.holds_all = bool(buffering)
        self.holds_tool_calls = bool(calling)
        self.holders = tuple((step.pack.name, step.part.name) for step in buffering or calling)
        self.block: Block | None = None

    def feed(self, pieces: Sequence[Piece]) -> Block | None:
        """Judge the windows that these pieces complete. Invisible characters don't count in a window."""
        for piece in pieces:
            lane = self._lanes.get(piece.lane)
            if lane is None:
                lane = self._lanes[piece.lane] = _LaneState(piece.slot, WindowCutter(), [])
            lane.is_fresh = True
            needs = self._needs[piece.slot.phase]
            if Need.WHOLE in needs:
                lane.whole.append(piece.text)
            if Need.WINDOW in needs:
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
                if (tail := lane.cutter.tail()) is not None:
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
        for number, step in self._steps[phase]:
            if step.scan is None or step.need(phase) is not need:
                continue
            decision = self._decisions.get((number, phase))
            if decision is None:
                decision = self._decisions[(number, phase)] = step.decision(phase)
            started = self._clock_ns()
            decision.scanned += len(text)
            try:
                finding = step.scan(text, slot)
                if finding is not None:
                    step.weigh(decision, finding)
            except Exception as error:  # noqa: BLE001 - whatever failed, `onError` decides what becomes of the call
                self._report(step.pack.name, step.part.name, error)
                step.fail(decision)
            decision.took_ns += self._clock_ns() - started
            if decision.blocks and self.block is None:
                self.block = Block(decision=decision, response=step.block_response)
