r"""A Grok that speaks bytes: raw HTTP/1.1 answers, exactly as a test says, for faults that no server would make.

It knows nothing of the API beyond HTTP framing. For an API that answers sensibly there is the simulator. Answers are
used in the order in which they were scripted; a request that finds none gets a 500 that says so.

    async with FakeGrok() as grok:
        grok.reply(json={"id": "1"})
        grok.stream([b'data: {"a":1}\n\n', gate, b"data: [DONE]\n\n"])
        grok.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", CUT)
"""

import asyncio
import contextlib
import gzip
import json as jsonlib
import socket
import struct
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

_HEAD_END = b"\r\n\r\n"


class End(Enum):
    """What happens to the connection at this point of an answer."""

    CUT = "close the socket in good order (FIN)"
    RESET = "break the connection (RST)"
    HANG = "send nothing more until the client leaves"


CUT: Final = End.CUT
RESET: Final = End.RESET
HANG: Final = End.HANG


@dataclass(frozen=True, slots=True)
class Endless:
    """Bytes that are sent again and again until the client leaves."""

    data: bytes


Piece = bytes | asyncio.Event | End | Endless
"""Bytes are sent at once; an event pauses the answer until the test sets it."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as its bytes came in. ``body`` is without transfer encoding."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode("ascii")

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("ascii")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case and values, in the order in which they came, repeated ones included."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        """The first value of a header, ``None`` if it was not sent."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def json(self) -> Any:
        return jsonlib.loads(self.body)


class FakeGrok:
    """A server on a free port of 127.0.0.1.

    Attributes:
        requests: Every request that came in whole, in order.
        open_connections: Sockets that are open now, idle ones included.
        connections: Sockets that were ever accepted.
        abandoned: Answers during which the client closed its side.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.open_connections = 0
        self.connections = 0
        self.abandoned = 0
        self._answers: deque[tuple[Piece, ...]] = deque()
        self._fallback: tuple[Piece, ...] = _whole(
            500, {"content-type": "text/plain"}, b"fake Grok: no answer was scripted for this request"
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None, "used outside of `async with FakeGrok()`"
        return self._server.sockets[0].getsockname()[1]

    @property
    def base_url(self) -> str:
        """What an OpenAI client or a target takes as base URL, ``/v1`` included."""
        return f"http://127.0.0.1:{self.port}/v1"

    def reply(
        self,
        *,
        json: Any = None,
        body: bytes | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_length: int | None = None,
        gzipped: bool = False,
        times: int = 1,
    ) -> None:
        """Queue an ordinary answer. ``content_length`` overrides the true one; ``gzipped`` compresses unasked."""
        data = jsonlib.dumps(json, separators=(",", ":")).encode() if body is None else body
        sent = {"content-type": "application/json"}
        if gzipped:
            data = gzip.compress(data, mtime=0)
            sent["content-encoding"] = "gzip"
        if content_length is not None:
            sent["content-length"] = str(content_length)
        self.raw(*_whole(status, sent | dict(headers or {}), data), times=times)

    def stream(
        self,
        pieces: Iterable[Piece],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Queue a chunked ``text/event-stream``: one HTTP chunk for each bytes piece, and the last chunk at its end.

        A ``CUT``, ``RESET`` or ``HANG`` among the pieces ends the answer there, without a last chunk.
        """
        sent = {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | dict(headers or {})
        framed: list[Piece] = [_head(status, sent)]
        for piece in pieces:
            match piece:
                case bytes():
                    framed.append(_chunk(piece))
                case Endless():
                    framed.append(Endless(_chunk(piece.data)))
                case _:
                    framed.append(piece)
        self.raw(*framed, b"0\r\n\r\n", times=times)

    def raw(self, *pieces: Piece, times: int = 1) -> None:
        """Queue exactly these bytes. Nothing is added: neither a head nor framing."""
        self._answers.extend([pieces] * times)

    def always(self, *pieces: Piece) -> None:
        """Send exactly these bytes to every request for which nothing is queued."""
        self._fallback = pieces

    def clear(self) -> None:
        """Forget the requests and the answers that nobody asked for."""
        self.requests.clear()
        self._answers.clear()
        self.abandoned = 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open_connections += 1
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over; a cancelled connection handler would be reported as an error
        finally:
            self.open_connections -= 1
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other; a client that leaves in the middle ends its answer at once."""
        received: asyncio.Queue[ReceivedRequest | None] = asyncio.Queue()
        receiving = asyncio.create_task(_receive(reader, received))
        try:
            while request := await received.get():
                self.requests.append(request)
                pieces = self._answers.popleft() if self._answers else self._fallback
                answering = asyncio.create_task(_answer(writer, pieces))
                await asyncio.wait({answering, receiving}, return_when=asyncio.FIRST_COMPLETED)
                if not await _is_finished(answering):
                    self.abandoned += 1
                    return
                if not answering.result():
                    return
        finally:
            receiving.cancel()
            await asyncio.wait({receiving})


async def _is_finished(answering: asyncio.Task[bool]) -> bool:
    """Whether all was sent; an answer that is still under way is cancelled."""
    answering.cancel()  # no effect on one that is done
    await asyncio.wait({answering})
    return not answering.cancelled() and not isinstance(answering.exception(), OSError)


async def _receive(reader: asyncio.StreamReader, received: asyncio.Queue[ReceivedRequest | None]) -> None:
    """Queue requests until the client closes its side, then ``None``."""
    try:
        while True:
            head = await reader.readuntil(_HEAD_END)
            received.put_nowait(ReceivedRequest(head, await _body(reader, head)))
    except (asyncio.IncompleteReadError, OSError):
        received.put_nowait(None)


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    request = ReceivedRequest(head, b"")
    if request.header("transfer-encoding") != "chunked":
        return await reader.readexactly(int(request.header("content-length") or 0))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


async def _answer(writer: asyncio.StreamWriter, pieces: tuple[Piece, ...]) -> bool:
    """Whether the connection may be used for another request.

    Raises:
        OSError: The client left.
    """
    for piece in pieces:
        match piece:
            case bytes():
                writer.write(piece)
                await writer.drain()
            case asyncio.Event():
                await piece.wait()
            case Endless():
                while True:
                    writer.write(piece.data)
                    await writer.drain()
                    await asyncio.sleep(0)  # drain() alone need not let the reader see that the client left
            case End.HANG:
                await asyncio.Event().wait()
            case End.CUT:
                return False
            case End.RESET:
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
    return True


def _whole(status: int, headers: Mapping[str, str], body: bytes) -> tuple[Piece, ...]:
    return (_head(status, {"content-length": str(len(body))} | dict(headers)) + body,)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + _HEAD_END


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
