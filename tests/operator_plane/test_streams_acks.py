"""The hub: what a sidecar's answer changes, and which answers count."""

from typing import Any

import pytest
from msgspec.structs import replace

from config_plane import ack_of, config
from grokwarden.config_stream import Ack
from grokwarden_operator.stream.acks import REMEMBERED_MANIFESTS, AckProblem, AckRefused
from hubs import Bell, acked, hub_of, opened

FIRST, SECOND, THIRD = config("first"), config("second", generation=2), config("third", generation=3)


async def test_an_answer_is_reported_with_the_digest_of_the_manifest_it_answers():
    """A part can change within a generation: only the digest says what really runs."""
    bell = Bell()
    hub = hub_of(on_report=bell)
    stream = opened(hub)
    rings = bell.rings

    await acked(hub, stream, FIRST)

    report = hub.reports()["a"]
    assert report.manifest == FIRST.bundle.version
    assert report.packs["shop/pack"].applied
    assert report.packs["shop/pack"].digest == FIRST.bundle.manifest.packs[0].digest
    assert bell.rings == rings + 1


async def test_the_same_answer_again_rings_nobody():
    """A round for nothing costs as much as one for something."""
    bell = Bell()
    hub = hub_of(on_report=bell)
    stream = opened(hub)
    await acked(hub, stream, FIRST)
    rings = bell.rings

    hub.acknowledge("a", ack_of(FIRST))

    assert bell.rings == rings


async def test_a_refusal_is_reported_and_cleared_by_the_next_answer():
    """After the fix the nack goes, with no restart of anything."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)

    hub.acknowledge("a", ack_of(FIRST, applied=False, reason="RegexTooComplex", message="too complex"))
    refused = hub.reports()["a"].packs["shop/pack"]
    await acked(hub, stream, SECOND)
    cleared = hub.reports()["a"].packs["shop/pack"]

    assert (refused.applied, refused.reason, refused.message) == (False, "RegexTooComplex", "too complex")
    assert (cleared.applied, cleared.reason, cleared.generation) == (True, "", 2)


async def test_an_older_answer_changes_nothing_after_a_newer_one():
    """Acks travel on connections of their own, and may overtake each other."""
    hub = hub_of()
    stream = opened(hub)
    for each in (FIRST, SECOND):
        hub.publish({"a": each})
        await stream.next(0.01)
    hub.acknowledge("a", ack_of(SECOND))

    hub.acknowledge("a", ack_of(FIRST, applied=False))

    assert hub.reports()["a"].manifest == SECOND.bundle.version


async def test_a_manifest_that_comes_back_is_the_newest_again():
    """An edit that is taken back ends in the version that was answered first."""
    hub = hub_of()
    stream = opened(hub)

    await acked(hub, stream, FIRST, SECOND, FIRST)

    assert hub.reports()["a"].manifest == FIRST.bundle.version


def _changed(ack: Ack, **fields: Any) -> Ack:
    return replace(ack, packs=tuple(replace(pack, **fields) for pack in ack.packs))


ANSWER, ELSEWHERE = ack_of(FIRST), ack_of(config(name="x/y"))


@pytest.mark.parametrize(
    ("ack", "problem"),
    [
        (ack_of(SECOND), AckProblem.UNKNOWN_MANIFEST),
        (Ack(manifest="", packs=ANSWER.packs), AckProblem.UNKNOWN_MANIFEST),
        (Ack(manifest=ANSWER.manifest, packs=()), AckProblem.OTHER_PACKS),
        (Ack(manifest=ANSWER.manifest, packs=ANSWER.packs * 2), AckProblem.OTHER_PACKS),
        (
            Ack(manifest=ANSWER.manifest, packs=(*ANSWER.packs, *ELSEWHERE.packs)),
            AckProblem.OTHER_PACKS,
        ),
        (_changed(ANSWER, name="shop/other"), AckProblem.OTHER_PACKS),
        (_changed(ANSWER, uid="another"), AckProblem.OTHER_PACKS),
        (_changed(ANSWER, generation=2), AckProblem.OTHER_PACKS),
    ],
)
async def test_an_answer_that_does_not_fit_what_was_sent_changes_nothing(ack, problem):
    """A status must never say what no sidecar was even asked."""
    bell = Bell()
    hub = hub_of(on_report=bell)
    hub.publish({"a": FIRST, "b": SECOND})
    await opened(hub, "a").next(0.01)
    await opened(hub, "b").next(0.01)
    before, rings = hub.reports(), bell.rings

    with pytest.raises(AckRefused) as refused:
        hub.acknowledge("a", ack)

    assert refused.value.problem is problem
    assert hub.reports() == before
    assert bell.rings == rings
    assert hub.counts().acks == {problem: 1}


async def test_a_pod_that_never_had_a_stream_answers_nothing():
    """A token alone is no sidecar."""
    hub = hub_of()
    hub.publish({"a": FIRST})

    with pytest.raises(AckRefused) as refused:
        hub.acknowledge("a", ack_of(FIRST))

    assert refused.value.problem is AckProblem.NO_STREAM
    assert hub.reports() == {}


async def test_what_was_offered_but_not_sent_can_not_be_answered():
    """A version can be guessed; that it was received can't."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    opened(hub)

    with pytest.raises(AckRefused):
        hub.acknowledge("a", ack_of(FIRST))


async def test_only_so_many_manifests_are_remembered():
    """A sidecar that never answers must cost nothing but its stream."""
    hub = hub_of()
    stream = opened(hub)
    configs = [config(f"text {number}", generation=number) for number in range(REMEMBERED_MANIFESTS + 1)]
    for each in configs:
        hub.publish({"a": each})
        await stream.next(0.01)

    with pytest.raises(AckRefused):
        hub.acknowledge("a", ack_of(configs[0]))
    hub.acknowledge("a", ack_of(configs[1]))


async def test_a_manifest_that_came_back_is_remembered_as_long_as_a_new_one():
    """Its first sending may be long ago; what is answered is its last."""
    hub = hub_of()
    stream = opened(hub)
    others = [config(f"text {number}", generation=number + 2) for number in range(REMEMBERED_MANIFESTS)]
    for each in (FIRST, *others[:-1], FIRST, others[-1]):
        hub.publish({"a": each})
        await stream.next(0.01)

    hub.acknowledge("a", ack_of(FIRST))

    assert hub.reports()["a"].manifest == FIRST.bundle.version
