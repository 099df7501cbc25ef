"""What strangers can do to the config server: little, and not for long."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from config_plane import ConfigPlane, ack_of, config, config_plane
from eventually import eventually
from grokwarden.config_stream import ACK_PATH, INSTANCE_HEADER, StreamEvent
from grokwarden_operator.stream.bounded_protocol import WireLimits
from listings import pod

BOT = pod("bot-0")
FIRST, SECOND = config("first"), config("second", generation=2)
KEYS, MANIFEST, PACK, TARGET = StreamEvent.KEYS, StreamEvent.MANIFEST, StreamEvent.PACK, StreamEvent.TARGET
HEAD = b"GET /v1/config/stream HTTP/1.1\r\nhost: x\r\n"
QUICK = WireLimits(
    handshake_seconds=0.3, request_seconds=0.3, stranger_idle_seconds=0.3, linger_seconds=0.1, sweep_seconds=0.1
)


@asynccontextmanager
async def tls(plane: ConfigPlane, **options: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TLS connection to the server as bytes, which is not closed politely."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", plane.port, ssl=plane.trust, server_hostname="localhost", **options
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer_to(plane: ConfigPlane, *pieces: bytes) -> tuple[int, bytes]:
    """Status and body of what is answered to these bytes, up to the end of the connection."""
    async with tls(plane) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        data = await asyncio.wait_for(reader.read(-1), 10)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"server:" not in head.lower()
    return int(head.split(b" ")[1]) if head else 0, body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane():
    """One server with short patience."""
    async with config_plane(limits=QUICK) as running:
        running.directory.add(BOT)
        yield running


@pytest.mark.asyncio(loop_scope="module")
class TestStrangers:
    """Connections of which nobody knows whose they are."""

    @pytest.mark.parametrize(
        "flood",
        [
            HEAD + b"a: b\r\n" * 20_000,
            HEAD + b"x-long: " + b"v" * 100_000,
            HEAD + b"n" * 100_000,
            b"GET /" + b"p" * 100_000,
            HEAD + b"".join(b"h%d: %s\r\n" % (n, b"v" * 100) for n in range(700)) + b"\r\n",
        ],
        ids=["many headers", "endless value", "endless name", "endless path", "complete but large"],
    )
    async def test_a_flood_of_headers_is_cut(self, plane, flood):
        """Before anybody is asked who it is, nothing of size may be kept."""
        status, body = await answer_to(plane, flood)

        assert status == 431
        assert b"head_too_large" in body

    @pytest.mark.parametrize(
        "garbage", [b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n", HEAD + b"a b: c\r\n\r\n"]
    )
    async def test_garbage_is_answered_and_closed(self, plane, garbage):
        """As JSON, like any refusal."""
        status, body = await answer_to(plane, garbage)

        assert status == 400
        assert b"malformed_http" in body

    @pytest.mark.parametrize("start", [b"GET", HEAD, HEAD + b"x: "])
    async def test_a_request_that_does_not_end_is_ended(self, plane, start):
        """A socket each for a byte now and then is the cheapest of all attacks."""
        status, body = await answer_to(plane, start)

        assert status == 408
        assert b"request_timeout" in body

    async def test_a_body_that_does_not_end_is_ended(self, plane):
        """Even a known pod's."""
        token = plane.directory.token(BOT).encode()
        head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n" % (ACK_PATH.encode(), token)

        status, _ = await answer_to(plane, head + b"content-length: 10\r\n\r\n{")

        assert status == 408

    async def test_endless_trailers_are_cut(self, plane):
        """They come after the head, whose size was looked at before."""
        token = plane.directory.token(BOT).encode()
        head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n" % (ACK_PATH.encode(), token)
        chunked = b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"

        status, _ = await answer_to(plane, head + chunked, b"t: " + b"v" * 1_000_000)

        assert status == 431

    async def test_a_connection_that_asks_nothing_is_closed(self, plane):
        """Idle strangers would take the places of sidecars."""
        async with tls(plane) as (reader, _):
            assert await asyncio.wait_for(reader.read(), 5) == b""

    async def test_a_handshake_that_does_not_come_is_not_waited_for(self, plane):
        """It is held before any limit of HTTP begins."""
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        finally:
            writer.close()
        await eventually(lambda: plane.server.open_connections == 0)

    async def test_old_tls_is_refused(self, plane):
        """1.2 is the oldest that counts as safe."""
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", plane.port, ssl=old)

    async def test_a_known_pods_connection_is_kept(self, plane):
        """An ack that had to shake hands first would be late, a thousand of them very late."""
        plane.publish({BOT.uid: FIRST})
        token = plane.directory.token(BOT).encode()
        ack = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-length: 0\r\n\r\n" % (
            ACK_PATH.encode(),
            token,
        )
        async with tls(plane) as (reader, writer), tls(plane) as (stranger, _):
            writer.write(ack)
            await reader.readuntil(b'changed"}')
            assert await asyncio.wait_for(stranger.read(), 5) == b""

            writer.write(ack)
            assert (await asyncio.wait_for(reader.readuntil(b'changed"}'), 5)).startswith(b"HTTP/1.1 400")

    async def test_a_request_ahead_of_an_answer_ends_the_connection(self, plane):
        """On a stream the answer never ends: what comes behind would pile up."""
        plane.publish({BOT.uid: FIRST})
        token = plane.directory.token(BOT).encode()
        ask = HEAD + b"authorization: Bearer %s\r\n%s: a\r\n\r\n" % (token, INSTANCE_HEADER.encode())
        async with tls(plane) as (reader, writer):
            writer.write(ask)
            await reader.readuntil(b"event: target")
            writer.write(ask)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
        await eventually(lambda: plane.hub.counts().open == 0)


async def test_a_crowd_of_strangers_displaces_no_sidecar():
    """Whoever can reach the port must not be able to close it for others."""
    async with config_plane(limits=WireLimits(strangers=3)) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            await client.ack(ack_of(FIRST))
            crowd = [await asyncio.open_connection("127.0.0.1", plane.port) for _ in range(8)]
            try:
                await eventually(lambda: plane.server.open_connections == 2 + 3)
                assert await asyncio.wait_for(crowd[0][0].read(), 5) == b""
                async with plane.client(BOT, instance="process-2") as second, second.stream() as newer:
                    await newer.until(KEYS, MANIFEST, PACK, TARGET)
                    plane.publish({BOT.uid: SECOND})
                    await newer.manifest(SECOND.bundle.version)
            finally:
                for _, writer in crowd:
                    writer.close()


async def test_there_are_only_so_many_connections():
    """Files are finite, and running out of them stops everything."""
    async with config_plane(limits=WireLimits(connections=2)) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream, tls(plane):
            reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
            try:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            finally:
                writer.close()
            await stream.until(KEYS, MANIFEST, PACK, TARGET)

        await eventually(lambda: plane.server.open_connections == 0)
