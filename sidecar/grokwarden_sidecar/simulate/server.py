"""Serving the simulator on a socket: for the command, and in-process for tests and the demo."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from grokwarden_sidecar.simulate.app import SimulatorSettings, build_app
from grokwarden_sidecar.simulate.replies import Pace
from grokwarden_sidecar.simulate.script import Script
from grokwarden_sidecar.simulate.state import Call, Ledger

_DRAIN_SECONDS: Final = 3


class Simulator:
    """A running simulator.

    Attributes:
        url: ``http://host:port``.
    """

    def __init__(self, url: str, ledger: Ledger, pace: Pace) -> None:
        self.url = url
        self._ledger = ledger
        self._pace = pace

    @property
    def base_url(self) -> str:
        """What a client takes as base URL, ``/v1`` included."""
        return f"{self.url}/v1"

    @property
    def calls(self) -> list[Call]:
        """The calls that came in, oldest first."""
        return list(self._ledger.calls)

    def next(self, *scripts: Script) -> None:
        """Use these scripts for the next calls."""
        self._ledger.queue(scripts)

    def clear(self) -> None:
        """Forget calls and queued scripts."""
        self._ledger.clear()


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one.

    Raises:
        OSError: The port is in use, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


@asynccontextmanager
async def simulator(
    settings: SimulatorSettings | None = None, *, listener: socket.socket | None = None
) -> AsyncIterator[Simulator]:
    """Serve a simulator until the block ends. Answers that are under way are then cut.

    Args:
        settings: Which key to accept.
        listener: A bound socket, which is closed at the end; without it a free port of 127.0.0.1 is taken.
    """
    listener = listener or listening_socket("127.0.0.1", 0)
    ledger, pace = Ledger(), Pace()
    server = _Server(
        uvicorn.Config(
            build_app(settings or SimulatorSettings(), ledger, pace),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    with _no_complaint_about_cuts():
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Simulator(_url_of(listener), ledger, pace)
        finally:
            pace.stopping.set()
            server.should_exit = True
            await serving
            listener.close()


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: who runs the simulator decides what they mean."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


@contextmanager
def _no_complaint_about_cuts() -> Iterator[None]:
    """Silence the server's error for an answer that was cut on purpose."""
    logger = logging.getLogger("uvicorn.error")

    def is_wanted(record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()

    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)
