"""The HTTP servers of the operator, without a server's own opinion on signals, access logs and headers."""

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

_BACKLOG: Final = 2048
_LAST_WORDS_SECONDS: Final = 1.0
GRACEFUL_SECONDS: Final = 1.0


class HttpServer(uvicorn.Server):
    """An ASGI application on a socket that is bound already. ``serve`` makes one."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._listener = listener
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process: a drained SIGTERM must end with exit code 0."""
        yield

    async def serve_forever(self) -> None:
        """Serves until ``stop``, then until answers in flight have ended; no connection and no task is left."""
        try:
            await self.serve(sockets=[self._listener])
        finally:
            self._listener.close()
            for connection in tuple(self.server_state.connections):
                connection.transport.abort()
            for task in tuple(self.server_state.tasks):
                task.cancel()
            if self.server_state.tasks:
                await asyncio.wait(tuple(self.server_state.tasks), timeout=_LAST_WORDS_SECONDS)

    def stop(self, *, at_once: bool = False) -> None:
        """No new connection is taken; with ``at_once`` those that are open end too."""
        self.should_exit = True
        self.force_exit = self.force_exit or at_once


def serve(
    app: Any,  # noqa: ANN401 - ASGI
    listener: socket.socket,
    *,
    ssl_context: ssl.SSLContext | None = None,
    graceful_seconds: float = GRACEFUL_SECONDS,
) -> HttpServer:
    """A server that serves nothing before ``serve_forever``.

    Args:
        app: ASGI 3, without a lifespan.
        listener: Bound; closed when the server ends.
        ssl_context: TLS with this very object: a chain that is loaded into it later is what new handshakes get.
        graceful_seconds: How long answers in flight may go on once ``stop`` was called; a stream ends then.
    """
    config = uvicorn.Config(
        app,
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, math.ceil(graceful_seconds)),
        backlog=_BACKLOG,
    )
    config.load()  # sets ``ssl`` to what files say, and there are none
    config.ssl = ssl_context
    return HttpServer(config, listener)
