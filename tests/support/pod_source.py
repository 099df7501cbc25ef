"""A ``StreamSource`` and all that is behind it, in the test's own process, with its dice and its waits in hand."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grokwarden.catalog import load_catalog
from grokwarden_sidecar.calls.routing import TargetStates
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from grokwarden_sidecar.configuration.applying import Applier
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.metrics import Metrics
from grokwarden_sidecar.stream.client import Operator, StreamClient
from grokwarden_sidecar.stream.last_good import LastGood
from grokwarden_sidecar.stream.lent_keys import LentKeys
from grokwarden_sidecar.stream.source import StreamSource
from grokwarden_sidecar.stream.status import StreamStatus


@dataclass(kw_only=True)
class PodSource:
    """What is followed.

    Attributes:
        pauses: The seconds of each wait before a reconnect; none is really waited for, but each hands over.
    """

    source: StreamSource
    store: BundleStore
    keys: LentKeys
    status: StreamStatus
    applier: Applier
    pauses: list[float] = field(default_factory=list)

    @property
    def version(self) -> str | None:
        """Of the bundle in force."""
        return self.store.current.bundle.version if self.store.current else None


@asynccontextmanager
async def followed_source(
    operator: Any,
    state_dir: Path,
    *,
    url: str = "",
    dice: float = 0.5,
    clock: Any = time.monotonic,
    silence_seconds: float = 45.0,
    restores: bool = False,
) -> AsyncIterator[PodSource]:
    """A source that is followed until the end of the block.

    Args:
        operator: A ``FakeOperator``.
        state_dir: Of the last good configuration.
        url: Instead of the operator's own.
        dice: What is thrown every time.
        clock: Of keys and staleness.
        silence_seconds: Of the stream.
        restores: What is in ``state_dir`` is used.
    """
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01)

    keys = LentKeys(clock=clock)
    client = StreamClient(
        Operator(url=url or operator.url, ca_file=operator.ca_file, token_file=operator.token_file, instance="word"),
        on_token=lambda _: None,
        silence_seconds=silence_seconds,
    )
    status = StreamStatus(client.url, clock=clock, now=time.time)
    source = StreamSource(
        client, keys=keys, last_good=LastGood(state_dir), status=status, dice=lambda: dice, pause=pause
    )
    store = BundleStore(metrics=Metrics(), now=time.time)
    async with AiohttpUpstream() as upstream:
        applier = Applier(
            store=store,
            upstream=upstream,
            states=TargetStates(clock=clock),
            catalog=load_catalog(),
            isolates=True,
            missing_keys=None,
            dice=lambda: 0.0,
            now=time.time,
            clock_ns=time.perf_counter_ns,
        )
        pod = PodSource(source=source, store=store, keys=keys, status=status, applier=applier, pauses=pauses)
        if restores and (update := await source.restore()) is not None:
            await source.settled(await applier.apply(update))
        tasks = [
            asyncio.create_task(source.run()),
            asyncio.create_task(applier.follow(source.updates(), source)),
        ]
        try:
            yield pod
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, asyncio.CancelledError), outcome
