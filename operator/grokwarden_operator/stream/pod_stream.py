"""One open stream: a slot that holds what its pod is to have now, and a bell.

There is no queue. Whoever writes takes the newest when the socket has room again, and what was superseded in between
was never anything but a reference. A sidecar is taken to have the parts of the manifest that it was sent last, and
before the first those that it said it had; all others are sent again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

from grokwarden.bundle import Bundle, PackPart, TargetPart
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.stream.frames import Encoding, Frames


class StreamEnd(StrEnum):
    """Why a stream is over."""

    HUNG_UP = "HungUp"  # the client did
    STUCK = "Stuck"  # the client took nothing for too long
    REPLACED = "Replaced"  # by a newer one of the same pod
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 - a reason's name
    POD_GONE = "PodGone"
    UNCLAIMED = "Unclaimed"  # no publication had its pod, for too long
    SHUT_DOWN = "ShutDown"


class PodStream:
    """What is still to be sent on one stream.

    Attributes:
        ended: Why nothing more is to be sent.
    """

    __slots__ = (
        "_bell",
        "_frames",
        "_held",
        "_keys_sent",
        "_on_manifest",
        "_scope",
        "_version_sent",
        "_wanted",
        "encoding",
        "ended",
        "instance",
        "pod_uid",
    )

    def __init__(
        self,
        pod_uid: str,
        *,
        instance: str,
        held: frozenset[str],
        encoding: Encoding,
        frames: Frames,
        on_manifest: Callable[[Bundle], None],
    ) -> None:
        """Nothing is to be sent before something is offered.

        Args:
            pod_uid: Whose stream it is.
            instance: The sidecar's process.
            held: Digests of the parts that the sidecar has.
            encoding: Of its bytes.
            frames: Where the bytes come from.
            on_manifest: Is told each bundle just before its manifest is written.
        """
        self.pod_uid = pod_uid
        self.instance = instance
        self.ended: StreamEnd | None = None
        self._held = held
        self.encoding = encoding
        self._frames = frames
        self._on_manifest = on_manifest
        self._wanted: PodConfig | None = None
        self._version_sent = ""
        self._keys_sent: Mapping[str, str] | None = None
        self._bell = asyncio.Event()
        self._scope: asyncio.Timeout | None = None

    @property
    def is_waiting(self) -> bool:
        """Nobody has said yet what its pod is to have."""
        return self._wanted is None

    def offer(self, config: PodConfig) -> bool:
        """What the pod is to have now; the result says whether some of it is to be sent, and the bell to be rung."""
        self._wanted = config
        return self._has_unsent(config)

    def ring(self) -> None:
        """Whoever waits for something to send looks again."""
        self._bell.set()

    def end(self, why: StreamEnd) -> None:
        """Nothing more is sent, though a piece be half way; the first reason stays."""
        if self.ended is None:
            self.ended = why
            if self._scope is not None and not self._scope.expired():
                self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def lifetime(self, deadline: float) -> AsyncIterator[None]:
        """The block in which the stream is served, until ``end``, or until the deadline in the loop's time.

        Raises:
            TimeoutError: It is over.
        """
        try:
            async with asyncio.timeout_at(0.0 if self.ended else deadline) as self._scope:
                yield
        finally:
            self._scope = None

    async def next(self, idle_seconds: float) -> list[bytes]:
        """What is to be sent next, in this order, as of now; a ping after this long without anything."""
        try:
            async with asyncio.timeout(idle_seconds):
                while not (frames := self._unsent()):
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            return [self._frames.ping(self.encoding)]
        return frames

    def _has_unsent(self, config: PodConfig) -> bool:
        return config.bundle.version != self._version_sent or self._due_keys(config) != self._keys_sent

    def _due_keys(self, config: PodConfig) -> Mapping[str, str] | None:
        """All keys that the sidecar is to have; ``None`` to leave it those that it has.

        A Secret that can't be read just now takes no key away: what this stream has sent stays, and a stream that has
        sent none yet says nothing before it knows.
        """
        if not config.unread:
            return config.keys
        if self._keys_sent is None:
            return None
        return {**{name: self._keys_sent[name] for name in config.unread & self._keys_sent.keys()}, **config.keys}

    def _unsent(self) -> list[bytes]:
        """The events that are due, which are taken to be sent from now on."""
        config = self._wanted
        if config is None or not self._has_unsent(config):
            return []
        events = []
        keys = self._due_keys(config)
        if keys is not None and keys != self._keys_sent:
            self._keys_sent = keys
            events.append(self._frames.keys(keys, self.encoding))
        if config.bundle.version != self._version_sent:
            self._version_sent = config.bundle.version
            self._on_manifest(config.bundle)
            events += self._manifest_and_parts(config.bundle)
        return events

    def _manifest_and_parts(self, bundle: Bundle) -> list[bytes]:
        parts: dict[str, PackPart | TargetPart] = {}
        parts.update(zip((ref.digest for ref in bundle.manifest.packs), bundle.packs, strict=True))
        parts.update(zip((ref.digest for ref in bundle.manifest.targets), bundle.targets, strict=True))
        held, self._held = self._held, frozenset(parts)
        lacking = [
            self._frames.part(digest, part, self.encoding) for digest, part in parts.items() if digest not in held
        ]
        return [self._frames.manifest(bundle, self.encoding), *lacking]
