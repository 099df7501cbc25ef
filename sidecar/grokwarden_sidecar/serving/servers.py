"""The HTTP servers of a sidecar, without a server's own opinion on signals, access logs and headers."""

import contextlib
import functools
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from grokwarden_sidecar.serving.http_protocol import DEFAULT_LIMITS, ClientProtocol, WireLimits

_BACKLOG: Final = 2048
_TICKS_PER_SWEEP: Final = 10  # uvicorn ticks ten times a second


def _uncounted(_: str) -> None:
    """A refusal that no metric is for."""


class HttpServer(uvicorn.Server):
    """An ASGI application on a socket that is bound already."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - ASGI
        listener: socket.socket,
        *,
        drain_seconds: float,
        limits: WireLimits = DEFAULT_LIMITS,
        on_refused: Callable[[str], None] = _uncounted,
    ) -> None:
        """Nothing is served before ``serve_forever``.

        Args:
            app: Raw ASGI.
            listener: Bound; closed when the server ends.
            drain_seconds: How long calls in flight may go on once ``stop`` was called.
            limits: What a client may send, and how slowly.
            on_refused: Is told the reason of each request that is refused before it is a call.
        """
        self._listener = listener
        protocol = functools.partial(ClientProtocol, limits=limits, on_refused=on_refused)
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=protocol,  # type: ignore[arg-type]  # called as the class would be
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                backlog=_BACKLOG,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process: a drained SIGTERM must end with exit code 0."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; once a second the connections are swept."""
        if counter % _TICKS_PER_SWEEP == 0:
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, ClientProtocol):
                    connection.sweep()
        return await super().on_tick(counter)

    async def serve_forever(self) -> None:
        """Serves until ``stop``, then until the calls in flight have ended."""
        await self.serve(sockets=[self._listener])

    def stop(self, *, at_once: bool = False) -> None:
        """No new connection is taken; with ``at_once`` those that are open end too."""
        self.should_exit = True
        self.force_exit = self.force_exit or at_once
