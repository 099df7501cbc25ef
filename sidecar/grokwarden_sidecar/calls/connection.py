"""The client's side of one call: its body, what is sent to it, and whether it is still there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from grokwarden_sidecar.calls.responses import RawHeaders

HANG_UP: Final = "grokwarden.hang_up"
"""The ASGI extension of a server that calls back when the client hangs up."""


class BodyTooLarge(ValueError):
    """The body has more bytes than are accepted."""


class ClientConnection:
    """Raw ASGI, a little more comfortable.

    Attributes:
        has_left: The client hung up; its call's task has been cancelled for that.
        has_started: Something was sent.
    """

    __slots__ = (
        "_first",
        "_is_notified",
        "_notify",
        "_receive",
        "_send",
        "_task",
        "_tasks",
        "_watch",
        "has_left",
        "has_started",
        "headers",
        "method",
        "path",
    )

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        path: bytes,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.method: str = scope["method"]
        self.path = path
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._first = dict(reversed(self.headers))
        self._notify: Callable[[Callable[[], None] | None], None] | None = (
            scope.get("extensions", {}).get(HANG_UP, {}).get("notify")
        )
        self._receive = receive
        self._send = send
        self._tasks = tasks
        self._watch: asyncio.Task[None] | None = None
        self._is_notified = False
        self._task = asyncio.current_task()
        self.has_left = False
        self.has_started = False

    def header(self, name: bytes) -> bytes | None:
        """The first header of this lower-case name."""
        return self._first.get(name)

    async def read_body(self, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: It has more than ``limit_bytes``; what is left of it was not read.
        """
        length = self.header(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit_bytes:
            raise BodyTooLarge
        message = await self._receive()
        if not message.get("more_body") and message["type"] == "http.request":
            body: bytes = message.get("body", b"")
            if len(body) > limit_bytes:
                raise BodyTooLarge
            return body
        pieces: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > limit_bytes:
                raise BodyTooLarge
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self._receive()
        self.has_left = True
        raise asyncio.CancelledError

    def watch(self) -> None:
        """From now on a hang-up cancels the call's task: the server says nothing of it by itself."""
        if self._notify is not None:
            self._is_notified = True
            self._notify(self._hung_up)
        else:
            self._watch = self._tasks.create_task(self._await_hang_up())

    async def _await_hang_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._hung_up()

    def _hung_up(self) -> None:
        self.has_left = True
        if self._task is not None:
            self._task.cancel()

    def absorb_cancellation(self) -> None:
        """The cancellation was ours, for the hang-up, and is dealt with."""
        if self._task is not None:
            self._task.uncancel()

    def close(self) -> None:
        """The call has ended: nobody watches any more."""
        if self._is_notified and self._notify is not None:
            self._is_notified = False  # the connection's next call may have begun to watch
            self._notify(None)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None  # its cancellation holds our frames: a cycle that only the collector would end

    async def send_whole(self, status: int, headers: RawHeaders, body: bytes, *, request_id: str) -> None:
        """One answer in one piece."""
        self.close()
        length = (b"content-length", str(len(body)).encode())
        await self.start(status, [*headers, length], request_id=request_id)
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: RawHeaders, *, request_id: str) -> None:
        """The answer's head; ``x-request-id`` is added unless the headers have one."""
        if b"x-request-id" not in dict(headers):
            headers = [*headers, (b"x-request-id", request_id.encode())]
        self.has_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_piece(self, data: bytes) -> None:
        """A piece of the answer, at once."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """The answer is complete."""
        self.close()
        await self._send({"type": "http.response.body", "body": b""})
