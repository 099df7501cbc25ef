"""The last good version of each pack and target, kept in the cluster: it has to outlive every process of the operator.

Without it, an operator that starts over a broken edit would know of no version to keep in force, and sidecars would
lose a policy that nobody has taken away. A version is stored after sidecars were told of it and before a status is.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from grokwarden_operator.cluster.errors import ClusterError
from grokwarden_operator.listing import StoredResource
from grokwarden_operator.reconcile.compiling import Verdicts

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_AT_ONCE: Final = 8


class VersionStore(Protocol):
    """What is needed of the API server; ``Cluster`` has it. All raise ``ClusterError``."""

    async def stored(self) -> Sequence[StoredResource]:
        """Every resource that was stored."""

    async def store(self, uid: str, generation: int, document: Mapping[str, Any]) -> None:
        """The resource survives restarts, in this version."""

    async def forget(self, uid: str) -> None:
        """The resource is stored no more."""


class GoodVersions:
    """What is stored, and what ought to be."""

    def __init__(self, store: VersionStore) -> None:
        self._store = store
        self._known: dict[str, StoredResource] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def load(self) -> Mapping[str, StoredResource]:
        """Everything that is stored, by uid.

        Raises:
            ClusterError: It can't be read, so nothing may be published: something in force could be missing.
        """
        self._known = {stored.uid: stored for stored in await self._store.stored()}
        return dict(self._known)

    async def keep(self, verdicts: Verdicts) -> bool:
        """What is good now is stored, and nothing else. False if that could not be said of all; to be tried again."""
        unstored, obsolete = verdicts.unstored(self._known), verdicts.obsolete(self._known)
        done = await asyncio.gather(
            *(self._done(self._put(good)) for good in unstored.values()),
            *(self._done(self._drop(uid)) for uid in obsolete),
        )
        return all(done)

    async def _put(self, good: StoredResource) -> None:
        await self._store.store(good.uid, good.generation, good.document.content)
        self._known[good.uid] = good

    async def _drop(self, uid: str) -> None:
        await self._store.forget(uid)
        self._known.pop(uid, None)

    async def _done(self, work: Awaitable[None]) -> bool:
        async with self._slots:
            try:
                await work
            except ClusterError as error:
                log.warning("good_version_unstored", reason=str(error), is_retried=True)
                return False
        return True
