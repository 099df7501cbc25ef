"""The bytes of the config stream's events: what many sidecars get is encoded and compressed once, and shared.

With zstd each event is a frame of its own, so that one compressed event can be put into any stream, and so that keys
never share a compression window with anything else.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import zstandard

from grokwarden.bundle import Bundle, PackPart, TargetPart, canonical_bytes, encode_part
from grokwarden.config_stream import Keys, StreamEvent, encode_event, encode_keys

_LEVEL: Final = 3


class Encoding(StrEnum):
    """A stream's content encoding."""

    PLAIN = "identity"
    ZSTD = "zstd"


class Frames:
    """Manifests and parts as bytes, each made once and kept while a bundle that is in force names it."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._made: dict[tuple[str, Encoding], bytes] = {}

    def __len__(self) -> int:
        return len(self._made)

    def manifest(self, bundle: Bundle, encoding: Encoding) -> bytes:
        """The event that says what a sidecar is to run."""
        if (made := self._made.get((bundle.version, encoding))) is not None:
            return made
        event = encode_event(StreamEvent.MANIFEST, canonical_bytes(bundle.manifest), event_id=bundle.version)
        return self._keep(bundle.version, encoding, event)

    def part(self, digest: str, part: PackPart | TargetPart, encoding: Encoding) -> bytes:
        """The event that brings one part."""
        if (made := self._made.get((digest, encoding))) is not None:
            return made
        kind = StreamEvent.PACK if isinstance(part, PackPart) else StreamEvent.TARGET
        return self._keep(digest, encoding, encode_event(kind, encode_part(part), event_id=digest))

    def keys(self, keys: Mapping[str, str], encoding: Encoding) -> bytes:
        """The event that brings all keys of one pod; not kept here."""
        return self._encoded(encode_event(StreamEvent.KEYS, encode_keys(Keys(keys=dict(keys)))), encoding)

    def ping(self, encoding: Encoding) -> bytes:
        """The event that says that there is nothing to say."""
        return self._made.get(("", encoding)) or self._keep("", encoding, encode_event(StreamEvent.PING, b""))

    def retain(self, bundles: Iterable[Bundle]) -> None:
        """Only what these bundles name is kept from now on."""
        named = {""}
        for bundle in bundles:
            named.add(bundle.version)
            named.update(ref.digest for ref in (*bundle.manifest.packs, *bundle.manifest.targets))
        self._made = {key: made for key, made in self._made.items() if key[0] in named}

    def _keep(self, name: str, encoding: Encoding, event: bytes) -> bytes:
        self._made[name, encoding] = made = self._encoded(event, encoding)
        return made

    def _encoded(self, event: bytes, encoding: Encoding) -> bytes:
        return self._compressor.compress(event) if encoding is Encoding.ZSTD else event
