"""What operator and sidecar say to each other: the second contract between the planes, beside the bundle.

A sidecar opens ``GET STREAM_PATH`` and gets server-sent events; it answers each manifest with ``POST ACK_PATH``. Both
carry the pod's token, which alone says who is asking. This module knows the messages and their bytes; it refuses to
know sockets, TLS and tokens.

| event | data | id |
|---|---|---|
| ``keys`` | ``Keys``: all keys that the pod may have, at the start and whenever one changes | |
| ``manifest`` | ``Manifest``, canonical bytes: their digest is the bundle's version | that version |
| ``pack``, ``target`` | a part that the sidecar lacks, canonical bytes | the part's digest |
| ``ping`` | empty, every ``PING_SECONDS`` | |

A manifest is complete once every part that it names has come, in this stream or before it. The operator sends keys,
then the manifest, then the parts. For a sidecar that accepts ``zstd``, each event is a frame of its own, so that what
many sidecars get is compressed once.
"""

from enum import StrEnum
from typing import Final

import msgspec

from grokwarden.exchange.sse import event_data

STREAM_PATH: Final = "/v1/config/stream"
ACK_PATH: Final = "/v1/config/ack"
AUDIENCE: Final = "grokwarden"
"""Of the projected service-account token."""
PING_SECONDS: Final = 15.0
RECONNECT_JITTER_SECONDS: Final = 5.0
PARTS_HEADER: Final = "x-grokwarden-parts"
"""Of the stream's request: digests of the parts that the sidecar has, separated by commas; at most ``MAX_PARTS``."""
MAX_PARTS: Final = 500
INSTANCE_HEADER: Final = "x-grokwarden-instance"
"""Of the stream's request: a random word, another one for each process. What the one before acked counts no more."""
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
MAX_ACK_BYTES: Final = 1024 * 1024
MAX_REASON_CHARACTERS: Final = 128
MAX_MESSAGE_CHARACTERS: Final = 1024


class StreamEvent(StrEnum):
    """The type of an event."""

    MANIFEST = "manifest"
    PACK = "pack"
    TARGET = "target"
    KEYS = "keys"
    PING = "ping"


class AckedPack(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pack of a manifest.

    Attributes:
        name: ``namespace/name``.
        generation: The one that the manifest names.
        applied: This very generation is in force. False: it is refused, and the generation before it, if any, stays.
        reason: Why it is refused, one PascalCase word for programs; empty if it is not.
        message: Why, for people.
    """

    name: str
    uid: str
    generation: int
    applied: bool
    reason: str = ""
    message: str = ""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """A sidecar's answer to one manifest, named by its version; ``packs`` holds every pack of it."""

    manifest: str
    packs: tuple[AckedPack, ...]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Keys by their reference, ``namespace/secret/entry`` as in ``KeySource.secret``. All of them, each time."""

    keys: dict[str, str]

    def __repr__(self) -> str:
        return f"Keys({len(self.keys)})"


class UnknownEventError(ValueError):
    """An event of a type that this program doesn't know; to be skipped."""


def encode_event(kind: StreamEvent, data: bytes, *, event_id: str = "") -> bytes:
    """The event's bytes. ``data`` is one line: canonical JSON has no line breaks."""
    identity = b"id: %s\n" % event_id.encode() if event_id else b""
    return b"event: %s\n%sdata: %s\n\n" % (kind.value.encode(), identity, data)


def read_event(event: bytes) -> tuple[StreamEvent, str, bytes]:
    """Type, id and data of one event, as ``EventSplitter`` gives it.

    Raises:
        UnknownEventError: It has no type, or one that is none of ours.
    """
    fields = dict(line.split(b": ", 1) for line in event.splitlines() if line.startswith((b"event: ", b"id: ")))
    try:
        kind = StreamEvent(fields.get(b"event", b"").decode(errors="replace"))
    except ValueError as error:
        raise UnknownEventError(str(error)) from error
    return kind, fields.get(b"id", b"").decode(errors="replace"), event_data(event) or b""
