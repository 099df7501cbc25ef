"""Slow readers, and the end of the server: nobody waits for who does not read."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bundles import pack_of, step_of
from config_plane import ConfigPlane, config, config_plane
from eventually import eventually
from grokwarden.bundle import Bundle
from grokwarden.config_stream import INSTANCE_HEADER, STREAM_PATH, StreamEvent, read_event
from grokwarden.exchange.sse import EventSplitter
from grokwarden.vocabulary import Tier
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.stream.pod_stream import StreamEnd
from listings import pod

BOT = pod("bot-0")
FIRST, SECOND = config("first"), config("second", generation=2)
KEYS, MANIFEST, PACK, TARGET = StreamEvent.KEYS, StreamEvent.MANIFEST, StreamEvent.PACK, StreamEvent.TARGET
HEAD = b"GET %s HTTP/1.1\r\nhost: x\r\n" % STREAM_PATH.encode()


def large(number: int) -> PodConfig:
    """A configuration of some 8 MB that no socket takes at once, compressed or not."""
    pattern = random.Random(number).randbytes(4_000_000).hex()
    step = step_of("prompt-injection", attack_patterns=[pattern])
    return PodConfig(bundle=Bundle.of([(pack_of(step), "uid-of-shop/pack", number, Tier.NAMESPACE)], []), keys={})


@asynccontextmanager
async def stalled(plane: ConfigPlane) -> AsyncIterator[asyncio.StreamReader]:
    """A stream of ``BOT`` that nobody reads yet, through a narrow socket."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", plane.port))
    token = plane.directory.token(BOT).encode()
    reader, writer = await asyncio.open_connection(
        sock=narrow, ssl=plane.trust, server_hostname="localhost", limit=1024
    )
    try:
        writer.write(HEAD + b"authorization: Bearer %s\r\n%s: a\r\n\r\n" % (token, INSTANCE_HEADER.encode()))
        await eventually(lambda: _is_stuck(plane), timeout_seconds=5)
        yield reader
    finally:
        writer.transport.abort()


def _is_stuck(plane: ConfigPlane) -> bool:
    return any(connection.flow.write_paused for connection in plane.server.server_state.connections)


async def test_a_reader_that_was_stalled_sees_the_newest_and_not_the_past():
    """A hundred edits while it was away are one change for it; the operator queues nothing."""
    first, last = large(1), config("last", generation=102)
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: first})
        async with stalled(plane) as reader:
            for number in range(100):
                plane.publish({BOT.uid: config(f"text {number}", generation=number + 2)})
            plane.publish({BOT.uid: last})
            versions = await _versions_up_to(reader, last.bundle.version)

    assert versions == [first.bundle.version, last.bundle.version]


async def test_a_stalled_reader_delays_nobody_else():
    """A thousand others share its process."""
    async with config_plane() as plane:
        other = plane.directory.add(pod("bot-1"))
        plane.directory.add(BOT)
        plane.publish({BOT.uid: large(1), other.uid: FIRST})
        async with stalled(plane), plane.client(other) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET, seconds=1)
            plane.publish({BOT.uid: large(2), other.uid: SECOND})
            await stream.manifest(SECOND.bundle.version, seconds=1)


async def test_a_reader_that_takes_nothing_is_dropped():
    """Half-open connections would be counted as sidecars that are there."""
    async with config_plane(write_seconds=0.3) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: large(1)})
        async with stalled(plane):
            await eventually(lambda: plane.hub.counts().open == 0)
            await eventually(lambda: plane.server.open_connections == 0)

        assert plane.hub.counts().ended == {StreamEnd.STUCK: 1}


async def test_a_pod_that_is_gone_loses_its_stream_though_it_reads_nothing():
    """What stays in a stalled socket may hold keys."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: large(1)})
        async with stalled(plane):
            plane.publish({})
            await eventually(lambda: plane.server.open_connections == 0)

        assert plane.hub.counts().ended == {StreamEnd.POD_GONE: 1}


async def test_a_stop_ends_every_stream_in_time():
    """An open stream makes a server wait for ever, and Kubernetes kills what waits."""
    others = [pod(f"bot-{number}") for number in range(1, 20)]
    async with config_plane(drain_seconds=1) as plane:
        for each in (BOT, *others):
            plane.directory.add(each)
        plane.publish({BOT.uid: large(1)} | {each.uid: FIRST for each in others})
        async with stalled(plane), AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(plane.client(each)) for each in others]
            streams = [await stack.enter_async_context(client.stream()) for client in clients]
            started = time.monotonic()
            plane.server.stop()
            for stream in streams:
                await stream.end()
            await eventually(lambda: plane.hub.counts().open == 0, timeout_seconds=3)
            await eventually(lambda: plane.server.open_connections == 0, timeout_seconds=3)

            assert time.monotonic() - started < 2.5
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", plane.port)


async def test_a_stop_waits_for_nobody_who_is_shaking_hands():
    """Else a stranger could hold a rollout."""
    async with config_plane() as plane:
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        await eventually(lambda: plane.server.open_connections == 1)
        plane.server.stop()
        try:
            assert await asyncio.wait_for(reader.read(), 2) == b""
        finally:
            writer.close()


async def _versions_up_to(reader: asyncio.StreamReader, last: str) -> list[str]:
    """The manifests on a plain stream, until this one has come."""
    splitter = EventSplitter()
    versions: list[str] = []
    async with asyncio.timeout(30):
        await reader.readuntil(b"\r\n\r\n")
        while last not in versions:
            size = int(await reader.readuntil(b"\r\n"), 16)
            chunk = await reader.readexactly(size + 2)
            events = [read_event(event) for event in splitter.feed(chunk[:-2])]
            versions += [event_id for kind, event_id, _ in events if kind is MANIFEST]
    return versions
