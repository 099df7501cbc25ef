"""The HTTP servers of a sidecar, without a server's own opinion on signals, access logs and headers."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from grokwarden_sidecar.settings import Address, SettingsError

_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048


class HttpServer(uvicorn.Server):
    """An ASGI application on a socket that is bound already."""

    def __init__(self, app: Any, listener: socket.socket, *, drain_seconds: float) -> None:  # noqa: ANN401 - ASGI
        """Nothing is served before ``serve_forever``.

        Args:
            app: Raw ASGI.
            listener: Bound; closed when the server ends.
            drain_seconds: How long calls in flight may go on once ``stop`` was called.
        """
        self._listener = listener
        super().__init__(
            uvicorn.Config(
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
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                backlog=_BACKLOG,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process: a drained SIGTERM must end with exit code 0."""
        yield

    async def serve_forever(self) -> None:
        """Serves until ``stop``, then until the calls in flight have ended."""
        await self.serve(sockets=[self._listener])

    def stop(self, *, at_once: bool = False) -> None:
        """No new connection is taken; with ``at_once`` those that are open end too."""
        self.should_exit = True
        self.force_exit = self.force_exit or at_once


def listen(address: Address, *, flag: str) -> socket.socket:
    """A listening socket.

    Raises:
        SettingsError: The address can't be had; the message says which flag names it.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{flag} {address}: can't listen there ({error.strerror}); choose another address"
        ) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> Address:
    """Where it listens, the port that a 0 became included."""
    host, port = listener.getsockname()[:2]
    return Address(host=host, port=port)
