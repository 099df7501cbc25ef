"""Which targets a call may go to, in which order, and what is known of each target's health.

Pure but for the clock and the dice, which are parameters. Sending, and trying again, is ``sending``'s.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from grokwarden.bundle import Routing, TargetPart
from grokwarden.catalog import Catalog, load_catalog
from grokwarden.errors import GrokwardenError
from grokwarden.vocabulary import Provider, RetryCause, Strategy
from grokwarden_sidecar.calls.breaker import Breaker, CircuitState
from grokwarden_sidecar.calls.outcome import Outcome

Clock = Callable[[], float]
"""Seconds, monotonic."""
Dice = Callable[[], float]
"""At least 0, below 1."""

_LATENCY_WEIGHT: Final = 0.2  # of the newest call; a guess: about the last ten calls count
_LATENCY_FRESH_SECONDS: Final = 60.0  # a guess: a target that was slow once is tried again after this


_CAUSES: Final[Mapping[Outcome, RetryCause]] = {
    Outcome.CONNECT_ERROR: RetryCause.CONNECT,
    Outcome.SERVER_ERROR: RetryCause.SERVER_ERROR,
    Outcome.BAD_REPLY: RetryCause.SERVER_ERROR,
    Outcome.RATE_LIMITED: RetryCause.RATE_LIMITED,
    Outcome.TIMEOUT: RetryCause.TIMEOUT,
}


class Latency:
    """Time to the first byte, the newest calls counting most."""

    __slots__ = ("_clock", "_seconds", "_seen_at")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds: float | None = None
        self._seen_at = 0.0

    @property
    def seconds(self) -> float | None:
        """``None`` if nothing is known, or nothing any more."""
        return None if self._clock() - self._seen_at > _LATENCY_FRESH_SECONDS else self._seconds

    def observe(self, seconds: float) -> None:
        known = self.seconds
        self._seconds = seconds if known is None else known + _LATENCY_WEIGHT * (seconds - known)
        self._seen_at = self._clock()


class TargetState:
    """A target, and what its calls have shown."""

    __slots__ = ("breaker", "latency", "target", "told")

    def __init__(self, target: TargetPart, clock: Clock) -> None:
        self.target = target
        self.breaker = Breaker(target.circuit_breaker, clock=clock)
        self.latency = Latency(clock)
        self.told = CircuitState.CLOSED  # the state that was last reported


class TargetStates:
    """The states of all targets of a process. One outlives a bundle if the next bundle leaves its target as it is."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, TargetState] = {}

    def state_of(self, target: TargetPart) -> TargetState:
        """The state of this very target; a fresh one if it is new or anything of it has changed."""
        state = self._states.get(target.name)
        if state is None or (state.target is not target and state.target != target):
            state = self._states[target.name] = TargetState(target, self._clock)
        return state

    def keep_only(self, targets: Iterable[TargetPart]) -> None:
        """Forget the targets that no bundle names any more."""
        names = {target.name for target in targets}
        self._states = {name: state for name, state in self._states.items() if name in names}


class Plan(msgspec.Struct, frozen=True):
    """Where one call may go, best first.

    Attributes:
        candidates: Never empty, unless every circuit is open.
        skipped: The target that would have come first, if its open circuit alone keeps the call from it.
        retry_after_seconds: How long until a circuit lets a call through, if none does now.
    """

    candidates: tuple[TargetState, ...]
    skipped: TargetState | None = None
    retry_after_seconds: float = 0.0


class Router:
    """The routing of one pack, over the targets of one bundle."""

    def __init__(
        self,
        routing: Routing,
        targets: Iterable[TargetPart],
        *,
        states: TargetStates,
        dice: Dice,
        catalog: Catalog | None = None,
    ) -> None:
        """A router for as long as the bundle is in use.

        Args:
            routing: The pack's.
            targets: Of the bundle; more than the routing names is fine.
            states: Of the process.
            dice: For ``Weighted``, and for the jitter of retries.
            catalog: Prices and retirements; the program's own if absent.

        Raises:
            GrokwardenError: The routing names a target that the bundle lacks.
        """
        known = {target.name: target for target in targets}
        if missing := [name for name in routing.targets if name not in known]:
            raise GrokwardenError(f"routing names target {missing[0]}, which the bundle lacks; nothing can be sent")
        self.catalog = catalog or load_catalog()
        self.dice = dice
        self.max_attempts: Final = 1 + routing.retry.max_retries
        self._causes = frozenset(routing.retry.retry_on)
        self._strategy = routing.strategy
        self._states = tuple(states.state_of(known[name]) for name in routing.targets)
        self._turn = 0
        self._prices: dict[str | None, tuple[TargetState, ...]] = {}

    @property
    def leads_nowhere(self) -> bool:
        """No target of the routing can be had; there is nothing to plan."""
        return not self._states

    @property
    def circuits(self) -> dict[str, str]:
        """The state of each target's circuit, by its name."""
        return {state.target.name: state.breaker.state.value for state in self._states}

    def may_retry(self, outcome: Outcome) -> bool:
        """Whether the pack lets a call be tried again after this."""
        return _CAUSES.get(outcome) in self._causes

    def plan(self, model: str | None) -> Plan:
        """The targets for one call, in order; those with an open circuit are left out.

        Args:
            model: The call's own, which prices a target that has none.
        """
        ordered = self._ordered(model)
        if len(ordered) == 1 and ordered[0].breaker.would_admit:
            return Plan(ordered)
        candidates = tuple(state for state in ordered if state.breaker.would_admit)
        if not candidates:
            return Plan((), retry_after_seconds=min(state.breaker.retry_after_seconds for state in ordered))
        return Plan(candidates, skipped=ordered[0] if ordered[0] is not candidates[0] else None)

    def _ordered(self, model: str | None) -> tuple[TargetState, ...]:
        states = self._states
        if len(states) == 1:
            return states
        match self._strategy:
            case Strategy.ORDERED:
                return states
            case Strategy.WEIGHTED:
                return self._by_weight()
            case Strategy.ROUND_ROBIN:
                turn, self._turn = self._turn, (self._turn + 1) % len(states)
                return states[turn:] + states[:turn]
            case Strategy.LOWEST_LATENCY:
                return tuple(sorted(states, key=lambda state: state.latency.seconds or 0.0))
            case Strategy.LOWEST_COST:
                return self._by_price(model)

    def _by_weight(self) -> tuple[TargetState, ...]:
        """One by lot among those that can be used, the others behind it as the pack orders them."""
        usable = [state for state in self._states if state.breaker.would_admit and state.target.weight > 0]
        if not usable:
            return self._states
        lot = self.dice() * sum(state.target.weight for state in usable)
        for first in usable:
            lot -= first.target.weight
            if lot < 0:
                break
        return (first, *(state for state in self._states if state is not first))

    def _by_price(self, model: str | None) -> tuple[TargetState, ...]:
        if (known := self._prices.get(model)) is not None:
            return known
        ordered = tuple(sorted(self._states, key=lambda state: self._price(state.target, model)))
        if len(self._prices) < 256:  # the client names the model: it must not fill the memory
            self._prices[model] = ordered
        return ordered

    def _price(self, target: TargetPart, model: str | None) -> float:
        """Ticks of one token in and one out; unknown prices come last."""
        pricing = target.pricing
        if pricing.input_ticks is not None and pricing.output_ticks is not None:
            return pricing.input_ticks + pricing.output_ticks
        name = target.model or model
        if target.provider is Provider.XAI and name and (resolution := self.catalog.resolve(name)):
            prices = resolution.model.prices if resolution.model else None
            return prices.input_ticks + prices.output_ticks if prices else math.inf
        return math.inf
