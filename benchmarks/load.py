"""A load generator that costs next to nothing: a fixed number of connections, each with one call at a time.

Any answer but a complete 200 fails the benchmark: a proxy that refuses calls would look very fast.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, cast

from traffic import request_bytes

_OK: Final = b"HTTP/1.1 200 "
_STREAM_END: Final = b"\r\n0\r\n\r\n"
_TIMEOUT_SECONDS: Final = 60.0


class BadAnswerError(Exception):
    """A proxy gave something else than the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came back.

    Attributes:
        reads: Reads that brought pieces of streams; as many as chunks where nothing was clumped together.
    """

    calls: int
    chunks: int
    reads: int
    seconds: float


class _Client(asyncio.Protocol):
    """One connection. It goes on until the deadline, and ends with a whole answer."""

    def __init__(self, request: bytes, *, is_stream: bool, deadline: float) -> None:
        self._request = request
        self._is_stream = is_stream
        self._deadline = deadline
        self._missing = -1  # bytes of the answer still to come, or -1 while its head has not
        self._tail = b""
        self.calls = self.chunks = self.reads = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or BadAnswerError("the connection was closed in the middle of a call"))

    def data_received(self, data: bytes) -> None:
        if self._is_stream:
            self._stream_received(data)
        else:
            self._whole_received(data)

    def _whole_received(self, data: bytes) -> None:
        if self._missing < 0:
            data = self._tail + data
            head, found, body = data.partition(b"\r\n\r\n")
            if not found:
                self._tail = data
                return
            self._tail = b""
            self._check(head)
            self._missing = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            data = body
        self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._answered()

    def _stream_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._check(data)
            self._missing = 0
        chunks = data.count(b"data: ")
        self.chunks += chunks
        self.reads += chunks > 0
        self._tail = (self._tail + data)[-len(_STREAM_END) :]
        if self._tail == _STREAM_END:
            self._missing = -1
            self._tail = b""
            self._answered()

    def _check(self, head: bytes) -> None:
        if not head.startswith(_OK) and not self.done.done():
            self.done.set_exception(BadAnswerError(head[:400].decode(errors="replace")))
            self._transport.abort()

    def _answered(self) -> None:
        self.calls += 1
        if time.monotonic() < self._deadline:
            self._transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def drive(port: int, *, connections: int, seconds: float, is_stream: bool) -> Load:
    """Load on one proxy for so long, and until the calls in flight have ended.

    Raises:
        BadAnswerError: A call was not answered as it should be.
    """
    loop = asyncio.get_running_loop()
    request = request_bytes(port, stream=is_stream)
    started = time.monotonic()
    clients = []
    for _ in range(connections):
        client = _Client(request, is_stream=is_stream, deadline=started + seconds)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
        clients.append(client)
    async with asyncio.timeout(seconds + _TIMEOUT_SECONDS):
        await asyncio.gather(*(client.done for client in clients))
    return Load(
        calls=sum(client.calls for client in clients),
        chunks=sum(client.chunks for client in clients),
        reads=sum(client.reads for client in clients),
        seconds=time.monotonic() - started,
    )
