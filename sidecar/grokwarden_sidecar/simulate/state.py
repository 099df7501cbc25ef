"""What a running simulator remembers: the scripts that wait, and the calls that came in."""

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from grokwarden_sidecar.simulate.script import Script

_MOST_CALLS: Final = 1_000


class CallState(StrEnum):
    """How far a call has come. ``ABANDONED``: the client left before the end of its answer."""

    OPEN = "Open"
    ANSWERED = "Answered"
    ABANDONED = "Abandoned"


class Call(BaseModel):
    """A request under ``/v1`` as it came in, and what became of it.

    Attributes:
        headers: Names in lower case and values, in the order in which they came. Keys are shown: never use a real one.
        status: The status of the answer; ``None`` before it is decided.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: str
    status: int | None = None
    state: CallState = CallState.OPEN


class Queued(BaseModel):
    """How many calls the queued scripts are for."""

    waiting: int


class Ledger:
    """The last calls and the queue of scripts. The queue is used by calls that carry no directive of their own."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=_MOST_CALLS)
        self._scripts: deque[Script] = deque()
        self._served = 0

    @property
    def waiting(self) -> int:
        """How many calls the queued scripts are for."""
        return len(self._scripts)

    def queue(self, scripts: Iterable[Script]) -> None:
        """Use each script for the next ``times`` calls."""
        for script in scripts:
            self._scripts.extend([script] * script.times)

    def next_script(self) -> Script:
        """The next queued script, or one that changes nothing."""
        return self._scripts.popleft() if self._scripts else Script.model_construct()

    def record(self, call: Call) -> int:
        """Keep the call; its number, from 1, is never used again."""
        self.calls.append(call)
        self._served += 1
        return self._served

    def clear(self) -> None:
        """Forget calls and scripts."""
        self.calls.clear()
        self._scripts.clear()
