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

A newer peer may send an event of another type, which is skipped, and a further field in an ``Ack`` or in ``Keys``,
which is not read. Manifests and parts are stricter: see ``bundle``.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import replace

from grokwarden.bundle import UNREADABLE

STREAM_PATH: Final = "/v1/config/stream"
ACK_PATH: Final = "/v1/config/ack"
AUDIENCE: Final = "grokwarden"
"""Of the projected service-account token."""
PING_SECONDS: Final = 15.0
RECONNECT_JITTER_SECONDS: Final = 5.0
PARTS_HEADER: Final = "x-grokwarden-parts"
"""Of the stream's request: digests of the parts that the sidecar has, as ``parts_header`` gives them."""
MAX_PARTS: Final = 500
"""In that header: 36 KB. What is left out only travels again."""
INSTANCE_HEADER: Final = "x-grokwarden-instance"
"""Of a stream and of acks: a random word, another for each process. What the one before acked counts no more."""
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Of a whole event; ``EventSplitter`` gives up on a longer one."""
MAX_ACK_BYTES: Final = 1024 * 1024
MAX_REASON_CHARACTERS: Final = 128
MAX_MESSAGE_CHARACTERS: Final = 1024

_REASON: Final = r"^([A-Z][A-Za-z0-9]*)?\Z"
_UNSAID: Final = "Refused"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SHOWN_CHARACTERS: Final = 40


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
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARACTERS, pattern=_REASON)] = ""
    message: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_CHARACTERS)] = ""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """A sidecar's answer to one manifest, named by its version; ``packs`` holds every pack of it."""

    manifest: str
    packs: tuple[AckedPack, ...]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Keys by their reference, exactly as in ``KeySource.secret``. All of them, each time."""

    keys: dict[str, str]

    def __repr__(self) -> str:
        return f"Keys({len(self.keys)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Their number, also in a traceback in colours."""
        return [("number", len(self.keys))]


class UnknownEventError(ValueError):
    """An event of a type that this program doesn't know; to be skipped."""


class MalformedMessageError(ValueError):
    """A message that is none, or that exceeds what is agreed; the text holds no value of it."""


def encode_event(kind: StreamEvent, data: bytes, *, event_id: str = "") -> bytes:
    """The event's bytes. ``data`` is one line: canonical JSON has no line breaks.

    Raises:
        ValueError: Data or id are more than one line, or no peer would take an event of this length.
    """
    identity = event_id.encode()
    if any(end in text for end in (b"\n", b"\r") for text in (data, identity)):
        raise ValueError(f"a {kind} event must have one line of data and one of id")
    head = b"event: %s\n" % kind.value.encode() + (b"id: %s\n" % identity if identity else b"")
    event = b"%sdata: %s\n\n" % (head, data)
    if len(event) > MAX_EVENT_BYTES:
        raise ValueError(f"a {kind} event of {len(event)} bytes; at most {MAX_EVENT_BYTES} are read")
    return event


def read_event(event: bytes) -> tuple[StreamEvent, str, bytes]:
    """Type, id and data of one event, as ``EventSplitter`` gives it; read as the format's standard says.

    Raises:
        UnknownEventError: It has no type, as a comment has none, or one that is none of ours.
    """
    fields: dict[bytes, bytes] = {}
    data: list[bytes] = []
    for line in event.splitlines():
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        else:
            fields[name] = value
    word = fields.get(b"event", b"").decode(errors="replace")
    try:
        kind = StreamEvent(word)
    except ValueError as error:
        raise UnknownEventError(f"{word[:_SHOWN_CHARACTERS]!r} is no event of the configuration stream") from error
    return kind, fields.get(b"id", b"").decode(errors="replace"), b"\n".join(data)


def parts_header(digests: Iterable[str]) -> str:
    """The value of ``PARTS_HEADER`` for these parts, the first ``MAX_PARTS`` of them."""
    return ",".join(list(digests)[:MAX_PARTS])


def read_parts_header(value: str) -> frozenset[str]:
    """The digests in the header. What is none is left out: it names no part that could be spared."""
    listed = (word.strip() for word in value.split(",", MAX_PARTS)[:MAX_PARTS])
    return frozenset(word for word in listed if _DIGEST.fullmatch(word))


def encode_ack(ack: Ack) -> bytes:
    """The ack as ``decode_ack`` takes it: reasons and messages cut to what is agreed, a huge one without messages."""
    cut = replace(ack, packs=tuple(_agreed(pack) for pack in ack.packs))
    data = msgspec.json.encode(cut)
    if len(data) <= MAX_ACK_BYTES:
        return data
    return msgspec.json.encode(replace(cut, packs=tuple(replace(pack, message="") for pack in cut.packs)))


def decode_ack(data: bytes) -> Ack:
    """The ack in ``data``. That its packs are those of the manifest is not looked at.

    Raises:
        MalformedMessageError: It is none, is too long, or refuses a pack without a reason.
    """
    if len(data) > MAX_ACK_BYTES:
        raise MalformedMessageError(f"an ack of {len(data)} bytes; expected at most {MAX_ACK_BYTES}")
    try:
        ack = msgspec.json.decode(data, type=Ack)
    except UNREADABLE as error:
        raise MalformedMessageError(f"not an ack: {error}") from error
    if any(bool(pack.reason) is pack.applied for pack in ack.packs):
        raise MalformedMessageError("not an ack: a pack has a reason if, and only if, it is refused")
    return ack


def encode_keys(keys: Keys) -> bytes:
    """The data of a ``keys`` event; equal keys are equal bytes."""
    return msgspec.json.encode(keys, order="sorted")


def decode_keys(data: bytes) -> Keys:
    """The keys in the data of a ``keys`` event.

    Raises:
        MalformedMessageError: There are none.
    """
    try:
        return msgspec.json.decode(data, type=Keys)
    except UNREADABLE as error:
        raise MalformedMessageError(f"not a keys event: {error}") from None


def _agreed(pack: AckedPack) -> AckedPack:
    if pack.applied:
        return replace(pack, reason="", message=pack.message[:MAX_MESSAGE_CHARACTERS])
    reason = pack.reason if re.fullmatch(_REASON, pack.reason) else ""
    return replace(
        pack, reason=reason[:MAX_REASON_CHARACTERS] or _UNSAID, message=pack.message[:MAX_MESSAGE_CHARACTERS]
    )
