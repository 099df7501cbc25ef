"""Bundles from the operator's stream, kept for a restart while the operator is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, assert_never

import structlog

from grokwarden.bundle import Bundle, Manifest, PackPart, TargetPart, canonical_bytes, encode_part
from grokwarden.config_stream import RECONNECT_JITTER_SECONDS, MalformedMessageError, StreamEvent, decode_keys
from grokwarden.edge.logs import place_of
from grokwarden_sidecar.configuration.bundle_source import Outcome, Rejection, Update
from grokwarden_sidecar.stream.acks import AckSender, ack_of
from grokwarden_sidecar.stream.client import ConfigStream, StreamClient
from grokwarden_sidecar.stream.errors import StreamError
from grokwarden_sidecar.stream.last_good import LastGood
from grokwarden_sidecar.stream.lent_keys import LentKeys
from grokwarden_sidecar.stream.manifest import WantedManifest, read_manifest
from grokwarden_sidecar.stream.part_shelf import PartShelf
from grokwarden_sidecar.stream.status import StreamStatus

log = structlog.stdlib.get_logger(__name__)

MAX_RETRY_AFTER_SECONDS: Final = 60.0


class StreamSource:
    """See ``BundleSource``. ``run`` has to run beside it.

    Only the newest manifest counts: one that comes while another is being applied waits, and replaces what waits.
    """

    def __init__(
        self,
        client: StreamClient,
        *,
        keys: LentKeys,
        last_good: LastGood,
        status: StreamStatus,
        dice: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is opened before ``run``.

        Args:
            client: The wire.
            keys: Where the keys go.
            last_good: Where a restart finds what was in force.
            status: Is told how it stands.
            dice: At least 0, below 1; spreads the reconnects of many.
            pause: Waits for so many seconds.
        """
        self._client = client
        self._keys = keys
        self._last_good = last_good
        self._status = status
        self._dice = dice
        self._pause = pause
        self._acks = AckSender(dice=dice)
        self._shelf = PartShelf()
        self._wanted: WantedManifest | None = None  # the newest, until it is given
        self._given: WantedManifest | Rejection | None = None  # until it is settled
        self._in_force: tuple[str, ...] = ()
        self._stored = ""
        self._next: Update | Rejection | None = None
        self._has_next = asyncio.Event()
        self._is_overdue = False

    @property
    def description(self) -> str:
        return f"stream: {self._client.url}"

    async def restore(self) -> Update | None:
        """What was in force when the process before this one ended, and its keys; ``None`` if nothing can be used."""
        self._keys.replace(await asyncio.to_thread(self._last_good.read_keys))
        stored = await asyncio.to_thread(self._last_good.read_bundle)
        if stored is None:
            return None
        for digest, part in stored.parts.items():
            self._shelf.put(digest, part)
        self._stored = stored.bundle.version
        return Update.of(stored.bundle)

    async def updates(self) -> AsyncIterator[Update | Rejection]:
        """Each newest configuration, as soon as it is complete and the one before it is settled."""
        while True:
            await self._has_next.wait()
            self._has_next.clear()
            update, self._next = self._next, None
            if update is not None:
                self._given = update if isinstance(update, Rejection) else self._wanted
                self._wanted = None
                yield update

    async def settled(self, outcome: Outcome) -> None:
        """The operator gets its answer, and a restart will find what is in force now."""
        given, self._given = self._given, None
        self._shelf.drop(outcome.unreadable)
        if outcome.bundle is not None:
            self._in_force = tuple(_digests_of(outcome.bundle.manifest))
            await self._store(outcome.bundle, given)
        self._shelf.trim(self._needed)
        if given is None:  # restored: nobody asked for it
            return
        self._status.settled(is_current=outcome.is_complete and self._wanted is None)
        self._acks.send(ack_of(outcome))

    async def run(self) -> None:
        """Connects, and connects again, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._acks.run())
            while True:
                error = await self._stream()
                seconds = self._dice() * RECONNECT_JITTER_SECONDS
                seconds += min(error.retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
                self._status.lost(str(error), reconnect_seconds=seconds)
                await self._pause(seconds)

    async def _stream(self) -> StreamError:
        """One stream from its beginning to its end, which is told."""
        try:
            async with self._client.connect(self._shelf.digests(self._needed)) as stream:
                self._status.opened()
                self._acks.attach(stream)
                await self._read(stream)
        except StreamError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever comes on a stream must not end the calls
            log.error("stream_failed", error=type(error).__name__, at=place_of(error))
            return StreamError(f"reading the stream failed with {type(error).__name__}")
        finally:
            self._acks.detach()
            if self._next is None:
                self._wanted = None  # the rest of it won't come
        return StreamError("the stream ended")

    async def _read(self, stream: ConfigStream) -> None:
        async for kind, event_id, data in stream.events():
            self._status.heard()
            match kind:
                case StreamEvent.KEYS:
                    await self._take_keys(data)
                case StreamEvent.MANIFEST:
                    self._take_manifest(event_id, data)
                case StreamEvent.PACK | StreamEvent.TARGET:
                    self._take_part(event_id, data)
                case StreamEvent.PING:
                    self._check_completion()
                case _:
                    assert_never(kind)

    async def _take_keys(self, data: bytes) -> None:
        try:
            keys = decode_keys(data).keys
        except MalformedMessageError as error:
            raise StreamError(f"the stream is broken: {error}") from None
        if self._keys.replace(keys):
            await asyncio.to_thread(self._last_good.write_keys, keys)

    def _take_manifest(self, version: str, data: bytes) -> None:
        read = read_manifest(version, data)
        self._is_overdue = False
        if isinstance(read, Rejection):
            self._wanted = None
            self._give(read)
            return
        self._wanted, self._next = read, None
        self._give_if_complete()

    def _take_part(self, digest: str, data: bytes) -> None:
        self._shelf.put(digest, data)
        self._shelf.trim(self._needed)
        self._is_overdue = False
        self._give_if_complete()

    def _check_completion(self) -> None:
        """A manifest whose parts don't come is asked for anew: a new stream says which parts are here."""
        if self._wanted is not None and self._next is None:
            if self._is_overdue:
                raise StreamError("the operator sent a manifest and not all of its parts")
            self._is_overdue = True

    def _give_if_complete(self) -> None:
        wanted = self._wanted
        if wanted is not None and self._next is None and self._shelf.has_all(wanted.digests):
            parts = self._shelf.some(wanted.digests)
            self._give(Update(version=wanted.version, manifest=wanted.manifest, parts=parts))

    def _give(self, update: Update | Rejection) -> None:
        self._next = update
        self._has_next.set()

    @property
    def _needed(self) -> dict[str, None]:
        """The digests of all parts that are in force, or about to be."""
        needed = dict.fromkeys(self._in_force)
        for manifest in (self._given, self._wanted):
            if isinstance(manifest, WantedManifest):
                needed |= manifest.digests
        return needed

    async def _store(self, bundle: Bundle, given: WantedManifest | Rejection | None) -> None:
        if bundle.version == self._stored:
            return
        manifest = canonical_bytes(bundle.manifest)
        if isinstance(given, WantedManifest) and given.version == bundle.version:
            manifest = given.data  # of the schema before, ours would be other bytes
        came = self._shelf.some(self._in_force)
        refs = (*bundle.manifest.packs, *bundle.manifest.targets)
        parts: tuple[PackPart | TargetPart, ...] = (*bundle.packs, *bundle.targets)
        made = {ref.digest: encode_part(part) for ref, part in zip(refs, parts, strict=True) if ref.digest not in came}
        if await asyncio.to_thread(self._last_good.write_bundle, manifest, {**came, **made}):
            self._stored = bundle.version


def _digests_of(manifest: Manifest) -> dict[str, None]:
    return dict.fromkeys(ref.digest for ref in (*manifest.packs, *manifest.targets))
