"""The bytes of events: shared, compressed one by one, and readable however they are cut."""

import itertools

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from config_plane import config, refs_of
from grokwarden.exchange.sse import EventSplitter
from grokwarden_operator.stream.frames import Encoding, Frames

CONFIGS = [config(text, keys={"shop/secret/key": text * 40}) for text in ("one", "two", "three")]


def events_of(encoding: Encoding) -> list[bytes]:
    """Some streams' worth of events."""
    frames = Frames()
    events = []
    for wanted in CONFIGS:
        parts = zip(refs_of(wanted), (*wanted.bundle.packs, *wanted.bundle.targets), strict=True)
        events += [frames.keys(wanted.keys, encoding), frames.manifest(wanted.bundle, encoding)]
        events += [frames.part(ref.digest, part, encoding) for ref, part in parts]
        events.append(frames.ping(encoding))
    return events


PLAIN, PACKED = events_of(Encoding.PLAIN), events_of(Encoding.ZSTD)
LENGTH = len(b"".join(PACKED))


@given(st.sets(st.integers(0, LENGTH)))
def test_packed_events_are_the_plain_ones_under_any_chunking(cuts):
    """Networks cut where they like; a frame is no unit of anything but compression."""
    data = b"".join(PACKED)
    unpack, splitter = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True), EventSplitter()
    read = []
    for start, end in itertools.pairwise([0, *sorted(cuts), LENGTH]):
        read += splitter.feed(unpack.decompress(data[start:end])) if end > start else []

    assert read == PLAIN


def test_each_event_is_a_frame_of_its_own():
    """Only so can one be put into any stream, and only so do keys share no window with anything."""
    assert [zstandard.ZstdDecompressor().decompress(frame) for frame in PACKED] == PLAIN


def test_keys_are_not_kept():
    """They are made for one stream, and forgotten."""
    frames = Frames()

    frames.keys({"shop/secret/key": "k"}, Encoding.ZSTD)

    assert len(frames) == 0
