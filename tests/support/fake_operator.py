r"""An operator that speaks the config stream in real TLS bytes: what a test offers, and any fault that it wants.

It keeps to the contract as far as it is not told otherwise: keys, then the manifest, then the parts that the sidecar
lacks, each event a zstd frame of its own; acks are read and kept.

    async with FakeOperator(tmp_path) as operator:
        await operator.offer(bundle, {"shop/xai-key/KEY": "xai-1"})
        ack = await operator.ack_of(bundle)
"""

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import zstandard

from eventually import eventually
from grokwarden.bundle import Bundle, PackPart, TargetPart, canonical_bytes, encode_part
from grokwarden.config_stream import (
    ACK_PATH,
    STREAM_PATH,
    Ack,
    Keys,
    StreamEvent,
    decode_ack,
    encode_event,
    encode_keys,
    read_parts_header,
)
from pod_trust import Authority, token_of

_HEAD_END: Final = b"\r\n\r\n"
_PULSE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers["authorization"].removeprefix("Bearer ")


@dataclass(slots=True, kw_only=True)
class Refusal:
    """What a request is answered with instead of what it wants."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"reason":"scripted","message":"a test says so"}'


@dataclass(slots=True, kw_only=True)
class Offer:
    """What every stream is to have."""

    bundle: Bundle
    keys: Mapping[str, str]
    manifest: bytes
    parts: Mapping[str, tuple[StreamEvent, bytes]]


class OpenStream:
    """One stream that is open."""

    def __init__(self, writer: asyncio.StreamWriter, request: Received, *, is_compressed: bool) -> None:
        self.request = request
        self.writer = writer
        self.held = read_parts_header(request.headers.get("x-grokwarden-parts", ""))
        self.sent_parts: list[str] = []
        self.pulses = 0
        self._is_compressed = is_compressed
        self._keys: Mapping[str, str] | None = None
        self._version = ""

    async def send_event(self, kind: StreamEvent, data: bytes, *, event_id: str = "") -> None:
        """One event in a frame of its own."""
        event = encode_event(kind, data, event_id=event_id)
        await self.send(zstandard.compress(event) if self._is_compressed else event)

    async def send(self, data: bytes) -> None:
        """These bytes of the body, whatever they are."""
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        with contextlib.suppress(OSError):
            await self.writer.drain()

    async def bring(self, offer: Offer) -> None:
        """The sidecar has what is offered now."""
        if offer.keys != self._keys:
            self._keys = offer.keys
            await self.send_event(StreamEvent.KEYS, encode_keys(Keys(keys=dict(offer.keys))))
        if offer.bundle.version == self._version:
            return
        self._version = offer.bundle.version
        await self.send_event(StreamEvent.MANIFEST, offer.manifest, event_id=offer.bundle.version)
        for digest, (kind, data) in offer.parts.items():
            if digest not in self.held:
                self.sent_parts.append(digest)
                await self.send_event(kind, data, event_id=digest)
        self.held = frozenset(offer.parts)

    def hang_up(self) -> None:
        """The connection ends here, in the middle of the body."""
        self.writer.transport.abort()


class FakeOperator:
    """See the module.

    Attributes:
        requests: All that came, acks included.
        acks: Those that were taken.
        streams: Those that are open.
        stream_refusals: What the next requests for a stream are answered with.
        ack_refusals: The same for acks.
        is_mute: A stream's head is sent, and nothing after it.
        pulse: Bytes of the body that each stream gets ten times a second.
    """

    def __init__(self, directory: Path, *, authority: Authority | None = None, compresses: bool = True) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.authority = authority or Authority()
        self.compresses = compresses
        self.ca_file = directory / "ca.crt"
        self.ca_file.write_text(self.authority.pem)
        self.token_file = directory / "token"
        self.token_file.write_text(token_of())
        self.requests: list[Received] = []
        self.acks: list[Ack] = []
        self.streams: list[OpenStream] = []
        self.stream_refusals: deque[Refusal] = deque()
        self.ack_refusals: deque[Refusal] = deque()
        self.is_mute = False
        self.pulse = b""
        self.connections = 0
        self._offer: Offer | None = None
        self._context = self.authority.server_context()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def reserve(self) -> None:
        """``url`` is right from now on, though nothing listens there yet."""
        import socket  # noqa: PLC0415 - here alone

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """It listens, on the port that it had before if it had one."""
        self._context = context or self._context
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """It is away: nothing listens, and every connection is broken."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    async def offer(
        self,
        bundle: Bundle,
        keys: Mapping[str, str] | None = None,
        *,
        parts: Mapping[str, bytes] | None = None,
    ) -> None:
        """Every stream gets this, those that are open and those to come.

        Args:
            bundle: With its parts.
            keys: Without it, those before.
            parts: Other bytes than the right ones, by digest.
        """
        before = self._offer.keys if self._offer else {}
        refs = (*bundle.manifest.packs, *bundle.manifest.targets)
        given: dict[str, tuple[StreamEvent, bytes]] = {}
        both: tuple[PackPart | TargetPart, ...] = (*bundle.packs, *bundle.targets)
        for ref, part in zip(refs, both, strict=True):
            kind = StreamEvent.PACK if isinstance(part, PackPart) else StreamEvent.TARGET
            given[ref.digest] = kind, (parts or {}).get(ref.digest, encode_part(part))
        self._offer = Offer(
            bundle=bundle,
            keys=before if keys is None else keys,
            manifest=canonical_bytes(bundle.manifest),
            parts=given,
        )
        for stream in tuple(self.streams):
            await stream.bring(self._offer)

    async def offer_raw(self, manifest: bytes, version: str, parts: Iterable[tuple[StreamEvent, str, bytes]]) -> None:
        """Open streams get these bytes for a manifest and its parts."""
        for stream in tuple(self.streams):
            await stream.send_event(StreamEvent.MANIFEST, manifest, event_id=version)
            for kind, digest, data in parts:
                await stream.send_event(kind, data, event_id=digest)

    async def stream(self, *, timeout_seconds: float = 10) -> OpenStream:
        """The stream that is open, as soon as there is one."""
        await eventually(lambda: self.streams, timeout_seconds=timeout_seconds, state=lambda: self.requests)
        return self.streams[-1]

    async def ack_of(self, version: str, *, after: int = 0, timeout_seconds: float = 15) -> dict[str, Any]:
        """The ack of this manifest, as its JSON, as soon as it is there; the first ``after`` acks don't count."""

        def found() -> Ack | None:
            return next((ack for ack in self.acks[after:] if ack.manifest == version), None)

        ack = await eventually(found, timeout_seconds=timeout_seconds, state=lambda: self.acks)
        packs = [{name: getattr(pack, name) for name in pack.__struct_fields__} for pack in ack.packs]
        return {"manifest": ack.manifest, "packs": packs}

    def requests_for(self, path: str) -> list[Received]:
        """In order."""
        return [request for request in self.requests if request.path == path]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (request := await _receive(reader)) is not None:
                self.requests.append(request)
                if request.path == STREAM_PATH:
                    await self._serve_stream(reader, writer, request)
                elif request.path == ACK_PATH:
                    self._take_ack(writer, request)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Received
    ) -> None:
        if self.stream_refusals:
            _answer(writer, self.stream_refusals.popleft())
            return
        encoding = "content-encoding: zstd\r\n" if self.compresses else ""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{encoding}transfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        stream = OpenStream(writer, request, is_compressed=self.compresses)
        self.streams.append(stream)
        pulsing = asyncio.create_task(self._beat(stream))
        try:
            if self._offer is not None and not self.is_mute:
                await stream.bring(self._offer)
            await reader.read(1)  # the client hangs up
        finally:
            pulsing.cancel()
            self.streams.remove(stream)

    async def _beat(self, stream: OpenStream) -> None:
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            if self.pulse:
                await stream.send(self.pulse)
                stream.pulses += 1

    def _take_ack(self, writer: asyncio.StreamWriter, request: Received) -> None:
        if request.method != "POST":
            _answer(writer, Refusal(status=405, body=b""))
        elif self.ack_refusals:
            _answer(writer, self.ack_refusals.popleft())
        else:
            self.acks.append(decode_ack(request.body))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _answer(writer: asyncio.StreamWriter, refusal: Refusal) -> None:
    lines = [f"{name}: {value}" for name, value in refusal.headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {refusal.status} Scripted", f"content-length: {len(refusal.body)}", *lines])
    writer.write(head.encode() + _HEAD_END + refusal.body)


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(_HEAD_END)).decode("latin-1")
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ssl.SSLError, ConnectionError):
        return None
    method, path, _ = line.split(" ")
    return Received(method, path, headers, body)


def json_of(data: bytes) -> Any:
    """For looking at what was sent."""
    return json.loads(data)
