"""The hub: what is to be sent on each stream. Sockets are elsewhere."""

import asyncio
import gc
import tracemalloc
from dataclasses import replace

from bundles import pack_of, step_of
from config_plane import ack_of, config
from eventually import eventually
from grokwarden.bundle import Bundle, PackPart, decode_manifest, decode_part
from grokwarden.config_stream import StreamEvent, read_event
from grokwarden.vocabulary import Tier
from grokwarden_operator.plan import PodConfig
from hubs import hub_of, opened, sent

FIRST, SECOND, THIRD = config("first"), config("second", generation=2), config("third", generation=3)
KEYS, MANIFEST, PACK, TARGET, PING = (
    StreamEvent.KEYS,
    StreamEvent.MANIFEST,
    StreamEvent.PACK,
    StreamEvent.TARGET,
    StreamEvent.PING,
)


async def test_keys_come_first_then_the_manifest_then_its_parts():
    """A sidecar that applies a manifest must have the keys by then."""
    hub = hub_of()
    hub.publish({"a": FIRST})

    events = [read_event(event) for event in await opened(hub).next(0.01)]

    assert [kind for kind, _, _ in events] == [KEYS, MANIFEST, PACK, TARGET]
    manifest = decode_manifest(events[1][2], source="test")
    assert manifest == FIRST.bundle.manifest
    assert events[1][1] == FIRST.bundle.version
    assert decode_part(events[2][2], manifest.packs[0], PackPart, source="test") == FIRST.bundle.packs[0]


async def test_an_unchanged_publication_sends_nothing():
    """Every round publishes; most rounds change nothing for most pods."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)

    hub.publish({"a": config("first")})

    assert await sent(stream) == [PING]


async def test_a_rotated_key_is_sent_alone():
    """Rotation must change no digest, and so no status."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)

    hub.publish({"a": config("first", keys={"shop/secret/key": "another"})})

    assert await sent(stream) == [KEYS]


async def test_an_unreadable_secret_takes_no_key_away():
    """An operator that starts while a Secret can't be read knows no key, and its sidecars have one that works."""
    unread = replace(config("first", keys={}), unread=frozenset({"shop/secret/key"}))
    hub = hub_of()
    hub.publish({"a": unread})
    stream = opened(hub)
    at_first = await sent(stream)
    hub.publish({"a": FIRST})
    once_read = await sent(stream)
    hub.publish({"a": unread})
    unread_again = await sent(stream)
    hub.publish({"a": config("first", keys={})})

    assert at_first == [MANIFEST, PACK, TARGET]
    assert once_read == [KEYS]
    assert unread_again == [PING]
    assert await sent(stream) == [KEYS]


async def test_a_change_brings_only_the_part_that_changed():
    """The target is the same: sending it again to a thousand sidecars is what digests are for."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)

    hub.publish({"a": SECOND})

    assert await sent(stream) == [MANIFEST, PACK]


async def test_parts_that_the_sidecar_has_are_not_sent():
    """A reconnect storm would else be a storm of bundles."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    held = frozenset(ref.digest for ref in (*FIRST.bundle.manifest.packs, *FIRST.bundle.manifest.targets))

    assert await sent(opened(hub, held=held)) == [KEYS, MANIFEST]


async def test_a_part_that_the_manifest_before_did_not_name_is_sent_again():
    """A sidecar may have dropped it: a manifest whose part never comes would stay incomplete for ever."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)
    hub.publish({"a": SECOND})
    await stream.next(0.01)

    hub.publish({"a": FIRST})

    assert await sent(stream) == [MANIFEST, PACK]


async def test_only_the_newest_of_many_publications_is_sent():
    """A reader that was slow must not work off the past."""
    hub = hub_of()
    stream = opened(hub)
    for number in range(100):
        hub.publish({"a": config(f"text {number}", generation=number)})
    hub.publish({"a": THIRD})

    events = [read_event(event) for event in await stream.next(0.01)]

    assert [event_id for kind, event_id, _ in events if kind is MANIFEST] == [THIRD.bundle.version]
    assert await sent(stream) == [PING]


async def test_a_change_that_was_taken_back_meanwhile_is_not_sent():
    """What the sidecar has is what it is to have."""
    hub = hub_of()
    hub.publish({"a": FIRST})
    stream = opened(hub)
    await stream.next(0.01)

    hub.publish({"a": SECOND})
    hub.publish({"a": FIRST})

    assert await sent(stream) == [PING]


async def test_a_pod_gets_what_is_published_for_it_and_nothing_else():
    """Two pods, two namespaces: the one must see neither packs nor keys of the other."""
    hub = hub_of()
    other = config("theirs", name="bank/pack", keys={"bank/secret/key": "key-of-the-bank"})
    hub.publish({"a": FIRST, "b": other})

    data = b"".join(await opened(hub, "a").next(0.01))

    assert b"bank" not in data
    assert b"shop/pack" in data


async def test_a_stream_opened_before_any_publication_waits_for_it():
    """A pod may connect before its watch event came."""
    hub = hub_of()
    stream = opened(hub)
    hub.publish({"b": SECOND})
    assert await sent(stream) == [PING]

    hub.publish({"a": FIRST, "b": SECOND})

    assert await sent(stream) == [KEYS, MANIFEST, PACK, TARGET]


async def test_whoever_waits_is_woken_by_a_publication():
    """Within a second, not with the next ping."""
    hub = hub_of()
    hub.publish({})
    streams = [opened(hub, f"pod-{number}") for number in range(100)]
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(stream.next(60)) for stream in streams]
        await eventually(lambda: all(stream._bell._waiters for stream in streams))
        hub.publish({f"pod-{number}": FIRST for number in range(100)})

    assert all(len(task.result()) == 4 for task in waiting)


async def test_what_many_get_is_made_once():
    """A thousand sidecars, one compression."""
    hub = hub_of()
    hub.publish({"a": FIRST, "b": FIRST})

    one, two = await opened(hub, "a").next(0.01), await opened(hub, "b").next(0.01)

    assert [left is right for left, right in zip(one[1:], two[1:], strict=True)] == [True, True, True]


async def test_bytes_are_kept_no_longer_than_their_bundle_is_published():
    """Else every edit of a year would stay in memory."""
    hub = hub_of()
    stream = opened(hub)
    for number in range(50):
        hub.publish({"a": config(f"text {number}", generation=number)})
        await stream.next(0.01)

    assert len(hub._frames) <= 3 + 1

    hub.publish({})

    assert len(hub._frames) <= 1


async def test_keys_are_shown_nowhere():
    """Of all that is here, only the stream's own bytes may hold a key."""
    hub = hub_of()
    secret = "sk-key-that-nobody-may-see"
    hub.publish({"a": config(keys={"shop/secret/key": secret})})
    stream = opened(hub)
    assert secret.encode() in b"".join(await stream.next(0.01))
    hub.acknowledge("a", ack_of(FIRST))

    shown = [repr(thing) for thing in (hub, stream, hub.counts(), hub.reports(), hub._sidecars, hub._wanted)]
    shown.append(repr(hub._frames._made))

    assert not [text for text in shown if secret in text]


async def test_a_slow_reader_holds_no_past():
    """A hundred publications of 100 KB each, unread: what stays is the newest."""
    hub = hub_of()
    stream = opened(hub)
    tracemalloc.start()
    try:
        for number in range(100):
            hub.publish({"a": _large(number)})
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 1_000_000
    assert len(await stream.next(0.01)) == 3


def _large(number: int) -> PodConfig:
    step = step_of("prompt-injection", attack_patterns=[f"pattern {number} {index} " * 5 for index in range(1000)])
    return PodConfig(bundle=Bundle.of([(pack_of(step), "uid", number, Tier.NAMESPACE)], []), keys={})
