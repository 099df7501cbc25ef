"""Knows whether the watches are alive, and when to do something about one that is not.

A watch that is alive is opened anew every ``watch_seconds``, whatever happens or does not. It is taken for deaf

- when nothing was heard of it for ``deaf_seconds`` (for ``open_seconds``, if it was just started), and nothing for
  ``grace_seconds`` more in which the API server was seen to answer, or
- when a list found an object that it did not tell of within ``grace_seconds``.

An API server that is away makes nobody deaf: no restart of ours brings it back. This module only reckons; it refuses to
know kopf, sockets and tasks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from grokwarden_operator.listing import Kind

MOST_FRUITLESS_RESTARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogTimings:
    """What counts as late.

    Attributes:
        deaf_seconds: After so long without a sign of life a watch is doubted,
        open_seconds: and after so long, if there was none since the watches were started.
        grace_seconds: How much later than a list a watch may tell of an object.
        calm_seconds: A restart has borne fruit once so long passed without another.
    """

    deaf_seconds: float = 60.0
    open_seconds: float = 15.0
    grace_seconds: float = 10.0
    calm_seconds: float = 60.0


class Trouble(StrEnum):
    """Why the watches had to be started anew."""

    SILENT = "Silent"
    UNDELIVERED = "Undelivered"
    ENDED = "Ended"


@dataclass(slots=True)
class _Watch:
    """One kind's watch.

    Attributes:
        alive_at: Of the last sign of life.
        suspected_at: When the API server was seen to answer although nothing was heard of the watch.
        awaited: Uid, version and time of what a list found and the watch has not told yet.
        is_doubted: It had to be started anew because it told nothing, and has told nothing since.
    """

    alive_at: float
    suspected_at: float | None = None
    awaited: dict[str, tuple[int, float]] = field(default_factory=dict)
    is_doubted: bool = False


class Watchdog:
    """The state of the watches, as far as it shows."""

    def __init__(self, clock: Callable[[], float], timings: WatchdogTimings) -> None:
        self._clock = clock
        self._timings = timings
        self._started_at = clock()
        self._watches = {kind: _Watch(alive_at=clock()) for kind in Kind}
        self._fruitless = 0
        self.restarts = 0

    def started(self) -> None:
        """The watches are being opened."""
        self._started_at = self._clock()
        for watch in self._watches.values():
            watch.awaited.clear()
            watch.suspected_at = None

    def opened(self, kind: Kind) -> None:
        """The API server has taken the watch."""
        watch = self._watches[kind]
        watch.alive_at, watch.suspected_at = self._clock(), None

    def told(self, kind: Kind, uid: str, version: int, *, is_change: bool) -> None:
        """The watch has told of an object: of a change, or of what was there when it began."""
        watch = self._watches[kind]
        watch.alive_at, watch.suspected_at = self._clock(), None
        watch.is_doubted = watch.is_doubted and not is_change
        awaited = watch.awaited.get(uid)
        if awaited is not None and version >= awaited[0]:
            del watch.awaited[uid]

    def listed(self, kind: Kind, newer: Mapping[str, int], known: Callable[[str], bool]) -> None:
        """A list has found these versions, which the watch is to tell of as well; forgets those no more ``known``."""
        awaited, now = self._watches[kind].awaited, self._clock()
        for uid in [uid for uid in awaited if not known(uid)]:
            del awaited[uid]
        for uid, version in newer.items():
            awaited[uid] = (version, awaited.get(uid, (0, now))[1])

    def is_to_be_probed(self, kind: Kind) -> bool:
        """Nothing was heard of the watch for too long: whether the API server answers tells whose fault that is."""
        suspected_at = self._watches[kind].suspected_at
        is_due = suspected_at is None or self._clock() - suspected_at >= self._timings.grace_seconds
        return is_due and self._is_silent(kind)

    def probed(self, kind: Kind, *, answers: bool) -> bool:
        """Whether the watch is deaf, now that the API server was asked; one that is away is given time to come back."""
        watch, now = self._watches[kind], self._clock()
        if not (answers and self._is_silent(kind)):
            watch.suspected_at = None
            return False
        if watch.suspected_at is None:
            watch.suspected_at = now
        return now - watch.suspected_at >= self._timings.grace_seconds

    def is_undelivered(self, kind: Kind) -> bool:
        """The watch has kept something to itself."""
        latest = self._clock() - self._timings.grace_seconds
        return any(at < latest for _, at in self._watches[kind].awaited.values())

    def restarting(self, trouble: Trouble, kind: Kind | None) -> None:
        """The watches are about to be started anew, because of that kind's if one is named."""
        self.restarts += 1
        self._fruitless = self._fruitless + 1 if self._is_in_doubt else 1
        if trouble is Trouble.UNDELIVERED and kind is not None:
            self._watches[kind].is_doubted = True

    def is_doubted(self) -> bool:
        """A watch was started anew for having told nothing, and has told nothing yet."""
        return any(watch.is_doubted for watch in self._watches.values())

    def healthy(self) -> bool:
        """Restarting has helped, or was not needed."""
        return self._fruitless < MOST_FRUITLESS_RESTARTS or not self._is_in_doubt

    def ages(self) -> dict[Kind, float]:
        """For how many seconds there was no sign of life."""
        now = self._clock()
        return {kind: now - watch.alive_at for kind, watch in self._watches.items()}

    def _is_silent(self, kind: Kind) -> bool:
        alive_at, now = self._watches[kind].alive_at, self._clock()
        if alive_at < self._started_at:
            return now - self._started_at > self._timings.open_seconds
        return now - alive_at > self._timings.deaf_seconds

    @property
    def _is_in_doubt(self) -> bool:
        """It can't be said yet that the last restart has helped."""
        is_calm = self._clock() - self._started_at > self._timings.calm_seconds
        return not is_calm or self.is_doubted() or any(self._is_silent(kind) for kind in Kind)
