"""The packs' statuses as ``kubectl wait`` would see them: from a watch, with the time at which each came."""

import asyncio
import time
from dataclasses import dataclass

from benchmarks.convergence.api import PACKS, Api
from benchmarks.convergence.documents import Object
from benchmarks.convergence.errors import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Programmed:
    """A pack's status said that a generation runs everywhere."""

    at: float
    acked: int


class Statuses:
    """When each generation of each pack was first said to be programmed."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._path = PACKS.format(namespace)
        self._programmed: dict[tuple[str, int], Programmed] = {}
        self._last: dict[str, Object] = {}
        self._bell = asyncio.Event()

    async def watch(self) -> None:
        """Takes in every event, for ever."""
        while True:
            async for event in self._api.watch(self._path):
                self._take(event["object"])

    async def programmed(self, pack: str, generation: int, *, timeout_seconds: float) -> Programmed:
        """When that was first said of this very generation.

        Raises:
            RunError: It was not in time.
        """
        key = (pack, generation)
        try:
            async with asyncio.timeout(timeout_seconds):
                while key not in self._programmed:
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            status = self._last.get(pack, {}).get("status")
            raise RunError(
                f"{pack}, generation {generation}: not Programmed within {timeout_seconds:g} s; status: {status}"
            ) from None
        return self._programmed[key]

    def _take(self, pack: Object) -> None:
        name, status = pack["metadata"]["name"], pack.get("status", {})
        self._last[name] = pack
        for condition in status.get("conditions", ()):
            if condition["type"] == "Programmed" and condition["status"] == "True":
                acked = status.get("sidecars", {}).get("acked", 0)
                key = (name, condition["observedGeneration"])
                self._programmed.setdefault(key, Programmed(at=time.monotonic(), acked=acked))
        self._bell.set()
