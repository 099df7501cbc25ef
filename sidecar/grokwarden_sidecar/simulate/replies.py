"""ASGI responses that can be slow, broken and cut off, and that notice when the client leaves.

To cut a connection the response returns without its last part; the server then closes the socket.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Pace:
    """How long to wait, and when to stop waiting: everything ends as soon as the simulator stops."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()

    async def wait(self, milliseconds: int) -> None:
        """Return after that time, or when the simulator stops."""
        if milliseconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), milliseconds / 1000)


class ScriptedResponse(Response):
    """A response in pieces, each flushed at once."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        pace: Pace,
        status_code: int = 200,
        headers: dict[str, str],
        delay_ms: int = 0,
        chunk_delay_ms: int = 0,
        is_cut: bool = False,
        on_end: Callable[[bool], None],
    ) -> None:
        """``is_cut``: the socket is closed after the pieces. ``on_end`` hears whether the client stayed to the end."""
        super().__init__(content=None, status_code=status_code)
        del self.headers["content-length"]  # of the empty content above
        self.headers.update(headers)
        self._pieces = pieces
        self._pace = pace
        self._delay_ms = delay_ms
        self._chunk_delay_ms = chunk_delay_ms
        self._is_cut = is_cut
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_client_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self._on_end(sending.done())
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.wait({sending, leaving})

    async def _send(self, send: Send) -> None:
        await self._pace.wait(self._delay_ms)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await self._pace.wait(self._chunk_delay_ms)
            if self._pace.stopping.is_set():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not self._is_cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
