"""Keeps the inventory true: kopf's watches tell what changes, own lists tell what those missed.

Own lists are made at the start, before anything may be published; after each list of kopf's, since kopf does not tell
of deletions that it missed; every few minutes; and whenever a watch is doubted.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from grokwarden_operator.cluster.client import Cluster
from grokwarden_operator.cluster.connection import Connection
from grokwarden_operator.cluster.errors import ClusterError
from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.facts import RawObject, fact_of
from grokwarden_operator.watching.inventory import Inventory, version_number
from grokwarden_operator.watching.kopf_settings import ListeningTimings
from grokwarden_operator.watching.listening import ListeningError, listen
from grokwarden_operator.watching.watchdog import Trouble, Watchdog, WatchdogTimings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CHANGES: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimings:
    """How long things may take; tests have them shorter.

    Attributes:
        resync_seconds: Between two lists of everything,
        recheck_seconds: and as long as a watch is doubted.
        restart_seconds: Before kopf is started anew.
        look_seconds: Between two looks at whether the watches are alive.
        retry_seconds: After a list that failed; it doubles up to ``longest_retry_seconds``.
    """

    listening: ListeningTimings = field(default_factory=ListeningTimings)
    watchdog: WatchdogTimings = field(default_factory=WatchdogTimings)
    resync_seconds: float = 300.0
    recheck_seconds: float = 30.0
    restart_seconds: float = 1.0
    look_seconds: float = 1.0
    retry_seconds: float = 0.1
    longest_retry_seconds: float = 2.0


DEFAULT_TIMINGS: Final = WatchTimings()


class Watching:
    """What is heard from the API server, and whether anything still is.

    Args:
        wake: Called on the loop whenever something changed that makes a difference.
        clock: Monotonic.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        cluster: Cluster,
        inventory: Inventory,
        wake: Callable[[], object],
        clock: Callable[[], float],
        timings: WatchTimings = DEFAULT_TIMINGS,
    ) -> None:
        self._connection = connection
        self._cluster = cluster
        self._inventory = inventory
        self._wake = wake
        self._timings = timings
        self._watchdog = Watchdog(clock, timings.watchdog)
        self._locks = {kind: asyncio.Lock() for kind in Kind}
        self._to_list: set[Kind] = set()
        self._bell = asyncio.Event()
        self._deaf = asyncio.Event()
        self._complete = asyncio.Event()
        self._never_listed = set(Kind)
        self._answers: bool | None = None
        self._error = ""

    async def run(self) -> None:
        """Listens until it is cancelled; whatever goes wrong is logged, and mended as far as it can be."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listening())
            tasks.create_task(self._keep_listing())
            tasks.create_task(self._keep_judging())

    async def ready(self) -> None:
        """Returns once every kind was listed completely: nothing may be published before."""
        await self._complete.wait()

    @property
    def is_ready(self) -> bool:
        """Every kind was listed completely."""
        return self._complete.is_set()

    @property
    def is_connected(self) -> bool:
        """The API server has done what it was asked last."""
        return self._answers is True

    @property
    def problem(self) -> str:
        """Why nothing new is heard, as the last attempt told it; empty if all is well, or nothing was tried yet."""
        return self._error if self._answers is False else ""

    def healthy(self) -> bool:
        """False once restarting kopf again and again did not bring a watch back; then only a new process may help."""
        return self._watchdog.healthy()

    def ages(self) -> Mapping[Kind, float]:
        """For how many seconds nothing was heard of each kind's watch."""
        return self._watchdog.ages()

    @property
    def restarts(self) -> int:
        """How often kopf had to be started anew."""
        return self._watchdog.restarts

    # What kopf tells

    def heard(self, kind: Kind, change: str | None, raw: RawObject) -> None:
        """Takes in an event."""
        fact = fact_of(kind, raw)
        if fact is None:
            return
        version = version_number(fact.resource_version)
        self._watchdog.told(kind, fact.uid, version, is_change=change in _CHANGES)
        is_gone = change == "DELETED"
        if self._inventory.remove(kind, fact.uid) if is_gone else self._inventory.put(kind, fact):
            self._wake()

    def opened(self, kind: Kind, *, is_relisted: bool) -> None:
        """Takes note of a watch; after a list of kopf's there may be something that it did not tell."""
        self._note(answers=True)
        self._watchdog.opened(kind)
        if is_relisted:
            self._to_list.add(kind)
            self._bell.set()

    def failed(self, kind: Kind) -> None:  # noqa: ARG002 - which one says nothing more
        """Takes note of an attempt that came to nothing."""
        self._note(answers=False)

    # What is done about it

    async def _keep_listening(self) -> None:
        """Listens for ever, each time after everything was listed: so it finds an API server, and our CRDs."""
        while True:
            for kind in Kind:
                await self._list_at_last(kind)
            self._deaf.clear()
            self._watchdog.started()
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen())
                deaf = tasks.create_task(self._deaf.wait())
                await asyncio.wait({listening, deaf}, return_when=asyncio.FIRST_COMPLETED)
                listening.cancel()
                deaf.cancel()
            await asyncio.sleep(self._timings.restart_seconds)

    async def _listen(self) -> None:
        try:
            await listen(self._connection, self, self._timings.listening)
        except ListeningError as error:
            self._watchdog.restarting(Trouble.ENDED, None)
            log.error("watches_ended", error=str(error), restarts=self._watchdog.restarts)

    async def _list_at_last(self, kind: Kind) -> None:
        """The kind is listed, however long the API server is away."""
        pause = self._timings.retry_seconds
        while True:
            try:
                return await self._list(kind, is_first=True)
            except ClusterError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._timings.longest_retry_seconds)

    async def _keep_listing(self) -> None:
        """Everything is listed now and then, and a kind whenever that is asked for."""
        while True:
            is_doubted = self._watchdog.is_doubted()
            rest = self._timings.recheck_seconds if is_doubted else self._timings.resync_seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._bell.wait()
            self._bell.clear()
            kinds = set(self._to_list) or set(Kind)
            self._to_list.clear()
            if not await self._list_all(kinds):
                await asyncio.sleep(self._timings.longest_retry_seconds)

    async def _list_all(self, kinds: set[Kind]) -> bool:
        """Lists these kinds; those that fail are listed again later."""
        for kind in kinds:
            try:
                await self._list(kind)
            except ClusterError:
                self._to_list.add(kind)
                self._bell.set()
        return not self._to_list

    async def _list(self, kind: Kind, *, is_first: bool = False) -> None:
        """The inventory holds what there is of a kind.

        Raises:
            ClusterError: It could not be listed.
        """
        async with self._locks[kind]:
            try:
                listed = await self._cluster.list_facts(kind)
            except ClusterError as error:
                self._note(answers=False, error=error)
                raise
            self._note(answers=True)
            changes = self._inventory.replace(kind, listed.facts, listed.resource_version)
            if not is_first:
                self._watchdog.listed(kind, changes.newer, lambda uid: self._inventory.knows(kind, uid))
        self._never_listed.discard(kind)
        if not (self._never_listed or self._complete.is_set()):
            self._complete.set()
            self._wake()
        elif changes.count:
            self._wake()

    async def _keep_judging(self) -> None:
        """A deaf watch has all of them started anew."""
        await self.ready()
        while True:
            await asyncio.sleep(self._timings.look_seconds)
            if self._deaf.is_set():
                continue
            for kind in Kind:
                if (trouble := await self._trouble(kind)) is not None:
                    self._watchdog.restarting(trouble, kind)
                    age = round(self._watchdog.ages()[kind], 1)
                    log.error("watch_found_deaf", kind=kind, trouble=trouble, age_seconds=age)
                    self._deaf.set()
                    break

    async def _trouble(self, kind: Kind) -> Trouble | None:
        if self._watchdog.is_undelivered(kind):
            return Trouble.UNDELIVERED
        if not self._watchdog.is_to_be_probed(kind):
            return None
        try:
            await self._list(kind)
        except ClusterError:
            is_deaf = self._watchdog.probed(kind, answers=False)
        else:
            is_deaf = self._watchdog.probed(kind, answers=True)
        return Trouble.SILENT if is_deaf else None

    def _note(self, *, answers: bool, error: ClusterError | None = None) -> None:
        if error is not None:
            self._error = str(error)
        if answers == self._answers:
            return
        self._answers = answers
        if answers:
            log.info("api_server_answered", server=self._connection.server)
        else:
            self._error = str(error or "a watch could not be opened; it is tried again")
            log.warning("api_server_lost", server=self._connection.server, error=self._error)
