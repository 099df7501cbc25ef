"""Records go from the call path to disk without making a call wait, and none is lost while this process lives.

``append`` puts a record in a queue; one thread chains, writes and syncs batches of them. When the disk fails, the batch
is kept and tried again; ``state`` says so, and the proxy refuses calls until it is healthy again. A record that is in
the queue when the process is killed is lost: at most ``batch_seconds`` and one sync of records, and those of a batch
that was failing.
"""

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grokwarden.audit.errors import AuditError, AuditUnavailableError
from grokwarden.audit.record import AuditRecord
from grokwarden_sidecar.audit.store import AuditStore

_GROUP: Final = 32  # records per write: between writes other threads run, so the event loop waits 0.3 ms at most
_BATCH: Final = 1024
_OVERFLOW: Final = 4  # times queue_limit: beyond it memory, not the disk, is what would be lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """Calls may be served: their records will be on disk soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Calls must be refused; ``reason`` is for the log and for ``/readyz``, never for a client."""

    reason: str


AuditState = Healthy | Failed

_HEALTHY: Final = Healthy()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCounters:
    """What happened since the start.

    Attributes:
        written: Records on disk, ``recovered`` ones of the start excluded.
        queued: Records not yet on disk.
        dropped: Records lost, by reason: ``queue_full``, ``closed``, ``unwritable`` (at close).
        last_error: Of the last failed attempt; stays after it was overcome.
    """

    written: int
    size_bytes: int
    queued: int
    dropped: dict[str, int]
    last_error: str | None

    @property
    def lost(self) -> int:
        """Records lost, whatever for."""
        return sum(self.dropped.values())


class AuditWriter:
    """The one writer of an audit directory. Made and closed once; every method may be called from the event loop."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float],
        segment_bytes: int = 64 * 1024 * 1024,
        signing_key: Ed25519PrivateKey | None = None,
        new_chain_id: Callable[[], str] = lambda: secrets.token_hex(16),
        monotonic: Callable[[], float] = time.monotonic,
        queue_limit: int = 4096,
        batch_seconds: float = 0.02,
        head_seconds: float = 0.2,
        retry_seconds: tuple[float, float] = (0.05, 2.0),
    ) -> None:
        """Lock the directory, mend what a crash left, and start to write. Blocks for some milliseconds.

        Args:
            directory: Made if need be, for its owner alone; an existing one keeps its mode.
            clock: Unix seconds, for the head and for ``recovered`` records; a call's ``time`` is its caller's.
            segment_bytes: A segment that would grow past this is sealed, and the next one begun.
            signing_key: Instead of the one in the directory.
            new_chain_id: Names a chain, when the directory has none yet.
            monotonic: Seconds, to space the heads.
            queue_limit: From this many waiting records on, ``state`` is ``Failed``, so that no new call is let in.
                Calls that are already in are still recorded.
            batch_seconds: How long a record may wait for others to be written with.
            head_seconds: The shortest time between two heads, unless somebody waits for one.
            retry_seconds: The first and the longest pause before a failed batch is tried again.

        Raises:
            AuditError: The directory is busy, or its log can't be continued.
            OSError: The directory can't be read or written.
        """
        self._store = AuditStore(
            directory,
            clock=clock,
            new_chain_id=new_chain_id,
            segment_bytes=segment_bytes,
            signing_key=signing_key,
        )
        self._directory = directory
        self._monotonic = monotonic
        self._queue_limit = queue_limit
        self._batch_seconds = batch_seconds
        self._head_seconds = head_seconds
        self._retry_seconds = retry_seconds
        self._queue: deque[AuditRecord] = deque()
        self._flushes: deque[Future[None]] = deque()
        self._failure: Failed | None = None
        self._overfull = Failed(reason=f"{queue_limit} audit records wait for {directory}")
        self._written = 0
        self._dropped: dict[str, int] = {}
        self._last_error: str | None = None
        self._head_time = monotonic()
        self._is_idle = False
        self._is_closing = False
        self._wake = threading.Event()  # something came while the thread was idle
        self._urgent = threading.Event()  # somebody waits: don't gather
        self._abandon = threading.Event()  # closing took too long: give up what can't be written
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
        self._thread.start()

    @property
    def chain_id(self) -> str:
        return self._store.chain_id

    @property
    def public_key(self) -> str:
        """What ``grokwarden audit verify --trusted-key`` takes."""
        return self._store.public_key

    @property
    def state(self) -> AuditState:
        """Whether calls may be served now."""
        if self._failure is not None:
            return self._failure
        if len(self._queue) >= self._queue_limit:
            return self._overfull
        return _HEALTHY

    def failure(self) -> str | None:
        """Why calls must be refused now, or ``None``."""
        state = self.state
        return state.reason if isinstance(state, Failed) else None

    @property
    def counters(self) -> AuditCounters:
        return AuditCounters(
            written=self._written,
            size_bytes=self._store.appended_bytes,
            queued=len(self._queue) + self._store.pending_records,
            dropped=dict(self._dropped),
            last_error=self._last_error,
        )

    def append(self, record: AuditRecord) -> bool:
        """Take the record over; the caller must not change it any more.

        Returns whether it will be written. It is not only after ``close``, or when calls were let in for long while
        ``state`` was ``Failed``; it is counted then.
        """
        if self._is_closing or len(self._queue) >= _OVERFLOW * self._queue_limit:
            self._drop("closed" if self._is_closing else "queue_full", 1)
            return False
        self._queue.append(record)
        if self._is_idle:
            self._is_idle = False
            self._wake.set()
        return True

    async def flush(self, *, timeout_seconds: float = 10.0) -> None:
        """Everything appended so far is on disk, and the head that covers it is signed. Does nothing once closed.

        Raises:
            AuditUnavailableError: Not in this time; the writer goes on trying.
        """
        if not self._thread.is_alive():
            return
        done: Future[None] = Future()
        self._flushes.append(done)
        self._urgent.set()
        self._wake.set()
        try:
            await asyncio.wait_for(asyncio.wrap_future(done), timeout_seconds)
        except TimeoutError as error:
            raise self._unavailable(f"not flushed within {timeout_seconds:g} s") from error

    async def close(self, *, timeout_seconds: float = 10.0) -> None:
        """Everything is on disk, the head is signed and the directory is free. A second call says the same.

        Raises:
            AuditUnavailableError: Records could not be written in this time, and are lost with this process; or all
                are written, but the head that covers the last of them is not.
        """
        self._is_closing = True
        self._urgent.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join, timeout_seconds)
        if self._thread.is_alive():
            self._abandon.set()
            self._urgent.set()
            await asyncio.to_thread(self._thread.join)
        lost = self._dropped.get("unwritable", 0)
        if lost or self._failure is not None:
            raise self._unavailable(f"closed with {lost} records unwritten")

    def _unavailable(self, what: str) -> AuditUnavailableError:
        return AuditUnavailableError(f"audit log {self._directory}: {what}; last error: {self._last_error or 'none'}")

    def _drop(self, reason: str, count: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + count

    # What follows runs in the writer's thread alone.

    def _run(self) -> None:
        try:
            while not self._is_finished():
                self._await_work()
                self._work()
        except BaseException:
            self._failure = Failed(reason="the audit writer ended unexpectedly")
            raise
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """Count what could not be written, answer who still waits, and free the directory."""
        if unwritten := self._store.pending_records + len(self._queue):
            self._drop("unwritable", unwritten)
        while self._flushes:
            self._answer(self._flushes.popleft(), self._unavailable("closed before it was flushed"))
        self._store.close()

    def _is_finished(self) -> bool:
        return self._abandon.is_set() or (self._is_closing and not self._queue and not self._is_head_behind())

    def _is_head_behind(self) -> bool:
        return self._store.head_seq < self._store.synced.seq

    def _await_work(self) -> None:
        """Wait for a record, then a little for more of them; or until the head is due, or somebody waits."""
        self._wake.clear()
        self._is_idle = True
        if not self._queue and not self._urgent.is_set():
            due = self._head_time + self._head_seconds - self._monotonic()
            self._wake.wait(max(0.0, due) if self._is_head_behind() else None)
        self._is_idle = False
        if self._queue:
            self._urgent.wait(self._batch_seconds)

    def _work(self) -> None:
        self._urgent.clear()
        waiting = len(self._flushes)
        for _ in range(len(self._queue) // _BATCH + 1):
            self._until_done(self._write_batch)
        is_due = self._monotonic() - self._head_time >= self._head_seconds
        if self._is_head_behind() and (waiting or self._is_closing or is_due):
            self._until_done(self._write_head)
        if not self._abandon.is_set():
            for _ in range(waiting):
                self._answer(self._flushes.popleft(), None)

    def _answer(self, flush: Future[None], error: AuditUnavailableError | None) -> None:
        if not flush.set_running_or_notify_cancel():
            return
        if error is None:
            flush.set_result(None)
        else:
            flush.set_exception(error)

    def _write_batch(self) -> None:
        """Write the records of a failed attempt, if any, then a batch from the queue."""
        self._store.write()
        for _ in range(_BATCH // _GROUP):
            if not self._queue:
                break
            for _ in range(min(_GROUP, len(self._queue))):
                self._store.link(self._queue.popleft())
            self._store.write()
        count = self._store.pending_records
        self._store.sync()
        self._written += count

    def _write_head(self) -> None:
        self._store.write_head()
        self._head_time = self._monotonic()

    def _until_done(self, step: Callable[[], None]) -> None:
        """Do the step, again and again with longer pauses while the disk fails, until it works or we give up."""
        pause, longest = self._retry_seconds
        while not self._abandon.is_set():
            try:
                step()
            except (OSError, AuditError) as error:
                self._last_error = f"{error}"
                self._failure = Failed(reason=f"audit log {self._directory}: {error}")
                self._abandon.wait(pause)
                pause = min(2 * pause, longest)
            else:
                self._failure = None
                return
