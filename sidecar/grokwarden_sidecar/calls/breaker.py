"""A circuit per target: after enough failures nothing is sent there for a while, then one call tries.

A state machine without I/O; the clock is a parameter. What counts as a failure is the caller's to say: a provider's
safety verdict, a rate limit or a client's mistake say nothing about the provider's health.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from grokwarden.bundle import CircuitBreaker


class CircuitState(StrEnum):
    """``closed`` lets calls through, ``open`` none, ``half_open`` one at a time."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Admission(StrEnum):
    """Whether a call may go to the target, and whether it is the one that tries."""

    REFUSED = "refused"
    ADMITTED = "admitted"
    PROBE = "probe"


class Breaker:
    """Opens after ``failures`` within ``window_ms``; after ``cooldown_ms`` one probe decides.

    Each admitted call ends in exactly one of ``succeeded``, ``failed`` and ``abandoned``. Results of calls that were
    admitted before the circuit opened are no longer news and change nothing.
    """

    __slots__ = ("_clock", "_cooldown", "_failed_at", "_limit", "_opened_at", "_probing_until", "_window")

    def __init__(self, settings: CircuitBreaker, *, clock: Callable[[], float]) -> None:
        """A closed circuit.

        Args:
            settings: Milliseconds.
            clock: Seconds, monotonic.
        """
        self._clock: Final = clock
        self._limit: Final = settings.failures
        self._window: Final = settings.window_ms / 1000
        self._cooldown: Final = settings.cooldown_ms / 1000
        self._failed_at: deque[float] = deque(maxlen=settings.failures)
        self._opened_at: float | None = None
        self._probing_until: float | None = None

    @property
    def state(self) -> CircuitState:
        if self._opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if self._clock() - self._opened_at >= self._cooldown else CircuitState.OPEN

    @property
    def retry_after_seconds(self) -> float:
        """How long until a call may be let through; 0 if one may now."""
        if self._opened_at is None:
            return 0.0
        now = self._clock()
        ready_at = max(self._opened_at + self._cooldown, self._probing_until or 0.0)
        return max(0.0, ready_at - now)

    @property
    def would_admit(self) -> bool:
        """Whether ``admit`` would let a call through. Changes nothing."""
        return self._opened_at is None or self.retry_after_seconds == 0.0

    def admit(self) -> Admission:
        """Let a call through or not; the first one after the cooldown is the probe.

        A probe that has not come back within a cooldown no longer holds the others up: Grok may reason for minutes.
        """
        if self._opened_at is None:
            return Admission.ADMITTED
        if self.retry_after_seconds > 0.0:
            return Admission.REFUSED
        self._probing_until = self._clock() + self._cooldown
        return Admission.PROBE

    def succeeded(self, admission: Admission) -> None:
        """The target answered; a probe closes the circuit."""
        if admission is Admission.PROBE:
            self._opened_at = self._probing_until = None
            self._failed_at.clear()

    def failed(self, admission: Admission) -> None:
        """The target did not do its work; the circuit opens if that was once too often, or for a probe again."""
        now = self._clock()
        if self._opened_at is not None:
            if admission is Admission.PROBE:
                self._opened_at, self._probing_until = now, None
            return
        self._failed_at.append(now)
        if len(self._failed_at) == self._limit and now - self._failed_at[0] <= self._window:
            self._opened_at = now

    def abandoned(self, admission: Admission) -> None:
        """The call ended without a verdict, because its client left; another one may probe."""
        if admission is Admission.PROBE:
            self._probing_until = None
