"""The parts that came, as bytes by digest: an operator need not send again what it has sent."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from grokwarden.config_stream import MAX_PARTS

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SPARE_BYTES: Final = 16 * 1024 * 1024  # of parts that nothing needs now: an edit that is taken back names them again


class PartShelf:
    """Parts, the newest last. What is needed is never dropped; of the rest, the oldest goes first."""

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}

    def put(self, digest: str, data: bytes) -> None:
        """A part came under this digest; whether it is the right one is seen when it is used."""
        if _DIGEST.fullmatch(digest):
            self._parts.pop(digest, None)
            self._parts[digest] = data

    def drop(self, digests: Iterable[str]) -> None:
        """These can't be used; they have to come again."""
        for digest in digests:
            self._parts.pop(digest, None)

    def trim(self, needed: Collection[str]) -> None:
        """What is not needed fits in its bounds."""
        spare = [digest for digest in self._parts if digest not in needed]
        size = sum(len(self._parts[digest]) for digest in spare)
        for number, digest in enumerate(spare):
            if len(spare) - number <= MAX_PARTS and size <= _SPARE_BYTES:
                break
            size -= len(self._parts.pop(digest))

    def has_all(self, digests: Iterable[str]) -> bool:
        return all(digest in self._parts for digest in digests)

    def some(self, digests: Collection[str]) -> Mapping[str, bytes]:
        """Those of these parts that are here."""
        return {digest: self._parts[digest] for digest in digests if digest in self._parts}

    def digests(self, first: Collection[str]) -> list[str]:
        """All that is here, what is needed first, then the newest."""
        rest = [digest for digest in reversed(self._parts) if digest not in first]
        return [digest for digest in first if digest in self._parts] + rest
