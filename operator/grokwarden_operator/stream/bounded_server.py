"""A TLS server for many long streams, that strangers can't wear out: connections are counted before their handshake."""

import asyncio
import math
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import structlog
import uvicorn

from grokwarden_operator.serving import HttpServer
from grokwarden_operator.stream.bounded_protocol import BoundedProtocol, WireLimits

log = structlog.stdlib.get_logger(__name__)

_TICKS_PER_SECOND: Final = 10  # of uvicorn
_TLS_CLOSE_SECONDS: Final = 5.0
_ACCEPT_AGAIN_SECONDS: Final = 0.5
_UNWIND_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 60  # then the peer's kernel is asked
_UNCONFIRMED_MILLISECONDS: Final = 60_000
DEFAULT_LIMITS: Final = WireLimits()


class BoundedServer(HttpServer):
    """An ASGI application on a bound socket, over TLS. Connections are accepted here, not by uvicorn.

    Args:
        app: ASGI 3, without a lifespan.
        listener: Bound; closed when the server ends.
        ssl_context: A chain that is loaded into it later is what new handshakes get.
        on_stop: Is called by ``stop``: streams are to end now.
        drain_seconds: How long answers in flight may go on once ``stop`` was called.
        limits: What clients may do.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - ASGI
        listener: socket.socket,
        ssl_context: ssl.SSLContext,
        *,
        on_stop: Callable[[], None],
        drain_seconds: float,
        limits: WireLimits = DEFAULT_LIMITS,
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, math.ceil(drain_seconds)),
        )
        config.load()
        super().__init__(config, listener)
        _notice_lost_peers(listener)
        self._ssl_context = ssl_context
        self._on_stop = on_stop
        self._limits = limits
        self._strangers: dict[BoundedProtocol, None] = {}  # oldest first
        self._known: set[BoundedProtocol] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def open_connections(self) -> int:
        """Those in their handshake included."""
        return len(self._strangers) + len(self._known)

    async def serve_forever(self) -> None:
        """Serves until ``stop``, then until answers in flight have ended; no connection is left open."""
        async with asyncio.TaskGroup() as tasks:
            self._accepting = tasks.create_task(self._accept(tasks))
            try:
                await super().serve_forever()
            finally:
                self._accepting.cancel()
                for connection in (*self._strangers, *self._known):
                    connection.abort()
                if self.server_state.tasks:
                    await asyncio.wait(self.server_state.tasks, timeout=_UNWIND_SECONDS)

    def stop(self, *, at_once: bool = False) -> None:
        super().stop(at_once=at_once)
        self._on_stop()

    # What uvicorn calls.

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - as in uvicorn
        """Connections are taken from now on, though not by uvicorn."""
        self.servers = []
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """No connection is taken any more; those that are open have the time to end."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; now and then the connections are swept."""
        if counter % max(1, round(self._limits.sweep_seconds * _TICKS_PER_SECOND)) == 0:
            now = asyncio.get_running_loop().time()
            for connection in (*self._strangers, *self._known):
                connection.sweep(now)
        return await super().on_tick(counter)

    # Connections.

    async def _accept(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # of a client that left meanwhile, or of a process that has no file left
                log.warning("accept_failed", error=error.strerror)
                await asyncio.sleep(_ACCEPT_AGAIN_SECONDS)
                continue
            if not self._has_room():
                client.close()
                continue
            connection = BoundedProtocol(self.config, self.server_state, limits=self._limits, on_lost=self._forget)
            self._strangers[connection] = None
            connection.greeting = tasks.create_task(self._greet(client, connection))
            await asyncio.sleep(0)  # accepting waits for nothing as long as there are clients

    async def _greet(self, client: socket.socket, connection: BoundedProtocol) -> None:
        """TLS is spoken on this connection, or it is closed."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                client,
                ssl=self._ssl_context,
                ssl_handshake_timeout=self._limits.handshake_seconds,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS,
            )
        except OSError as error:
            log.debug("handshake_failed", error=type(error).__name__)
        finally:
            connection.greeting = None
            if not connection.is_greeted:
                self._forget(connection)

    def _has_room(self) -> bool:
        """Room for one more stranger, made by the oldest if need be; never by a connection of a known pod."""
        if self.open_connections >= self._limits.connections:
            return False
        while len(self._strangers) >= self._limits.strangers:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            if oldest.is_known:
                self._known.add(oldest)
            else:
                oldest.abort()
        return True

    def _forget(self, connection: BoundedProtocol) -> None:
        self._strangers.pop(connection, None)
        self._known.discard(connection)


def _notice_lost_peers(listener: socket.socket) -> None:
    """A connection of this listener ends soon after its peer vanished, though neither says anything."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_SECONDS)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNCONFIRMED_MILLISECONDS)
