"""Evaluates a bundle on a call. The only place where actions, modes and ``onError`` are applied."""

from collections.abc import Callable

from grokwarden.bundle import Bundle
from grokwarden.engine.answer import AnswerGuard, AnswerPlan
from grokwarden.engine.chain import BoundStep, Report, bind
from grokwarden.engine.decision import Verdict
from grokwarden.engine.request import judge_request
from grokwarden.exchange.model import Exchange, Opaque
from grokwarden.vocabulary import Endpoint, Fallback

__all__ = ["AnswerGuard", "Engine"]


def _unclocked() -> int:
    return 0


def _unreported(pack: str, step: str, error: Exception) -> None:
    """Drop the report: for callers who read the decisions, where the rule ``error`` says as much."""


class Engine:
    """One bundle, ready to judge any number of calls at once. Immutable; building it is costly.

    Args:
        bundle: What to enforce.
        steps: Of ``bind_pack`` for each of its packs in order, where they are built already.
        clock_ns: A monotonic clock for the decisions' times; without one they are 0.
        report: Told of a step that failed.

    Raises:
        BundleError: A step can't be built.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        steps: tuple[BoundStep, ...] | None = None,
        clock_ns: Callable[[], int] = _unclocked,
        report: Report = _unreported,
    ) -> None:
        self.bundle = bundle
        self._clock_ns = clock_ns
        self._report = report
        self.steps = bind(bundle) if steps is None else steps
        answer_steps = tuple(step for step in self.steps if step.answer_phases)
        self._answer_plan = AnswerPlan(answer_steps) if answer_steps else None
        self._denying = {
            endpoint.value: next((pack.name for pack in bundle.packs if endpoint not in pack.endpoints), None)
            for endpoint in Endpoint
        }
        self.endpoints = frozenset(Endpoint).intersection(*(pack.endpoints for pack in bundle.packs))

    def judge_request(self, call: Exchange) -> Verdict:
        """The request phase of every step."""
        verdict = judge_request(self.steps, call, self._clock_ns, self._report)
        if call.opaque and verdict.block is None and not self.refuses_opaque:
            verdict.unscanned = call.opaque
        return verdict

    def answer_guard(self) -> AnswerGuard | None:
        """The response phase of one call; ``None`` where no step looks at answers."""
        if self._answer_plan is None:
            return None
        return AnswerGuard(self._answer_plan, self._clock_ns, self._report)

    def refused_opaque(self, call: Exchange) -> tuple[str, Opaque] | None:
        """The pack that refuses what it can't read in this call, and the first such thing."""
        if not call.opaque:
            return None
        packs = (pack.name for pack in self.bundle.packs if pack.on_unscannable is Fallback.BLOCK)
        pack = next(packs, None)
        return None if pack is None else (pack, call.opaque[0])

    @property
    def refuses_opaque(self) -> bool:
        """Some pack says ``onUnscannable: Block``."""
        return any(pack.on_unscannable is Fallback.BLOCK for pack in self.bundle.packs)

    def pack_denying(self, endpoint: str) -> str | None:
        """The first pack whose ``endpoints.allow`` leaves this endpoint out."""
        return self._denying[endpoint]
