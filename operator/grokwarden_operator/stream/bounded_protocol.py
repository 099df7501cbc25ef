"""One client's connection as bytes: uvicorn's parser and cycle, with bounds on what strangers may send, and how slowly.

A request is bounded in the bytes of its head and in the time it takes to arrive; one comes after the other, never
ahead of an answer. Silence is bounded, for long where a request of this connection was a known pod's, whose answers
would else each cost a handshake. Nothing here runs a timer: the server sweeps its connections.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from grokwarden.edge.logs import place_of
from grokwarden_operator.stream.refusals import Refusal, refusal

log = structlog.stdlib.get_logger(__name__)

IS_KNOWN: Final = "grokwarden.is_known"
"""Set in a request's ``state`` once it is known whose it is: its connection may be kept."""
_UNSENT_BYTES: Final = 64 * 1024  # of one connection; who reads slower makes its writer wait


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What a client may send, and how slowly. Times are looked at in sweeps, so each may be one longer.

    Attributes:
        handshake_seconds: From the connection to the end of its TLS handshake.
        head_bytes: Request line and headers.
        request_seconds: From a request's first byte to its last.
        stranger_idle_seconds: Before a request of which it is known whose it is.
        known_idle_seconds: After one.
        linger_seconds: After a refusal: a socket that is closed over unread bytes resets, and the refusal is lost.
        sweep_seconds: Between two sweeps.
        strangers: Connections of which it is not known whose they are; beyond, the oldest makes room.
        connections: All together; beyond, no other is taken.
    """

    handshake_seconds: float = 10.0
    head_bytes: int = 64 * 1024
    request_seconds: float = 30.0
    stranger_idle_seconds: float = 60.0
    known_idle_seconds: float = 3600.0
    linger_seconds: float = 2.0
    sweep_seconds: float = 1.0
    strangers: int = 2048
    connections: int = 12_000


_MALFORMED: Final = refusal(HTTPStatus.BAD_REQUEST, "malformed_http", "the request is not valid HTTP/1.1")
_TOO_SLOW: Final = refusal(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "the request took too long to arrive")
_FAILED: Final = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the operator failed on this request")


class _HeadTooLarge(ValueError):
    """Raised through the parser, so that it stops before there is a request."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, bounded.

    Attributes:
        greeting: The handshake, while it is under way.
        is_greeted: It was completed.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        limits: WireLimits,
        on_lost: Callable[["BoundedProtocol"], None],
    ) -> None:
        super().__init__(config, server_state, {})
        self._limits = limits
        self._on_lost = on_lost
        self.greeting: asyncio.Task[None] | None = None
        self.is_greeted = False
        self._unread_bytes = 0  # fed since the last progress: an upper bound of what the parser keeps
        self._has_progressed = False
        self._request_since: float | None = None  # its first byte has come, its last has not
        self._idle_since = 0.0
        self._deaf_since: float | None = None  # nothing that still comes is read
        self._is_known = False

    @property
    def is_known(self) -> bool:
        """Some request of this connection was a known pod's."""
        return self._is_known or (self.cycle is not None and self.cycle.scope["state"].get(IS_KNOWN, False))

    def abort(self) -> None:
        """The connection ends here and now, whatever was to be sent."""
        if self.is_greeted:
            self.transport.abort()
        elif self.greeting is not None:
            self.greeting.cancel()

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.is_greeted = True
        transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        self._idle_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf_since is not None:
            return
        self._unread_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(_MALFORMED)
            return
        except httptools.HttpParserError as error:
            self._refuse(self._too_large() if isinstance(error.__context__, _HeadTooLarge) else _MALFORMED)
            return
        if self._has_progressed or self._request_since is None:
            self._unread_bytes = 0
            self._has_progressed = False
        elif self._unread_bytes > self._limits.head_bytes:
            self._refuse(self._too_large())

    def sweep(self, now: float) -> None:
        """A second or so has passed."""
        if not self.is_greeted or self.transport.is_closing():
            return
        if self._deaf_since is not None:
            if now - self._deaf_since > self._limits.linger_seconds:
                self.transport.abort()
        elif self._request_since is not None:
            if now - self._request_since > self._limits.request_seconds:
                self._refuse(_TOO_SLOW)
        elif not self._is_answering():
            limits = self._limits
            if now - self._idle_since > (limits.known_idle_seconds if self.is_known else limits.stranger_idle_seconds):
                self.transport.close()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._is_answering():
            raise ValueError("a request ahead of an answer")
        super().on_message_begin()
        self._request_since = self.loop.time()

    def on_headers_complete(self) -> None:
        if self._unread_bytes > self._limits.head_bytes and self._head_size() > self._limits.head_bytes:
            raise _HeadTooLarge
        super().on_headers_complete()
        self.headers = []  # trailers go here, and nowhere
        self._has_progressed = True

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._has_progressed = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._request_since = None

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    # How requests begin and end.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - ASGI
        task = self.loop.create_task(self._run(cycle, app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _run(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - ASGI
        """The application has answered, or the connection ends in the middle of it. Nothing is raised."""
        try:
            await app(cycle.scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            self.transport.abort()
        except Exception as error:  # noqa: BLE001 - the last boundary of all
            log.error("request_failed", error=type(error).__name__, at=place_of(error))
        if not cycle.response_complete and not cycle.disconnected:
            if cycle.response_started:
                self.transport.abort()
            else:
                self._say(_FAILED)
        cycle.on_response = _nothing  # it holds this connection, which holds the cycle

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._is_known = self.is_known
        self._idle_since = self.loop.time()
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # What is refused before it is a request.

    def _too_large(self) -> Refusal:
        message = f"the request's head is larger than {self._limits.head_bytes} bytes"
        return refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", message)

    def _refuse(self, answer: Refusal) -> None:
        """Nothing more is read; the client is told, unless it is being told something else."""
        log.debug("request_refused", status=answer.status, reason=answer.reason)
        if self._is_answering():
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # the application learns of it as of a hang-up
            self.cycle.message_event.set()
        self._say(answer)

    def _say(self, answer: Refusal) -> None:
        """Write the answer and nothing after it; the connection is closed once the client could read it."""
        self._deaf_since = self.loop.time()
        if self.transport.is_closing():
            return
        headers = (*self.server_state.default_headers, *answer.headers, (b"connection", b"close"))
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body]))


def _nothing() -> None:
    """In the place of a callback."""
