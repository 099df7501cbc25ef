"""When a stream of the config server ends, and what is known of its sidecar then."""

import asyncio
import ssl

from cryptography import x509

from config_plane import ack_of, config, config_plane
from eventually import eventually
from grokwarden.config_stream import INSTANCE_HEADER, STREAM_PATH, StreamEvent
from grokwarden_operator.stream.pod_stream import StreamEnd
from listings import pod

BOT = pod("bot-0")
OTHER = pod("teller-0", namespace="bank")
FIRST, SECOND = config("first"), config("second", generation=2)
KEYS, MANIFEST, PACK, TARGET = StreamEvent.KEYS, StreamEvent.MANIFEST, StreamEvent.PACK, StreamEvent.TARGET


async def test_a_stream_ends_with_its_token():
    """Nobody keeps a stream by never asking again."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT, seconds=0.5) as client, client.stream() as stream:
            await stream.end()
            again = await client.request("GET", STREAM_PATH, headers={INSTANCE_HEADER: "a"})

        assert stream.version == FIRST.bundle.version
        assert again.status == 401
        await eventually(lambda: plane.hub.counts().ended == {StreamEnd.TOKEN_EXPIRED: 1})


async def test_a_stream_ends_with_its_pod():
    """What was deleted gets no further key."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            plane.publish({})
            await stream.end()
            answer = await client.ack(ack_of(FIRST))

        assert (answer.status, answer.reason) == (409, "no_stream")
        assert plane.hub.reports() == {}


async def test_the_last_stream_of_a_pod_wins():
    """A sidecar that lost its connection comes back before the operator has noticed."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as older, client.stream() as newer:
            await older.end()
            await newer.until(KEYS, MANIFEST, PACK, TARGET)

            assert plane.hub.counts().open == 1


async def test_a_hang_up_is_noticed_and_forgiven_for_the_grace():
    """Its sidecar counts until then, and not a moment longer."""
    async with config_plane(grace_seconds=0.3) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client:
            async with client.stream() as stream:
                await stream.until(KEYS, MANIFEST, PACK, TARGET)
                await client.ack(ack_of(FIRST))
            await eventually(lambda: plane.hub.counts().open == 0)
            assert plane.hub.reports()[BOT.uid].is_current

            async with client.stream():
                assert plane.hub.reports()[BOT.uid].packs["shop/pack"].applied

        rings = len(plane.rings)
        await eventually(lambda: not plane.hub.reports()[BOT.uid].is_current)
        await eventually(lambda: len(plane.rings) == rings + 1)
        assert plane.hub.counts().ended == {StreamEnd.HUNG_UP: 2}


async def test_a_restarted_sidecar_has_to_ack_again():
    """Its stream says that it is another process."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            await client.ack(ack_of(FIRST))
        async with plane.client(BOT, instance="process-2") as restarted, restarted.stream() as stream:
            assert plane.hub.reports()[BOT.uid].manifest == ""
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            await restarted.ack(ack_of(FIRST))

        assert plane.hub.reports()[BOT.uid].manifest == FIRST.bundle.version


async def test_one_stream_too_many_is_sent_elsewhere():
    """A replica that is full says so, and goes on serving the others."""
    async with config_plane(max_streams=1) as plane:
        plane.directory.add(BOT)
        plane.directory.add(OTHER)
        async with plane.client(BOT) as client, plane.client(OTHER) as other, client.stream() as stream:
            answer = await other.request("GET", STREAM_PATH, headers={INSTANCE_HEADER: "a"})
            plane.publish({BOT.uid: FIRST})
            await stream.until(KEYS, MANIFEST, PACK, TARGET)

    assert (answer.status, answer.reason, answer.headers["retry-after"]) == (503, "too_many_streams", "5")


async def test_a_renewed_certificate_is_for_new_connections_and_drops_none():
    """Rotation happens every few weeks, under a thousand streams."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            before = await _serial_number(plane.port, plane.trust)
            renewed = plane.authority.renew(plane.server_context)
            after = await _serial_number(plane.port, plane.trust)
            plane.publish({BOT.uid: SECOND})
            await stream.manifest(SECOND.bundle.version)

    assert before != after == renewed


async def _serial_number(port: int, trust: ssl.SSLContext) -> int:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).serial_number
    finally:
        writer.close()
        await writer.wait_closed()
