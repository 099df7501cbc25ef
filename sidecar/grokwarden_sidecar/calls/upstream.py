"""What the proxy path needs of an HTTP client, and every way in which a provider's server can fail.

Nothing here knows a client library: ``upstream_aiohttp`` is the one implementation now. No text of an error holds a
key, a body, a header's value or a query.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from grokwarden.bundle import TargetPart
from grokwarden.errors import GrokwardenError


class UpstreamError(GrokwardenError):
    """A provider's server did not do its part."""

    def __init__(self, target: str, what: str) -> None:
        self.target = target
        super().__init__(f"target {target}: {what}")


class ConnectFailed(UpstreamError):
    """No connection: nothing was sent, so nothing can have been spent."""


class ConnectTimeout(ConnectFailed):
    """No connection within ``timeouts.connect``."""


class UpstreamTimeout(UpstreamError):
    """The server took the call and did not answer in time: it may have been spent."""


class FirstByteTimeout(UpstreamTimeout):
    """No answer within ``timeouts.firstByte`` of the connection."""


class StreamIdleTimeout(UpstreamTimeout):
    """An answer began, and nothing more of it came for ``timeouts.streamIdle``."""


class TotalTimeout(UpstreamTimeout):
    """The call did not end within ``timeouts.total``."""


class ConnectionLost(UpstreamError):
    """The connection ended before the answer did."""


class BadReply(UpstreamError):
    """What came is no answer that can be used: no HTTP, an encoding that was not asked for, or too much."""


class UpstreamReply(Protocol):
    """An answer whose head has come. One reader at a time; every one ends in ``release`` or ``abort``.

    ``read`` and ``chunks`` raise ``UpstreamError``; the connection is then closed already.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """As they came, in order."""
        ...

    async def read(self, limit_bytes: int) -> bytes:
        """The rest of the body, at its end; ``BadReply`` if it is larger than ``limit_bytes``."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The rest of the body as it comes, each piece at once; the end of it is the end of the answer."""
        ...

    def when_ended(self, callback: Callable[[UpstreamError | None], None]) -> None:
        """Call once when the answer ends, is given up, or fails: with the error in the last case alone."""
        ...

    def abort(self) -> None:
        """The connection is closed now. No effect after the end of the answer, or a second time."""
        ...

    def release(self) -> None:
        """The connection may serve another call if the answer was read to its end; else it is closed."""
        ...


class Upstream(Protocol):
    """Sends one call to one target, once."""

    async def open(
        self,
        target: TargetPart,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        deadline: float | None = None,
    ) -> UpstreamReply:
        """The answer, as soon as its head is there.

        Args:
            target: Where to; its timeouts bound the call.
            method: In upper case.
            path: Below the target's base URL, as it goes on the wire: ``/chat/completions``, a query included.
            headers: All that is sent but ``host`` and ``content-length``.
            body: Empty for none.
            deadline: In seconds of the loop's clock, where an earlier end than ``timeouts.total`` is wanted.

        Raises:
            UpstreamError: There is no answer; no connection is left open.
        """
        ...
