"""The hub: streams come and go, and what is known of their sidecars then."""

import asyncio

import pytest

from config_plane import ack_of, config
from eventually import eventually
from grokwarden.config_stream import StreamEvent
from grokwarden_operator.stream.acks import AckProblem, AckRefused
from grokwarden_operator.stream.hub import SidecarState, TooManyStreams
from grokwarden_operator.stream.pod_stream import StreamEnd
from hubs import Bell, acked, hub_of, opened, sent

FIRST, SECOND, THIRD = config("first"), config("second", generation=2), config("third", generation=3)
KEYS, MANIFEST, PACK, TARGET, PING = (
    StreamEvent.KEYS,
    StreamEvent.MANIFEST,
    StreamEvent.PACK,
    StreamEvent.TARGET,
    StreamEvent.PING,
)


async def test_a_restarted_sidecar_has_acked_nothing():
    """The process that applied it is gone; what runs now is not known."""
    bell = Bell()
    hub = hub_of(on_report=bell)
    await acked(hub, opened(hub), FIRST)
    rings = bell.rings

    opened(hub, instance="process-2")

    report = hub.reports()["a"]
    assert (report.manifest, dict(report.packs), report.is_current) == ("", {}, True)
    assert bell.rings == rings + 1
    with pytest.raises(AckRefused):
        hub.acknowledge("a", ack_of(FIRST))


async def test_an_answer_of_the_process_before_is_refused():
    """It may have been on its way when the process died."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    await opened(hub).next(0.01)
    await opened(hub, instance="process-2").next(0.01)

    with pytest.raises(AckRefused) as refused:
        hub.acknowledge("a", ack_of(FIRST), instance="process-1")

    assert refused.value.problem is AckProblem.OTHER_INSTANCE
    hub.acknowledge("a", ack_of(FIRST), instance="process-2")


async def test_a_reconnect_within_the_grace_changes_nothing():
    """Tokens are renewed every hour: a status that flapped each time would mean nothing."""
    bell = Bell()
    hub = hub_of(on_report=bell)
    stream = opened(hub)
    await acked(hub, stream, FIRST)
    before, rings = hub.reports(), bell.rings

    hub.close(stream)
    assert hub.reports() == before
    again = opened(hub)

    assert hub.reports() == before
    assert bell.rings == rings
    assert await sent(again) == [KEYS, MANIFEST, PACK, TARGET]


async def test_a_sidecar_that_stays_away_is_current_no_more():
    """It may run anything by now: the status must not count it."""
    bell = Bell()
    hub = hub_of(on_report=bell, grace_seconds=0.05)
    stream = opened(hub)
    await acked(hub, stream, FIRST)
    rings = bell.rings

    hub.close(stream)
    assert hub.reports()["a"].is_current
    await eventually(lambda: bell.rings > rings)

    assert not hub.reports()["a"].is_current
    assert hub.counts().sidecars == {SidecarState.GONE: 1}


async def test_flapping_within_the_grace_does_not_end_it_early():
    """The first hang-up's timer must not count for the second."""
    bell = Bell()
    hub = hub_of(on_report=bell, grace_seconds=0.2)
    hub.publish({"a": FIRST})
    hub.close(opened(hub))
    again = opened(hub)
    rings = bell.rings
    await again.next(60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(again.next(60), 0.25)

    assert bell.rings == rings
    assert hub.reports()["a"].is_current


async def test_a_newer_stream_of_a_pod_ends_the_older():
    """The sidecar knows best which of its connections lives."""
    hub = hub_of(grace_seconds=0.0)
    older = opened(hub)

    newer = opened(hub)

    assert older.ended is StreamEnd.REPLACED
    assert newer.ended is None
    hub.close(older)
    assert hub.reports()["a"].is_current
    assert hub.counts().open == 1


async def test_a_pod_that_is_gone_loses_its_stream_and_its_report():
    """What is said of pods that don't exist is a lie."""
    hub = hub_of()
    stream = opened(hub)
    await acked(hub, stream, FIRST)

    hub.publish({})

    assert stream.ended is StreamEnd.POD_GONE
    assert hub.reports() == {}
    with pytest.raises(AckRefused):
        hub.acknowledge("a", ack_of(FIRST))
    hub.close(stream)
    assert hub.counts().ended == {StreamEnd.POD_GONE: 1}


async def test_a_stream_that_nobody_claims_ends():
    """Its pod may have gone before anybody saw it: no publication would ever say so."""
    hub = hub_of(unclaimed_seconds=0.02)
    unclaimed = opened(hub, "a")
    claimed = opened(hub, "b")
    hub.publish({"b": FIRST})

    await eventually(lambda: unclaimed.ended)

    assert unclaimed.ended is StreamEnd.UNCLAIMED
    assert claimed.ended is None


async def test_what_is_known_of_an_unknown_pod_is_forgotten_after_its_grace():
    """Else each pod that was never published would stay for ever."""
    hub = hub_of(grace_seconds=0.02)
    hub.close(opened(hub))

    await eventually(lambda: not hub.reports())


async def test_there_is_room_for_so_many_streams():
    """Memory is bounded; a pod that has a stream can always renew it."""
    hub = hub_of(max_streams=2)
    opened(hub, "a")
    opened(hub, "b")

    with pytest.raises(TooManyStreams):
        opened(hub, "c")
    opened(hub, "a")


async def test_a_hub_that_is_shut_down_ends_every_stream_and_opens_none():
    """Sidecars are to go to another replica, at once."""
    hub = hub_of()
    stream = opened(hub)

    hub.shut_down()

    assert stream.ended is StreamEnd.SHUT_DOWN
    with pytest.raises(TooManyStreams):
        opened(hub, "b")


async def test_counts_say_how_many_sidecars_are_in_which_state():
    """`operator_sidecars{state}` is read off these."""
    hub = hub_of()
    streams = {uid: opened(hub, uid) for uid in ("acked", "nacked", "stale")}
    hub.publish(dict.fromkeys(streams, FIRST))
    for stream in streams.values():
        await stream.next(0.01)
    hub.acknowledge("acked", ack_of(FIRST))
    hub.acknowledge("nacked", ack_of(FIRST, applied=False))

    counts = hub.counts()

    assert counts.open == 3
    assert counts.sidecars == {SidecarState.ACKED: 1, SidecarState.NACKED: 1, SidecarState.STALE: 1}
    assert counts.acks == {"accepted": 2}
