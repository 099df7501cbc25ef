"""One client's connection as bytes: uvicorn's parser and cycle, with bounds on what a client may send and how slowly.

A request's head is bounded in bytes and in time, a body's silence in time; trailers are dropped, since a body's sender
must not add to the headers that were judged. Whatever is wrong with the bytes is answered as JSON, like any refusal,
and the connection ends. Nothing here runs a timer per call: the server sweeps its connections once a second.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from grokwarden.edge.logs import place_of
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.connection import HANG_UP
from grokwarden_sidecar.calls.responses import Reply

log = structlog.stdlib.get_logger(__name__)

_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
_LINGER_SECONDS: Final = 2.0  # a socket that is closed over unread bytes resets, and the client never sees the answer
_IGNORED_BYTES: Final = 1024 * 1024  # and more than that is not read for its sake

_IDLE, _HEAD, _BODY = range(3)  # where the bytes are that come next


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What a client may send, and how slowly. Times are counted in sweeps, so each may be a second more.

    Attributes:
        head_bytes: Request line and headers; also what a chunked body may hold between two pieces.
        head_seconds: From a request's first byte to the end of its headers.
        body_seconds: Between two pieces of a body.
        idle_seconds: Between two requests, and before the first.
    """

    head_bytes: int = 64 * 1024
    head_seconds: int = 30
    body_seconds: int = 30
    idle_seconds: int = 75


DEFAULT_LIMITS: Final = WireLimits()

_MALFORMED: Final = responses.refusal(400, "The request is not valid HTTP/1.1.", code="invalid_request")
_UPGRADE: Final = responses.refusal(
    400,
    "This proxy speaks HTTP/1.1 alone, and the parser takes the body for the other protocol's first bytes: "
    "send the request without an upgrade header.",
    code="invalid_request",
)
_TOO_SLOW: Final = responses.refusal(408, "The request took too long to arrive.", code="request_timeout", retry=True)
_FAILED: Final = responses.refusal(
    500, "grokwarden failed on this request; nothing was answered.", code="internal_error", type="server_error"
)
_SHUT_DOWN: Final = responses.refusal(
    503, "This proxy is shutting down; ask again.", code="shutting_down", type="server_error", retry=True
)


class _HeadRefused(ValueError):
    """Raised through the parser, so that it stops before there is a call."""

    def __init__(self, reply: Reply, reason: str) -> None:
        self.reply = reply
        self.reason = reason
        super().__init__(reason)


class ClientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, bounded."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: WireLimits = DEFAULT_LIMITS,
        on_refused: Callable[[str], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._on_refused = on_refused
        self._expects = _IDLE
        self._unread_bytes = 0  # fed since the last progress: an upper bound of what the parser keeps
        self._has_progressed = False
        self._waited_seconds = 0
        self._unsent_bytes = 0  # when it was last looked at, of a connection that is closing
        self._is_deaf = False  # nothing that still comes is read
        self._on_hang_up: Callable[[], None] | None = None

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        if self._is_deaf:
            if self._unread_bytes > _IGNORED_BYTES:
                self.transport.close()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_deaf = True  # to a protocol that we don't speak: the request is answered in HTTP/1.1
            return
        except httptools.HttpParserError as error:
            told = error.__context__
            refused = told if isinstance(told, _HeadRefused) else _HeadRefused(_MALFORMED, "malformed_http")
            self._refuse(refused.reply, refused.reason)
            return
        if self._has_progressed or self._expects == _IDLE:
            self._unread_bytes = 0
            self._has_progressed = False
        elif self._unread_bytes > self._limits.head_bytes:
            self._refuse(self._too_large(), "head_too_large")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._on_hang_up is not None:
            self._on_hang_up()

    def sweep(self) -> None:
        """A second has passed."""
        self._waited_seconds += 1
        if self.transport.is_closing():
            self._sweep_closing()
        elif self._is_deaf or self.flow.read_paused:  # then it is not the client that is waited for
            self._waited_seconds = 0
        elif self._expects == _IDLE:
            if self._waited_seconds > self._limits.idle_seconds and not self._is_answering():
                self.transport.close()
        else:
            limit = self._limits.head_seconds if self._expects == _HEAD else self._limits.body_seconds
            if self._waited_seconds > limit:
                self._refuse(_TOO_SLOW, "request_timeout")

    def _sweep_closing(self) -> None:
        """A client that takes nothing of what it is owed keeps no socket for it."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent_bytes:
            self._unsent_bytes, self._waited_seconds = unsent, 0
        elif self._waited_seconds > self._limits.body_seconds:
            self.transport.abort()

    # What the parser tells.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"notify": self._notify}}
        self._expects = _HEAD
        self._waited_seconds = 0

    def on_headers_complete(self) -> None:
        if self._unread_bytes > self._limits.head_bytes and self._head_size() > self._limits.head_bytes:
            raise _HeadRefused(self._too_large(), "head_too_large")
        if self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in self.headers):
            raise _HeadRefused(_UPGRADE, "upgrade")
        super().on_headers_complete()
        self.headers = []  # trailers go here, and nowhere
        self._expects = _BODY
        self._has_progressed = True
        self._waited_seconds = 0

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._has_progressed = True
        self._waited_seconds = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._expects = _IDLE

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    # How calls begin and end.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - ASGI
        task = self.loop.create_task(self._run(cycle, app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _run(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - ASGI
        """The application has answered, or the client was told that it didn't. Nothing is raised."""
        unanswered = _FAILED
        try:
            await app(cycle.scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            log.info("call_cancelled", has_started=cycle.response_started)
            unanswered = _SHUT_DOWN
        except Exception as error:  # noqa: BLE001 - the last boundary of all
            log.error("application_failed", error=type(error).__name__, at=place_of(error))
        if not cycle.response_complete and not cycle.disconnected:
            self._is_deaf = True
            if cycle.response_started:
                self.transport.close()  # in the middle, so that nobody takes it for the whole
            else:
                self._say(unanswered)
        cycle.on_response = _nothing  # it holds this connection, which holds the cycle

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._waited_seconds = 0
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._is_deaf:
            self.transport.close()

    def _notify(self, callback: Callable[[], None] | None) -> None:
        """Who learns of a hang-up: one call, since they are answered in turn. A task that waits would cost 4 µs."""
        self._on_hang_up = callback
        if callback is None:
            return
        if self.transport.is_closing():
            callback()
        else:
            self.flow.resume_reading()  # it was stopped by a large body, and what isn't read doesn't end

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # What is refused before it is a call.

    def _too_large(self) -> Reply:
        message = f"The request's head is larger than {self._limits.head_bytes} bytes."
        return responses.refusal(431, message, code="head_too_large")

    def _refuse(self, reply: Reply, reason: str) -> None:
        """Nothing more is read; the client is told, after the answers to whole requests that came before."""
        self._is_deaf = True
        self._on_refused(reason)
        log.debug("request_refused", reason=reason)
        if self._expects == _BODY:
            self._refuse_body(reply)
        elif not self._is_answering():
            self._say(reply)

    def _refuse_body(self, reply: Reply) -> None:
        cycle = self.cycle
        if self.pipeline:
            self.pipeline.popleft()
        elif cycle.response_started:
            self.transport.close()
        else:
            cycle.disconnected = True  # the application learns of it as of a hang-up
            cycle.message_event.set()
            self._say(reply)

    def _say(self, reply: Reply) -> None:
        """Write the answer and nothing after it; the connection is closed once the client could read it."""
        if self.transport.is_closing():
            return
        fixed = (
            (b"x-request-id", secrets.token_hex(16).encode()),
            (b"content-length", str(len(reply.body)).encode()),
            (b"connection", b"close"),
        )
        headers = (*self.server_state.default_headers, *reply.headers, *fixed)
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[reply.status], *lines, b"\r\n", reply.body]))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _nothing() -> None:
    """In the place of a callback."""
