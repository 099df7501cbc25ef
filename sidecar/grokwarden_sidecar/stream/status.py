"""How it stands with the configuration stream: what probes, ``/config`` and the staleness metric say of it."""

from collections.abc import Callable

import msgspec
import structlog

log = structlog.stdlib.get_logger(__name__)


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """For ``/config``. Times are seconds since the epoch.

    Attributes:
        last_error: Why the stream ended last, or why there is none; stays after it was overcome.
    """

    url: str
    connected_since: float | None
    last_error: str


class StreamStatus:
    """Connected or not, and for how long what is in force has been known to be what is wanted."""

    def __init__(self, url: str, *, clock: Callable[[], float], now: Callable[[], float]) -> None:
        """Not connected, and not current since now.

        Args:
            url: Of the stream.
            clock: Seconds, monotonic.
            now: Seconds since the epoch.
        """
        self._url = url
        self._clock = clock
        self._now = now
        self._connected_since: float | None = None
        self._last_error = ""
        self._heard_at = clock()
        self._stale_since: float | None = clock()

    @property
    def report(self) -> StreamReport:
        return StreamReport(url=self._url, connected_since=self._connected_since, last_error=self._last_error)

    @property
    def trouble(self) -> str:
        """Why there is no stream now; empty while there is one."""
        return "" if self._connected_since is not None else self._last_error

    @property
    def staleness_seconds(self) -> float:
        """0 while the stream is open and all that it wants is in force; else, the time since that was last so."""
        return 0.0 if self._stale_since is None else self._clock() - self._stale_since

    def opened(self) -> None:
        """A stream is open; what it wants is not known yet."""
        self._connected_since = self._now()
        log.info("stream_opened", url=self._url)
        self.heard()

    def heard(self) -> None:
        """Something came on the stream."""
        self._heard_at = self._clock()

    def lost(self, reason: str, *, reconnect_seconds: float) -> None:
        """There is no stream. Told once for each reason: a refusal that lasts must not fill the log."""
        was_open = self._connected_since is not None
        self._connected_since = None
        if self._stale_since is None:
            self._stale_since = self._heard_at
        if was_open:
            log.warning("stream_ended", reason=reason, reconnect_seconds=round(reconnect_seconds, 1))
        elif reason != self._last_error:
            log.error("stream_unavailable", url=self._url, reason=reason)
        self._last_error = reason

    def settled(self, *, is_current: bool) -> None:
        """The newest configuration has been dealt with: all of it is in force, or not."""
        if not is_current:
            self._stale_since = self._stale_since if self._stale_since is not None else self._clock()
        elif self._connected_since is not None:
            self._stale_since = None
