"""The config server over real TLS: what a pod's sidecar gets, and nobody else."""

import structlog

from config_plane import ack_of, config, config_plane, refs_of, unsigned_token
from grokwarden.config_stream import PARTS_HEADER, STREAM_PATH, StreamEvent
from listings import pod
from targets import HandClock

BOT = pod("bot-0")
OTHER = pod("teller-0", namespace="bank")
FIRST, SECOND = config("first"), config("second", generation=2)
THEIRS = config("theirs", name="bank/pack", keys={"bank/secret/key": "key-of-the-bank"})
KEYS, MANIFEST, PACK, TARGET = StreamEvent.KEYS, StreamEvent.MANIFEST, StreamEvent.PACK, StreamEvent.TARGET


# Who gets what.


async def test_a_sidecar_gets_its_configuration_and_is_heard():
    """The whole way, once."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            answer = await client.ack(ack_of(FIRST))

        assert stream.kinds == [KEYS, MANIFEST, PACK, TARGET]
        assert stream.version == FIRST.bundle.version
        assert stream.keys == FIRST.keys
        assert stream.parts.keys() == {ref.digest for ref in refs_of(FIRST)}
        assert answer.status == 204
        assert plane.hub.reports()[BOT.uid].manifest == FIRST.bundle.version


async def test_a_pods_token_gets_nothing_of_another_pods_configuration():
    """Whatever a caller claims to be or to have: packs, targets and keys of others stay with them."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.directory.add(OTHER)
        plane.publish({BOT.uid: FIRST, OTHER.uid: THEIRS})
        claims = {"x-pod-uid": OTHER.uid, "x-pod-namespace": "bank", "x-forwarded-for": "10.0.0.1"}
        async with plane.client(BOT) as client, client.stream(headers=claims) as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            plane.publish(
                {BOT.uid: SECOND, OTHER.uid: config("new", name="bank/pack", keys={"bank/secret/key": "new"})}
            )
            await stream.until(MANIFEST, PACK)
            await stream.silence()
            stolen = await client.ack(ack_of(THEIRS))

        assert not [event for event in stream.events if b"bank" in event.data]
        assert stolen.status == 409
        assert OTHER.uid not in plane.hub.reports()


async def test_a_pod_may_connect_before_anybody_has_seen_it():
    """Sidecars start faster than watches: it gets its configuration as soon as there is one."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.silence()
            plane.publish({BOT.uid: FIRST})

            await stream.until(KEYS, MANIFEST, PACK, TARGET)


async def test_an_answer_after_a_quiet_hour_costs_no_review_and_a_stream_does():
    """A change comes to all sidecars at once: a review for each of their answers is what everybody would wait for."""
    clock = HandClock(0.0)
    async with config_plane(authenticator={"clock": clock}) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client:
            async with client.stream() as stream:
                await stream.until(KEYS, MANIFEST, PACK, TARGET)
                clock.now += 3000
                answer = await client.ack(ack_of(FIRST))
                assert (answer.status, len(plane.directory.reviews)) == (204, 1)

            async with client.stream():
                assert len(plane.directory.reviews) == 2


# What comes on a stream.


async def test_a_rotated_key_reaches_an_open_stream_alone():
    """Without a restart, without a new bundle."""
    rotated = config("first", keys={"shop/secret/key": "another-key"})
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            plane.publish({BOT.uid: rotated})
            event = await stream.next()
            await stream.silence()

    assert event.kind is KEYS
    assert stream.keys == {"shop/secret/key": "another-key"}


async def test_an_unchanged_publication_is_silent():
    """Every round publishes everything."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            plane.publish({BOT.uid: config("first")})

            await stream.silence()


async def test_a_resumed_stream_brings_no_part_that_is_there():
    """A thousand sidecars that come back must not fetch a thousand bundles."""
    digests = [ref.digest for ref in refs_of(FIRST)]
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client:
            async with client.stream(parts=digests) as stream:
                await stream.until(KEYS, MANIFEST)
                await stream.silence()
            async with client.stream(headers={PARTS_HEADER: f"rubbish,{digests[0]},sha256:0,,"}) as half:
                await half.until(KEYS, MANIFEST, TARGET)
                await half.silence()


async def test_an_idle_stream_pings():
    """Silence means a dead connection, at either end."""
    async with config_plane(ping_seconds=0.05) as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            for _ in range(3):
                await stream.ping()


async def test_zstd_and_plain_bring_the_same_events():
    """A client that can't unpack must not get another truth."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client:
            seen = []
            for is_zstd in (True, False):
                async with client.stream(is_zstd=is_zstd) as stream:
                    await stream.until(KEYS, MANIFEST, PACK, TARGET)
                    seen.append((stream.response.headers.get("content-encoding"), stream.events))

    (packed, one), (plain, two) = seen
    assert (packed, plain) == ("zstd", None)
    assert one == two


# Around it.


async def test_no_key_and_no_token_is_logged():
    """Logs are read by many, and kept for long."""
    secret = "sk-key-that-nobody-may-see"
    with structlog.testing.capture_logs() as logs:
        async with config_plane() as plane:
            plane.directory.add(BOT)
            plane.publish({BOT.uid: config(keys={"shop/secret/key": secret})})
            async with plane.client(BOT) as client, client.stream() as stream:
                await stream.until(KEYS, MANIFEST, PACK, TARGET)
                await client.ack(b"{" + secret.encode())
                token = client.token
            async with plane.client(BOT, token=unsigned_token({"n": 1})) as stranger:
                await stranger.request("GET", STREAM_PATH)

    text = repr(logs)
    assert "stream_opened" in text
    assert "stream_closed" in text
    assert secret not in text
    assert token not in text
    assert unsigned_token({"n": 1}) not in text


async def test_a_stream_keeps_no_token():
    """It is open for an hour; what it came with would be in memory for as long."""
    async with config_plane() as plane:
        plane.directory.add(BOT)
        plane.publish({BOT.uid: FIRST})
        async with plane.client(BOT) as client, client.stream() as stream:
            await stream.until(KEYS, MANIFEST, PACK, TARGET)
            (connection,) = plane.server.server_state.connections

            assert client.token not in repr([connection.headers, connection.cycle.scope, vars(connection.cycle)])
