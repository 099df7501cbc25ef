"""The bytes of a configuration stream cut into events, each within bounds, whatever its sender does.

A compressed stream is one zstd frame for each event. A small piece is fed at a time, so that what comes out is looked
at before more can: thirty bytes may become a megabyte.
"""

from collections.abc import Iterator
from typing import Final

import zstandard

from grokwarden.config_stream import MAX_EVENT_BYTES
from grokwarden.exchange.sse import EventSplitter, EventTooLongError

_PIECE_BYTES: Final = 256  # may grow to 8 MB, by 128 KB for each of 64 blocks of 4 bytes
_MAX_WINDOW_BYTES: Final = MAX_EVENT_BYTES
_GATHERED_BYTES: Final = 1024 * 1024  # the splitter copies what it has with each piece that it gets


class StreamBrokenError(ValueError):
    """What comes can't be a configuration stream; nothing after it can be trusted."""


class FrameReader:
    """Events out of chunks. A comment, or anything else that is a block of lines, counts as an event here."""

    def __init__(self, *, is_compressed: bool) -> None:
        self._splitter = EventSplitter()
        self._inflater = _Inflater() if is_compressed else None

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are complete now.

        Raises:
            StreamBrokenError: An event, or a frame, exceeds ``MAX_EVENT_BYTES``, or the bytes are no zstd.
        """
        pieces = (chunk,) if self._inflater is None else self._inflater.feed(chunk)
        try:
            return [event for piece in pieces for event in self._splitter.feed(piece)]
        except EventTooLongError:
            raise StreamBrokenError(f"an event of more than {MAX_EVENT_BYTES} bytes") from None


class _Inflater:
    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._begin()

    def _begin(self) -> None:
        self._frame = self._decompressor.decompressobj()
        self._frame_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk becomes, in larger pieces."""
        gathered = bytearray()
        for start in range(0, len(chunk), _PIECE_BYTES):
            piece = chunk[start : start + _PIECE_BYTES]
            while piece:
                gathered += self._inflate(piece)
                piece = self._frame.unused_data if self._frame.eof else b""
                if self._frame.eof:
                    self._begin()
            if len(gathered) >= _GATHERED_BYTES:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)

    def _inflate(self, piece: bytes) -> bytes:
        try:
            inflated = self._frame.decompress(piece)
        except zstandard.ZstdError as error:
            raise StreamBrokenError(f"no zstd frame ({error})") from None
        self._frame_bytes += len(inflated)
        if self._frame_bytes > MAX_EVENT_BYTES:
            raise StreamBrokenError(f"a frame that grows beyond {MAX_EVENT_BYTES} bytes")
        return inflated
