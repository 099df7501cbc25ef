"""Runs kopf, on a thread and a loop of its own, and passes on what it hears.

When kopf ends, it cancels every task of its loop that is younger than itself, and on a main thread it takes SIGTERM for
itself: on the operator's loop, a restart of kopf would cut every stream to a sidecar.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Protocol, cast

import aiohttp
import kopf
import structlog

from grokwarden.errors import GrokwardenError
from grokwarden_operator.cluster.connection import Connection
from grokwarden_operator.cluster.paths import LIST_PATHS
from grokwarden_operator.handlers import register
from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.facts import RawObject
from grokwarden_operator.watching.kopf_settings import ListeningTimings, kopf_settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CANCEL_SECONDS: Final = 0.1
_FAREWELL_SECONDS: Final = 0.25
"""For TLS to be closed on connections that nobody holds any more."""
_QUIETED: Final[Mapping[str, int]] = {
    "kopf._core.reactor.running": logging.ERROR,  # warns that signals are not its own
    "kopf._cogs.clients.watching": logging.CRITICAL,  # an error for each attempt, which the listener is told of
}
_KIND_OF_PATH: Final = {path: kind for kind, path in LIST_PATHS.items()}


class Listener(Protocol):
    """Who is told, on the loop that runs ``listen``."""

    def heard(self, kind: Kind, change: str | None, raw: RawObject) -> None:
        """An event came; ``change`` is ``None`` for an object that kopf has listed."""

    def opened(self, kind: Kind, *, is_relisted: bool) -> None:
        """A watch is open; with ``is_relisted``, one that begins with a list and was told of no deletion before it."""

    def failed(self, kind: Kind) -> None:
        """A list or a watch was refused, or there was nobody to refuse it."""


class ListeningError(GrokwardenError):
    """kopf has ended by itself."""


async def listen(connection: Connection, listener: Listener, timings: ListeningTimings) -> None:
    """Tells the listener of everything until it is cancelled.

    Raises:
        ListeningError: kopf has ended by itself.
    """
    for name, level in _QUIETED.items():
        logging.getLogger(name).setLevel(level)
    thread = _KopfThread(connection, listener, timings)
    ended = asyncio.wrap_future(thread.start())
    try:
        await asyncio.shield(ended)
        raise ListeningError("kopf ended without an error; it is started anew")
    finally:
        thread.stop()
        await asyncio.wait({ended}, timeout=timings.stop_seconds)
        if not ended.done():
            log.error("kopf_left_behind", after_seconds=timings.stop_seconds)


class _KopfThread:
    """One run of kopf."""

    def __init__(self, connection: Connection, listener: Listener, timings: ListeningTimings) -> None:
        self._connection = connection
        self._listener = listener
        self._timings = timings
        self._home = asyncio.get_running_loop()
        self._is_stopped = False
        self._stop: Callable[[], object] | None = None
        self._lock = threading.Lock()
        self._sessions: list[aiohttp.ClientSession] = []
        self._listed: set[Kind] = set()
        self._untold: list[Callable[[], object]] = []

    def start(self) -> concurrent.futures.Future[None]:
        """The thread runs; the future is done when it has ended."""
        ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        threading.Thread(target=self._run, args=(ended,), name="kopf", daemon=True).start()
        return ended

    def stop(self) -> None:
        """Nothing is told any more, and kopf is about to end."""
        with self._lock:
            self._is_stopped = True
            if self._stop is not None:
                self._stop()

    def _run(self, ended: concurrent.futures.Future[None]) -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(self._stray)
        try:
            with contextlib.closing(loop):
                loop.run_until_complete(self._listen())
        except Exception as error:  # noqa: BLE001 - whatever ended kopf is told where somebody can do something about it
            failure = ListeningError(f"kopf ended with {type(error).__name__}; it is started anew")
            failure.__cause__ = error
            ended.set_exception(failure)
        else:
            ended.set_result(None)

    async def _listen(self) -> None:
        """Runs kopf until ``stop``, or until any of its tasks has ended.

        ``kopf.operator`` would wait for the others of them, and some never end: cancelled at the wrong moment, a watch
        takes it for a pause and goes on. Meanwhile the dead task's kind is deaf, and nothing says so.
        """
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if self._is_stopped:
                return
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        registry = kopf.OperatorRegistry()
        register(registry, heard=self._heard, login=self._login)
        try:
            tasks = await kopf.spawn_tasks(
                registry=registry,
                settings=kopf_settings(self._timings),
                identity=cast("Any", "grokwarden"),  # else kopf asks for the user's name, which a pod's uid has not
                clusterwide=True,
                standalone=True,
                stop_flag=stop,  # ends one of the tasks
            )
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            with self._lock:
                self._stop = None
            await _end_all_others(self._timings.stop_seconds)
            for session in self._sessions:
                await session.close()
            await asyncio.sleep(_FAREWELL_SECONDS)

    def _stray(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What no task of kopf's handled; while it ends that is of no interest."""
        if not self._is_stopped:
            log.warning("kopf_error_unhandled", error=type(context.get("exception")).__name__)

    async def _login(self) -> kopf.AiohttpSession:
        """A new session. kopf asks for another one as soon as one is not believed."""
        if self._sessions:
            await asyncio.sleep(self._timings.login_seconds)
        session = self._connection.session([self._trace()])
        self._sessions = [each for each in self._sessions if not each.closed] + [session]
        return kopf.AiohttpSession(server=self._connection.server, aiohttp_session=session)

    def _trace(self) -> aiohttp.TraceConfig:
        """Shows which lists and watches come about. kopf says nothing of them itself."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        trace.on_request_exception.append(self._unanswered)
        return trace

    async def _answered(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        kind = _KIND_OF_PATH.get(params.url.path.removeprefix(self._connection.path))
        if kind is None:
            return
        if params.response.status >= 300:
            self._tell(self._listener.failed, kind)
        elif "watch" not in params.url.query:
            self._listed.add(kind)
        else:
            is_relisted = kind in self._listed
            self._listed.discard(kind)
            self._tell(lambda: self._listener.opened(kind, is_relisted=is_relisted))

    async def _unanswered(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        kind = _KIND_OF_PATH.get(params.url.path.removeprefix(self._connection.path))
        if kind is not None and not isinstance(params.exception, asyncio.CancelledError):
            self._tell(self._listener.failed, kind)

    def _heard(self, kind: Kind, event: Any) -> None:  # noqa: ANN401 - kopf's own
        self._tell(self._listener.heard, kind, event["type"], event["object"])

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        """The listener is told, on its own loop, unless it wants to hear nothing more."""
        with self._lock:
            if self._is_stopped:
                return
            self._untold.append(partial(call, *arguments))
            if len(self._untold) == 1:
                self._home.call_soon_threadsafe(self._pass_on)

    def _pass_on(self) -> None:
        """Whatever came since the last time is told at once: waking the other loop for each event costs the most."""
        with self._lock:
            untold, self._untold = self._untold, []
        for call in untold:
            call()


async def _end_all_others(timeout_seconds: float) -> None:
    """No other task of this loop is left, or the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_seconds
    while (others := asyncio.all_tasks() - {asyncio.current_task()}) and loop.time() < until:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=_CANCEL_SECONDS)
