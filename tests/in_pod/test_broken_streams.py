"""Bytes that no operator should send: the stream ends with a reason, in bounded memory, and what was in force stays."""

import os
import resource

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from eventually import eventually
from grokwarden.bundle import canonical_bytes, digest_of_bytes
from grokwarden.config_stream import MAX_EVENT_BYTES, StreamEvent, encode_event
from grokwarden_sidecar.stream.frames import FrameReader, StreamBrokenError
from pod_bundles import KEY_NAME, bundle, forbidding, grok_target
from pod_source import followed_source

WANTED = bundle(forbidding("verboten"), targets=(grok_target(),))
EDITED = bundle((forbidding("other"), 2), targets=(grok_target(),))
PING = encode_event(StreamEvent.PING, b"")


def bomb(size_bytes):
    """A frame of a few kilobytes that becomes so many bytes, and says nothing of them beforehand."""
    maker = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    zeros = b"0" * (1024 * 1024)
    pieces = [maker.compress(zeros) for _ in range(size_bytes // len(zeros))]
    return b"".join([*pieces, maker.flush()])


def wide_window():
    """A frame that asks its reader for more memory than an event may have."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    maker = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return maker.compress(os.urandom(1024)) + maker.flush()


DEEP = b'{"keys": {}, "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BROKEN = {
    "garbage": (b"\x00\x01\x02\x03 this is no frame", "no zstd frame"),
    "plain text where frames were agreed": (PING, "no zstd frame"),
    "a bomb": (bomb(256 * 1024 * 1024), "a frame that grows beyond"),
    "a frame with a huge window": (wide_window(), "no zstd frame"),
    "a manifest of another version": (
        zstandard.compress(encode_event(StreamEvent.MANIFEST, b"{}", event_id="sha256:" + "0" * 64)),
        "a manifest is not the one that its id names",
    ),
    "keys that are none": (
        zstandard.compress(encode_event(StreamEvent.KEYS, b'{"keys": {"shop/xai-key/KEY": 7}}')),
        "not a keys event",
    ),
    "keys nested deeper than anybody reads": (
        zstandard.compress(encode_event(StreamEvent.KEYS, DEEP)),
        "not a keys event",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_stream_ends_with_a_reason_and_nothing_else(operator, tmp_path, name):
    """The next one is asked for, in its time; what was in force goes on, and so do the keys."""
    data, reason = BROKEN[name]
    await operator.offer(WANTED, {KEY_NAME: "xai-key"})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state", dice=0.5) as pod:
            await operator.ack_of(WANTED.version)
            await (await operator.stream()).send(data)
            await eventually(lambda: len(operator.requests_for("/v1/config/stream")) == 2, timeout_seconds=10)

            assert pod.version == WANTED.version
            assert pod.keys.names == {KEY_NAME}
            assert pod.pauses == [2.5]
            await operator.offer(EDITED)
            await operator.ack_of(EDITED.version)

    [ended] = [log for log in logs if log["event"] == "stream_ended"]
    assert reason in ended["reason"]
    assert ended["log_level"] == "warning"


async def test_what_nobody_has_thought_of_ends_the_stream_alone(operator, tmp_path):
    """An error of ours on the stream must not be the end of the calls; the log has its type and place."""
    await operator.offer(WANTED, {KEY_NAME: "xai-key"})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state") as pod:
            await operator.ack_of(WANTED.version)
            event = encode_event(StreamEvent.MANIFEST, DEEP, event_id=digest_of_bytes(DEEP))
            await (await operator.stream()).send(zstandard.compress(event))
            await eventually(lambda: len(operator.requests_for("/v1/config/stream")) == 2)
            await operator.offer(EDITED)
            await operator.ack_of(EDITED.version)

            assert pod.version == EDITED.version

    [failed] = [log for log in logs if log["event"] == "stream_failed"]
    assert (failed["error"], failed["log_level"]) == ("RecursionError", "error")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_stream_that_ends_in_the_middle_of_an_event_gives_none_of_it(operator, tmp_path, share):
    """Half a manifest is no manifest."""
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.ack_of(WANTED.version)
        event = encode_event(StreamEvent.MANIFEST, canonical_bytes(EDITED.manifest), event_id=EDITED.version)
        frame = zstandard.compress(event)
        stream = await operator.stream()
        await stream.send(frame[: int(len(frame) * share)])
        stream.hang_up()
        await operator.ack_of(WANTED.version, after=1)

        assert pod.version == WANTED.version


async def test_what_is_not_known_is_skipped(operator, tmp_path):
    """A newer operator may say more than this sidecar understands."""
    async with followed_source(operator, tmp_path / "state"):
        stream = await operator.stream()
        for unknown in (b"event: novelty\ndata: {}\n\n", b": a comment\n\n", b"data: {}\n\n"):
            await stream.send(zstandard.compress(unknown))
        await operator.offer(WANTED, {})
        await operator.ack_of(WANTED.version)

    assert len(operator.requests_for("/v1/config/stream")) == 1


def test_an_event_without_an_end_is_given_up():
    """Uncompressed, it has to be sent byte by byte; even so it must not fill the memory."""
    reader = FrameReader(is_compressed=False)

    chunk = b"x" * (MAX_EVENT_BYTES // 2)
    assert reader.feed(b"data: ") == reader.feed(chunk) == []

    with pytest.raises(StreamBrokenError, match=f"an event of more than {MAX_EVENT_BYTES} bytes"):
        reader.feed(chunk)


def test_a_bomb_takes_no_more_memory_than_an_event():
    """It is looked at while it grows: a gigabyte that is only then refused has already been had."""
    data = bomb(1024 * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(StreamBrokenError, match="grows beyond"):
        FrameReader(is_compressed=True).feed(data)

    grown_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown_bytes < 5 * MAX_EVENT_BYTES
    assert len(data) < 128 * 1024


def test_an_event_of_the_greatest_length_is_read():
    """The bound is the contract's, not one byte less."""
    empty = len(encode_event(StreamEvent.PACK, b""))
    event = encode_event(StreamEvent.PACK, b"x" * (MAX_EVENT_BYTES - empty))

    assert FrameReader(is_compressed=True).feed(zstandard.compress(event)) == [event]


texts = st.binary(max_size=200).map(lambda data: data.replace(b"\n", b" ").replace(b"\r", b" "))


@given(st.lists(texts, min_size=1, max_size=8), st.lists(st.integers(1, 97), min_size=1), st.booleans())
def test_any_chunking_gives_the_same_events(contents, sizes, is_compressed):
    """Where the network cuts is nobody's choice."""
    events = [encode_event(StreamEvent.PACK, data, event_id=str(number)) for number, data in enumerate(contents)]
    wire = b"".join(zstandard.compress(event) if is_compressed else event for event in events)
    reader = FrameReader(is_compressed=is_compressed)
    came, start, turn = [], 0, 0
    while start < len(wire):
        size = sizes[turn % len(sizes)]
        came += reader.feed(wire[start : start + size])
        start, turn = start + size, turn + 1

    assert came == events
