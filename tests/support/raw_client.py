"""A client that sends bytes as they are: paths that no library would send, bodies that break off, and hang-ups."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An answer as it came; ``body`` is without transfer encoding."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


def request_bytes(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A request with exactly this path, after which the connection is closed."""
    fixed = {"host": "sidecar.test", "connection": "close", "content-length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in (fixed | dict(headers or {})).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def send_bytes(port: int, *pieces: bytes) -> RawResponse:
    """What a server answers to these bytes; the connection's end is the answer's."""
    async with connection(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        data = await asyncio.wait_for(reader.read(-1), 20)
    head, _, rest = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    if ("transfer-encoding", "chunked") in headers:
        rest = _without_chunks(rest)
    return RawResponse(int(status_line.split()[1]), headers, rest)


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A socket to 127.0.0.1, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def _without_chunks(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
    return body
