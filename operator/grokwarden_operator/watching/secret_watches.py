"""Follows the Secrets that targets name, each by its own name: no right to list anybody's Secrets is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection

from grokwarden_operator.listing import SecretFact, SecretTrouble

SecretName = tuple[str, str]
"""Namespace and name."""
Watch = Callable[[str, str], AsyncIterator[SecretFact | SecretTrouble]]
Found = Callable[[str, str, SecretFact | SecretTrouble | None], object]
"""Told of each change; of ``None`` once nobody names the Secret any more."""


class SecretWatches:
    """One watch for each Secret that is wanted, ended when it is no more."""

    def __init__(self, watch: Watch, found: Found, tasks: asyncio.TaskGroup) -> None:
        self._watch = watch
        self._found = found
        self._tasks = tasks
        self._running: dict[SecretName, asyncio.Task[None]] = {}
        self._read: set[SecretName] = set()
        self._all_read = asyncio.Event()

    def follow(self, wanted: Collection[SecretName]) -> None:
        """These are watched from now on, and no others."""
        for name in self._running.keys() - set(wanted):
            self._running.pop(name).cancel()
            self._read.discard(name)
            self._found(*name, None)
        for name in set(wanted) - self._running.keys():
            self._running[name] = self._tasks.create_task(self._one(*name))
        self._count()

    async def all_read(self, timeout_seconds: float) -> bool:
        """Whether an answer was had for each of them, waiting for it at most so long."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._all_read.wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Nothing is watched any more."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()

    async def _one(self, namespace: str, name: str) -> None:
        async for found in self._watch(namespace, name):
            self._found(namespace, name, found)
            self._read.add((namespace, name))
            self._count()

    def _count(self) -> None:
        if self._running.keys() <= self._read:
            self._all_read.set()
        else:
            self._all_read.clear()
