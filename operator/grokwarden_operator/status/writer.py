"""Writes statuses, so that a reconcile never waits for the API server: it says what is to stand there, and goes on.

| what happens | what follows |
|---|---|
| several wishes for one object | the newest is written; at most one write per object and ``MIN_INTERVAL_SECONDS`` |
| what is wished stands there already | nothing |
| somebody else has overwritten it | put back by a wish once the watch shows that, or ``LAG_SECONDS`` after the write |
| the API server is away | tried again, at most ``MAX_BACKOFF_SECONDS`` apart; then the newest wishes are written |
| the API server rejects a status | said once; tried again when another is wished, or after a minute |
| the object is gone, or another has its name | never tried again |
| a condition has changed | an Event, once no status is waiting |
| this replica is not the leader | nothing; once it is, everything that does not stand there is written |
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from grokwarden_operator.cluster.client import Occurrence, Write
from grokwarden_operator.cluster.errors import ClusterError
from grokwarden_operator.listing import Kind
from grokwarden_operator.plan import StatusDraft
from grokwarden_operator.status.conditions import (
    ConditionChange,
    StatusDocument,
    changed_conditions,
    is_same_status,
    status_document,
)
from grokwarden_operator.status.status_object import ObjectKey, Outage, StatusObject, WriteResult

log = structlog.stdlib.get_logger(__name__)

MIN_INTERVAL_SECONDS: Final = 0.2
_WRITE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.5
_CONCURRENT_WRITES: Final = 8
_MOST_UNTOLD: Final = 1000  # of more Events the oldest are lost


class StatusStore(Protocol):
    """What is needed of the API server; ``Cluster`` has it. Both raise ``ClusterError``."""

    async def apply_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str,
        status: Mapping[str, Any],
        *,
        resource_version: str = "",
    ) -> Write:
        """The resource's status is this: DONE, GONE, RECREATED. The version saves a look at it."""

    async def post_event(self, occurrence: Occurrence) -> None:
        """Told as an Event in the resource's namespace."""


class StatusWriter:
    """Brings about what is wished, in a task of its own. ``wish`` and ``retain`` are called on the loop of ``run``."""

    def __init__(
        self,
        store: StatusStore,
        *,
        is_leader: Callable[[], bool],
        clock: Callable[[], float],
        now: Callable[[], datetime],
        version_of: Callable[[Kind, str], str] = lambda _kind, _uid: "",
        on_result: Callable[[WriteResult], object] = lambda _: None,
        min_interval_seconds: float = MIN_INTERVAL_SECONDS,
    ) -> None:
        """Nothing is written before ``run``.

        Args:
            store: The API server. An Event that it does not take is lost.
            is_leader: Asked before writing, and twice a second.
            clock: Monotonic.
            now: With a time zone; for conditions.
            version_of: The newest resource version that is known of an object, by its uid; empty if none is.
            on_result: Is told of each attempt.
            min_interval_seconds: Between two writes of one object.
        """
        self._store = store
        self._is_leader = is_leader
        self._clock = clock
        self._now = now
        self._version_of = version_of
        self._on_result = on_result
        self._min_interval_seconds = min_interval_seconds
        self._objects: dict[ObjectKey, StatusObject] = {}
        self._pending: dict[ObjectKey, StatusObject] = {}
        self._outage = Outage()
        self._untold: deque[tuple[ObjectKey, ConditionChange]] = deque(maxlen=_MOST_UNTOLD)
        self._bell = asyncio.Event()
        self._writing = 0
        self._has_led = False
        self._events_fail = False

    def wish(self, draft: StatusDraft, seen: Mapping[str, Any]) -> None:
        """From now on the draft is to stand there, whatever was wished before; the watch has shown ``seen`` last."""
        key = ObjectKey.of(draft)
        found = self._objects.get(key)
        if found is None:
            found = self._objects[key] = StatusObject(key=key, draft=draft, seen=seen)
        elif found.seen is seen and found.draft == draft and not found.is_awaited:
            return
        else:
            found.wish(draft, seen, now=self._clock())
        self._reckon(found)

    def retain(self, keys: Collection[ObjectKey]) -> None:
        """There are no other objects any more."""
        for key in self._objects.keys() - set(keys):
            del self._objects[key]
            self._pending.pop(key, None)

    async def run(self) -> None:
        """Writes for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._bell.clear()
                for work in self._next():
                    tasks.create_task(work)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._rest_seconds()):
                        await self._bell.wait()

    def _reckon(self, each: StatusObject) -> None:
        """It is among what is still to be written, or it isn't."""
        if each.is_pending and self._objects.get(each.key) is each:
            self._pending[each.key] = each
            self._bell.set()
        elif self._pending.get(each.key) is each:
            del self._pending[each.key]

    def _next(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What is to be begun now: statuses, the longest due first, and Events where there is nothing better to do."""
        now = self._clock()
        if not self._leads() or now < self._outage.hold_until:
            return
        due = [each for each in self._pending.values() if not each.is_writing and each.due_at <= now]
        for each in sorted(due, key=lambda each: each.due_at):
            if not self._has_room():
                return
            if (work := self._work(each)) is not None:
                self._writing += 1
                yield work
        while self._untold and self._has_room():
            self._writing += 1
            yield self._tell(*self._untold.popleft())

    def _has_room(self) -> bool:
        return self._writing < (1 if self._outage.is_on else _CONCURRENT_WRITES)

    def _rest_seconds(self) -> float:
        """Until something may be due, unless the bell rings before."""
        waiting = [each.due_at for each in self._pending.values() if not each.is_writing]
        if not waiting or not self._has_led or not self._has_room():
            return _LOOK_SECONDS
        next_at = max(min(waiting), self._outage.hold_until)
        return min(max(0.0, next_at - self._clock()), _LOOK_SECONDS)

    def _leads(self) -> bool:
        leads = self._is_leader()
        if self._has_led and not leads:  # from now on somebody else writes
            for each in self._objects.values():
                each.forget()
                self._reckon(each)
            self._untold.clear()
        self._has_led = leads
        return leads

    def _work(self, each: StatusObject) -> Coroutine[Any, Any, None] | None:
        """What writes it; ``None`` if it stands there already."""
        before = each.standing
        status = status_document(each.draft, before, now=self._now())
        if is_same_status(before, status):
            each.settle(each.draft)
            self._reckon(each)
            return None
        each.is_writing = True
        return self._write(each, each.draft, status, changed_conditions(before, status))

    async def _write(
        self, each: StatusObject, draft: StatusDraft, status: StatusDocument, changes: list[ConditionChange]
    ) -> None:
        result = await self._attempt(each, draft, status)
        self._on_result(result)
        each.is_writing = False
        self._reckon(each)
        if result is WriteResult.WRITTEN:
            self._untold.extend((each.key, change) for change in changes)
        self._writing -= 1
        self._bell.set()

    async def _attempt(self, each: StatusObject, draft: StatusDraft, status: StatusDocument) -> WriteResult:
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                version = self._version_of(each.key.kind, each.key.uid)
                done = await self._store.apply_status(*each.key, status, resource_version=version)
        except TimeoutError:
            return self._unanswered(each, f"no answer within {_WRITE_SECONDS:.0f} s")
        except ClusterError as error:
            return self._unanswered(each, str(error)) if error.is_retriable else self._rejected(each, str(error))
        self._answered()
        if done is not Write.DONE:
            each.vanished()
            return WriteResult.GONE
        each.wrote(draft, status, now=self._clock(), interval_seconds=self._min_interval_seconds)
        return WriteResult.WRITTEN

    def _unanswered(self, each: StatusObject, trouble: str) -> WriteResult:
        each.failed(now=self._clock())
        if self._outage.failed(each.key, now=self._clock()):
            log.warning("status_unwritten", object=str(each.key), reason=trouble, is_retried=True)
        return WriteResult.RETRIED

    def _rejected(self, each: StatusObject, trouble: str) -> WriteResult:
        self._answered()
        if each.rejected(trouble, now=self._clock()):
            log.error("status_unwritten", object=str(each.key), reason=trouble, is_retried=False)
        return WriteResult.REJECTED

    def _answered(self) -> None:
        """The API server is there; what waited for it goes on at once."""
        if self._outage.answered():
            now = self._clock()
            for each in self._pending.values():
                each.hurry(now=now)
            log.info("status_writes_resumed", pending=len(self._pending))

    async def _tell(self, key: ObjectKey, change: ConditionChange) -> None:
        """The Event is posted, or lost: the status says the same, and keeps saying it."""
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._store.post_event(_occurrence(key, change))
        except (TimeoutError, ClusterError) as error:
            if not self._events_fail:
                log.warning("event_unposted", object=str(key), reason=str(error) or "no answer in time")
            self._events_fail = True
        else:
            self._events_fail = False
        self._writing -= 1
        self._bell.set()


def _occurrence(key: ObjectKey, change: ConditionChange) -> Occurrence:
    kind, namespace, name, uid = key
    return Occurrence(
        kind=kind,
        namespace=namespace,
        name=name,
        uid=uid,
        is_warning=change.is_warning,
        reason=change.reason,
        action=change.type,
        note=f"{change.type} is {change.status}: {change.message}",
    )
