"""A provider that costs next to nothing: raw bytes from memory, no HTTP library. For benchmarks alone.

It prints its port and serves until it is killed. A stream's chunks leave at a fixed pace, so that each is a piece of
its own for whoever reads it; streams are spread over the pace's interval.
"""

import asyncio
import itertools
from typing import Final, cast

import uvloop
from traffic import answer_bytes, stream_head, stream_pieces

PACE_SECONDS: Final = 0.02
_SLOTS: Final = 20
_ANSWER: Final = answer_bytes()
_STREAM_HEAD: Final = stream_head()
_PIECES: Final = stream_pieces()


class Pacer:
    """Sends the next piece of every stream, once per ``PACE_SECONDS``, a twentieth of the streams at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: list[dict[asyncio.Transport, int]] = [{} for _ in range(_SLOTS)]
        self._next_slot = itertools.cycle(range(_SLOTS))
        self._due = loop.time()
        self._tick(0)

    def add(self, transport: asyncio.Transport) -> None:
        """The head leaves now, the pieces follow."""
        transport.write(_STREAM_HEAD)
        self._slots[next(self._next_slot)][transport] = 0

    def _tick(self, slot: int) -> None:
        streams = self._slots[slot]
        for transport, number in list(streams.items()):
            if transport.is_closing():
                del streams[transport]
                continue
            transport.write(_PIECES[number])
            if number + 1 < len(_PIECES):
                streams[transport] = number + 1
            else:
                del streams[transport]
        self._due += PACE_SECONDS / _SLOTS
        self._loop.call_at(self._due, self._tick, (slot + 1) % _SLOTS)


class Provider(asyncio.Protocol):
    """One connection: a request at a time, its length by ``content-length``."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._data = b""
        if b'"stream":true' in body:
            self._pacer.add(self._transport)
        else:
            self._transport.write(_ANSWER)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    server = await loop.create_server(lambda: Provider(pacer), "127.0.0.1", 0)
    print(f"serving http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
