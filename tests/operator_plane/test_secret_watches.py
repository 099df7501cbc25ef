"""Which Secrets are followed, and what is known of them."""

import asyncio
from collections.abc import AsyncIterator

from eventually import eventually
from grokwarden_operator.listing import SecretFact, SecretTrouble
from grokwarden_operator.watching.secret_watches import SecretWatches


class Source:
    """Secrets that say what they are told to say."""

    def __init__(self) -> None:
        self.queues: dict[tuple[str, str], asyncio.Queue[SecretFact | SecretTrouble]] = {}
        self.open: set[tuple[str, str]] = set()
        self.found: dict[tuple[str, str], SecretFact | SecretTrouble | None] = {}

    async def watch(self, namespace: str, name: str) -> AsyncIterator[SecretFact | SecretTrouble]:
        key = (namespace, name)
        queue = self.queues.setdefault(key, asyncio.Queue())
        self.open.add(key)
        try:
            while True:
                yield await queue.get()
        finally:
            self.open.discard(key)

    def tell(self, namespace: str, name: str, found: SecretFact | SecretTrouble | None) -> None:
        self.found[namespace, name] = found


async def test_only_wanted_secrets_are_followed():
    """A watch that outlives its target would go on reading a Secret that nobody names any more."""
    source = Source()
    async with asyncio.TaskGroup() as tasks:
        watches = SecretWatches(source.watch, source.tell, tasks)
        watches.follow({("shop", "a"), ("shop", "b")})
        await eventually(lambda: source.open == {("shop", "a"), ("shop", "b")}, timeout_seconds=2)
        watches.follow({("shop", "b")})
        await eventually(lambda: source.open == {("shop", "b")}, timeout_seconds=2)
        forgotten = dict(source.found)
        watches.stop()

    assert forgotten == {("shop", "a"): None}


async def test_all_read_waits_for_every_secret():
    """What is published before would say to sidecars that their key is gone."""
    source = Source()
    async with asyncio.TaskGroup() as tasks:
        watches = SecretWatches(source.watch, source.tell, tasks)
        watches.follow({("shop", "a"), ("shop", "b")})
        await eventually(lambda: len(source.open) == 2, timeout_seconds=2)
        source.queues["shop", "a"].put_nowait(SecretTrouble.NOT_FOUND)
        before = await watches.all_read(0.1)
        source.queues["shop", "b"].put_nowait(SecretTrouble.FORBIDDEN)
        after = await watches.all_read(2)
        watches.stop()

    assert (before, after) == (False, True)
    assert source.found == {("shop", "a"): SecretTrouble.NOT_FOUND, ("shop", "b"): SecretTrouble.FORBIDDEN}


async def test_no_wanted_secret_is_nothing_to_wait_for():
    """A cluster without keys must not wait at each start."""
    async with asyncio.TaskGroup() as tasks:
        watches = SecretWatches(Source().watch, Source().tell, tasks)
        watches.follow(())
        assert await watches.all_read(0.05)
