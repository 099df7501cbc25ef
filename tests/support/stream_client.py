"""A sidecar's side of the config stream, reduced to what tests of the operator look at: real TLS, real events.

async with plane.client(BOT) as client, client.stream() as stream:
await stream.bundle(version)
assert (await client.ack(ack)).status == 204
"""

import asyncio
import io
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import zstandard

from grokwarden.config_stream import (
    ACK_PATH,
    INSTANCE_HEADER,
    PARTS_HEADER,
    STREAM_PATH,
    Ack,
    StreamEvent,
    decode_keys,
    encode_ack,
    parts_header,
    read_event,
)
from grokwarden.exchange.sse import EventSplitter

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it came."""

    kind: StreamEvent
    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request; ``body`` is the JSON of a refusal."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def reason(self) -> str:
        return self.body["reason"]


class StreamRefused(Exception):
    """There is no stream."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{answer.status} {answer.body}")


class StreamOver(Exception):
    """The body ended, as it should."""


class Stream:
    """An open stream. What has come so far is in the attributes.

    Attributes:
        events: All but pings, in order.
        pings: Their number.
        keys: Of the last ``keys`` event.
        version: Of the last manifest.
        parts: By digest.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.events: list[Event] = []
        self.pings = 0
        self.keys: dict[str, str] | None = None
        self.version = ""
        self.parts: dict[str, bytes] = {}
        self._is_zstd = response.headers.get("content-encoding") == "zstd"
        self._unpack = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
        self._splitter = EventSplitter()
        self._waiting: list[bytes] = []

    @property
    def kinds(self) -> list[StreamEvent]:
        """The kinds of the events so far."""
        return [event.kind for event in self.events]

    @property
    def versions(self) -> list[str]:
        """The manifests so far."""
        return [event.id for event in self.events if event.kind is StreamEvent.MANIFEST]

    async def next(self, seconds: float = PATIENCE_SECONDS) -> Event:
        """The next event that is no ping.

        Raises:
            TimeoutError: There was none.
            StreamOver: There will be none.
        """
        async with asyncio.timeout(seconds):
            while True:
                event = await self._event()
                if event.kind is StreamEvent.PING:
                    self.pings += 1
                else:
                    self._take(event)
                    return event

    async def until(self, *kinds: StreamEvent, seconds: float = PATIENCE_SECONDS) -> None:
        """As many events of each kind as are named have come, counted from now."""
        left = Counter(kinds)
        async with asyncio.timeout(seconds):
            while left.total() > 0:
                left[(await self.next(seconds)).kind] -= 1
                left = +left

    async def manifest(self, version: str, seconds: float = PATIENCE_SECONDS) -> None:
        """The manifest of this version has come."""
        async with asyncio.timeout(seconds):
            while self.version != version:
                await self.next(seconds)

    async def silence(self, seconds: float = 0.2) -> None:
        """Nothing but pings has come for this long."""
        try:
            event = await self.next(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected silence, got {event.kind} {event.id}")

    async def ping(self, seconds: float = PATIENCE_SECONDS) -> None:
        """One more ping has come, and nothing else before it."""
        async with asyncio.timeout(seconds):
            event = await self._event()
        assert event.kind is StreamEvent.PING, f"expected a ping, got {event.kind}"
        self.pings += 1

    async def end(self, seconds: float = PATIENCE_SECONDS) -> None:
        """The operator has ended the stream, as a body ends."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.next(seconds)
        except StreamOver:
            return

    async def _event(self) -> Event:
        while not self._waiting:
            chunk = await self.response.content.readany()
            if not chunk:
                raise StreamOver
            self._waiting = self._splitter.feed(self._unpack.decompress(chunk) if self._is_zstd else chunk)
        return Event(*read_event(self._waiting.pop(0)))

    def _take(self, event: Event) -> None:
        self.events.append(event)
        match event.kind:
            case StreamEvent.KEYS:
                self.keys = decode_keys(event.data).keys
            case StreamEvent.MANIFEST:
                self.version = event.id
            case StreamEvent.PACK | StreamEvent.TARGET:
                self.parts[event.id] = event.data


class StreamClient:
    """One sidecar process: its connections, its token, its instance."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, token: str, instance: str) -> None:
        self._session = session
        self._url = url
        self.token = token
        self.instance = instance

    @asynccontextmanager
    async def stream(
        self, *, parts: Iterable[str] = (), is_zstd: bool = True, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Stream]:
        """An open stream, closed at the end of the block.

        Raises:
            StreamRefused: There is none.
        """
        sent = {
            INSTANCE_HEADER: self.instance,
            PARTS_HEADER: parts_header(parts),
            "accept-encoding": "zstd" if is_zstd else "identity",
            **self._authorization,
            **(headers or {}),
        }
        async with self._session.get(self._url + STREAM_PATH, headers=sent) as response:
            if response.status != 200:
                raise StreamRefused(await _answer_of(response))
            yield Stream(response)

    async def ack(self, ack: Ack | bytes | AsyncIterator[bytes], *, headers: dict[str, str] | None = None) -> Answer:
        """What is answered to an ack, or to these bytes as one."""
        body = io.BytesIO(encode_ack(ack) if isinstance(ack, Ack) else ack) if isinstance(ack, Ack | bytes) else ack
        return await self.request(
            "POST", ACK_PATH, data=body, headers={INSTANCE_HEADER: self.instance} | (headers or {})
        )

    async def request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> Answer:
        """What is answered to any request with the token."""
        sent = self._authorization | (headers or {})
        async with self._session.request(method, self._url + path, headers=sent, data=data) as response:
            return await _answer_of(response)

    @property
    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


@asynccontextmanager
async def stream_client(
    port: int, trust: ssl.SSLContext, *, token: str, instance: str = "process-1"
) -> AsyncIterator[StreamClient]:
    """A client of the operator at this port of ``localhost``; its connections are closed at the end."""
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=1 << 20
    ) as session:
        yield StreamClient(session, f"https://localhost:{port}", token=token, instance=instance)


async def _answer_of(response: aiohttp.ClientResponse) -> Answer:
    data = await response.read()
    is_json = response.headers.get("content-type") == "application/json"
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, await response.json() if is_json and data else None)
