"""The four timeouts of a call to a provider, on one timer.

A timer for each phase and an ``asyncio.timeout`` around each read would be most of the cost of a chunk. Here the phases
only move a time stamp; the one timer looks at it when it rings, and is set again if it rang too early.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from grokwarden.bundle import TargetPart
from grokwarden_sidecar.calls.upstream import (
    ConnectTimeout,
    FirstByteTimeout,
    StreamIdleTimeout,
    TotalTimeout,
    UpstreamError,
)

_NEVER: Final = float("inf")


class Deadlines:
    """Bounds one call: connecting, then waiting for the head of the answer, then each wait for more of it.

    While the head has not come, an expiry cancels the task that made this object; afterwards it calls what ``body``
    was given. The time in which nobody waits for the provider, because the client is slow, is not the provider's.

    Attributes:
        expired: What happened, once a deadline has passed.
    """

    __slots__ = (
        "_cancelling",
        "_due",
        "_loop",
        "_on_expiry",
        "_phase",
        "_ring_at",
        "_target",
        "_task",
        "_timer",
        "_total_due",
        "expired",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, target: TargetPart, deadline: float | None) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is sent from within a task")
        now = loop.time()
        self._loop = loop
        self._target = target
        self._task: asyncio.Task[object] = task
        self._cancelling = task.cancelling()
        self._on_expiry: Callable[[], None] | None = None
        self._phase: type[UpstreamError] = ConnectTimeout
        self._due = now + target.timeouts.connect_ms / 1000
        self._total_due = now + target.timeouts.total_ms / 1000
        if deadline is not None and deadline < self._total_due:
            self._total_due = deadline
        self.expired: UpstreamError | None = None
        self._ring_at = min(self._due, self._total_due)
        self._timer: asyncio.TimerHandle | None = loop.call_at(self._ring_at, self._ring)

    def connected(self) -> None:
        """There is a connection: from now on the head of the answer is waited for."""
        self._phase = FirstByteTimeout
        self._set_due(self._loop.time() + self._target.timeouts.first_byte_ms / 1000)

    def body(self, on_expiry: Callable[[], None]) -> None:
        """The head has come; only ``total`` runs until somebody waits for more."""
        self._phase = StreamIdleTimeout
        self._due = _NEVER
        self._on_expiry = on_expiry

    def waiting(self) -> None:
        """Somebody waits for more of the answer."""
        self._set_due(self._loop.time() + self._target.timeouts.stream_idle_ms / 1000)

    def not_waiting(self) -> None:
        self._due = _NEVER

    def stop(self) -> None:
        """No deadline will pass any more."""
        self._on_expiry = None  # it is a method of the reply, which has us: a cycle that only the collector would end
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancelled(self) -> None:
        """Tell a deadline's cancellation from one that came from outside, as ``asyncio.timeout`` does.

        Raises:
            UpstreamError: It was a deadline, and nobody else cancelled the task.
        """
        self.stop()
        if self.expired is not None and self._task.uncancel() <= self._cancelling:
            raise self.expired from None

    def _set_due(self, due: float) -> None:
        self._due = due
        if due < self._ring_at and self._timer is not None:
            self._timer.cancel()
            self._start_timer(due)

    def _start_timer(self, ring_at: float) -> None:
        self._ring_at = ring_at
        self._timer = self._loop.call_at(ring_at, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        due = min(self._due, self._total_due)
        if now < due:
            self._start_timer(due)
            return
        self._timer = None
        self.expired = self._error(TotalTimeout if self._total_due <= self._due else self._phase)
        if self._on_expiry is None:
            self._task.cancel()
        else:
            self._on_expiry()

    def _error(self, kind: type[UpstreamError]) -> UpstreamError:
        times = self._target.timeouts
        what = {
            ConnectTimeout: f"no connection within {times.connect_ms} ms (timeouts.connect)",
            FirstByteTimeout: f"no answer within {times.first_byte_ms} ms (timeouts.firstByte)",
            StreamIdleTimeout: f"its answer paused for more than {times.stream_idle_ms} ms (timeouts.streamIdle)",
            TotalTimeout: f"not finished within {times.total_ms} ms (timeouts.total)",
        }[kind]
        return kind(self._target.name, what)
