"""One bell for everything that can change: whoever rings says nothing, since what counts is what is listed then."""

import asyncio
from typing import Final

DEBOUNCE_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 1.0


class Inbox:
    """Rung by events, emptied by rounds. A burst of rings is one round, at most a second after its first.

    To be used on one loop, whose clock it goes by.

    Args:
        quiet_seconds: A round is due once nobody has rung for this long,
        longest_seconds: or this long after the first ring, whatever comes.
    """

    def __init__(
        self, *, quiet_seconds: float = DEBOUNCE_SECONDS, longest_seconds: float = LONGEST_WAIT_SECONDS
    ) -> None:
        self._quiet_seconds = quiet_seconds
        self._longest_seconds = longest_seconds
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._first_at: float | None = None

    def ring(self) -> None:
        """Something may have changed."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._first_at is None:
            self._first_at = now
        if self._timer is not None:
            self._timer.cancel()
        due_at = min(now + self._quiet_seconds, self._first_at + self._longest_seconds)
        self._timer = loop.call_at(due_at, self._due.set)

    async def burst(self) -> float:
        """Waits for a burst and its end; gives the loop's time at its first ring. What rings later is the next one."""
        await self._due.wait()
        self._due.clear()
        first_at, self._first_at = self._first_at, None
        if self._timer is not None:
            self._timer.cancel()
        return asyncio.get_running_loop().time() if first_at is None else first_at
