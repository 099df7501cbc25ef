"""One sidecar process: everything is made here, and taken down in order."""

import asyncio
import contextlib
import ctypes
import gc
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
import uvloop

from grokwarden.audit.errors import AuditError, AuditUnavailableError
from grokwarden.catalog import Catalog, load_catalog
from grokwarden.compilation import CompileRequest
from grokwarden.errors import GrokwardenError
from grokwarden_sidecar.accounting import Accountant
from grokwarden_sidecar.admin import AdminPlane
from grokwarden_sidecar.answering import Answerer
from grokwarden_sidecar.app import DataPlane
from grokwarden_sidecar.audit_writer import AuditWriter
from grokwarden_sidecar.bundle_source import BundleSource, FileSource, Rejection, Update
from grokwarden_sidecar.bundle_store import BundleStore
from grokwarden_sidecar.call_log import CallLedger, Identity
from grokwarden_sidecar.keys import KeyRing
from grokwarden_sidecar.logs import log_stray_error
from grokwarden_sidecar.metrics import Metrics
from grokwarden_sidecar.proxy import ChatProxy, Dispatcher, ModelsProxy
from grokwarden_sidecar.routing import TargetStates
from grokwarden_sidecar.servers import HttpServer, address_of, listen
from grokwarden_sidecar.settings import Address, RunSettings, SettingsError
from grokwarden_sidecar.upstream import ConnectFailed
from grokwarden_sidecar.upstream_aiohttp import AiohttpUpstream

log = structlog.stdlib.get_logger(__name__)

_AUDIT_CLOSE_SECONDS: Final = 10.0
_GC_THRESHOLD: Final = 10_000  # objects; a call makes a few hundred, nearly all of them freed by their counts


class StartRefused(GrokwardenError):
    """The first configuration can't be used, and there is none before it to fall back on."""

    def __init__(self, problems: tuple[str, ...], *, is_unreadable: bool = False) -> None:
        self.problems = problems
        self.is_unreadable = is_unreadable
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a started sidecar is reached."""

    listen: Address
    admin: Address


def run(settings: RunSettings, *, on_serving: Callable[[Serving], None]) -> None:
    """A standalone sidecar has served until SIGTERM or SIGINT, and its calls have ended.

    Raises:
        StartRefused: The configuration can't be used.
        SettingsError: An address or the audit directory can't be used.
        AuditUnavailableError: Everything ended well, but audit records were lost.
    """
    try:
        uvloop.run(_run(settings, on_serving))
    except ExceptionGroup as group:  # the task group wraps whatever ends it
        if len(group.exceptions) == 1 and isinstance(group.exceptions[0], StartRefused):
            raise group.exceptions[0] from None
        raise


async def _run(settings: RunSettings, on_serving: Callable[[Serving], None]) -> None:
    asyncio.get_running_loop().set_exception_handler(log_stray_error)
    data_socket = listen(settings.listen, flag="--listen")
    admin_socket = listen(settings.admin, flag="--admin")
    try:
        audit = AuditWriter(settings.audit_dir, clock=time.time)
    except (AuditError, OSError) as error:
        raise SettingsError(f"--audit-dir {settings.audit_dir}: {error}") from error
    try:
        async with AiohttpUpstream() as upstream, asyncio.TaskGroup() as tasks:
            sidecar = _Sidecar(settings, audit, upstream, tasks)
            data = HttpServer(
                sidecar.data_plane,
                data_socket,
                drain_seconds=settings.drain_seconds,
                on_refused=sidecar.metrics.refused,
            )
            admin = HttpServer(sidecar.admin_plane, admin_socket, drain_seconds=1)
            _on_signals(sidecar, data)
            await sidecar.start()
            _settle_memory()
            serving_admin = tasks.create_task(admin.serve_forever())
            serving = Serving(listen=address_of(data_socket), admin=address_of(admin_socket))
            log.info("serving", listen=str(serving.listen), admin=str(serving.admin), source=sidecar.source.description)
            on_serving(serving)
            await data.serve_forever()
            admin.stop(at_once=True)
            await serving_admin
            sidecar.stop()
            log.info("drained")
    finally:
        await _close_audit(audit)


async def _close_audit(audit: AuditWriter) -> None:
    """The audit log is complete, or it was said what it lacks.

    Raises:
        AuditUnavailableError: Records were lost.
    """
    try:
        await audit.close(timeout_seconds=_AUDIT_CLOSE_SECONDS)
    except AuditUnavailableError as error:
        if audit.counters.lost:
            raise
        log.warning("audit_head_unwritten", reason=str(error))
    if lost := audit.counters.lost:
        raise AuditUnavailableError(f"{lost} audit records were lost while the proxy ran: {audit.counters.dropped}")


class _Sidecar:
    """The parts of one sidecar, joined."""

    def __init__(
        self, settings: RunSettings, audit: AuditWriter, upstream: AiohttpUpstream, tasks: asyncio.TaskGroup
    ) -> None:
        catalog = load_catalog()
        label = _ModelLabels(catalog)
        self._settings = settings
        self._upstream = upstream
        self._tasks = tasks
        self._watching: asyncio.Task[None] | None = None
        self.is_draining = False
        self.metrics = Metrics()
        self.metrics.watch_audit(lambda: (audit.counters.written, audit.counters.dropped))
        keys = KeyRing(settings.environ, clock=time.monotonic)
        self.store = BundleStore(
            keys=keys,
            states=TargetStates(clock=time.monotonic),
            catalog=catalog,
            dice=random.random,
            metrics=self.metrics,
            now=time.time,
            clock_ns=time.perf_counter_ns,
        )
        self.source: BundleSource = FileSource(_compile_request(settings))
        self._updates = self.source.updates()
        chat, models = self._handlers(upstream, keys, catalog, label)
        ledger = CallLedger(
            identity=Identity(namespace=settings.namespace, pod=settings.pod, service_account=settings.service_account),
            metrics=self.metrics,
            append=audit.append,
            clock_ns=time.perf_counter_ns,
            now=time.time,
            new_id=_random_ids().__next__,
            label=label,
        )
        self.data_plane = DataPlane(
            store=self.store,
            ledger=ledger,
            metrics=self.metrics,
            audit_failure=audit.failure,
            chat=chat.handle,
            models=models.handle,
            tasks=tasks,
        )
        self.admin_plane = AdminPlane(
            store=self.store,
            metrics=self.metrics,
            audit_failure=audit.failure,
            is_draining=lambda: self.is_draining,
            source=self.source.description,
        )

    def _handlers(
        self, upstream: AiohttpUpstream, keys: KeyRing, catalog: Catalog, label: "_ModelLabels"
    ) -> tuple[ChatProxy, ModelsProxy]:
        """What serves each kind of call."""
        dispatcher = Dispatcher(upstream=upstream, keys=keys, observer=self.metrics, clock_ns=time.perf_counter_ns)
        answerer = Answerer(
            accountant=Accountant(metrics=self.metrics, catalog=catalog, label=label),
            metrics=self.metrics,
            clock_ns=time.perf_counter_ns,
            now=time.time,
            max_answer_bytes=self._settings.max_answer_bytes,
        )
        chat = ChatProxy(
            dispatcher=dispatcher,
            answerer=answerer,
            metrics=self.metrics,
            now=time.time,
            max_body_bytes=self._settings.max_body_bytes,
        )
        models = ModelsProxy(dispatcher=dispatcher, answerer=answerer, metrics=self.metrics)
        return chat, models

    async def start(self) -> None:
        """The first configuration is in force, and the next ones will be.

        Raises:
            StartRefused: It can't be used.
        """
        first = await anext(aiter(self._updates))
        if isinstance(first, Rejection):
            raise StartRefused(tuple(first.problems), is_unreadable=first.is_unreadable)
        await self._apply(first)
        if self.store.current is None:
            raise StartRefused(self.store.problems)
        self._watching = self._tasks.create_task(self._follow())

    async def _follow(self) -> None:
        async for update in self._updates:
            await self._apply(update)

    async def _apply(self, update: Update | Rejection) -> None:
        if isinstance(update, Rejection):
            self.store.reject(update.problems)
            return
        try:
            await self._upstream.prepare(update.bundle.targets)
        except ConnectFailed as error:  # a caBundle without certificates
            self.store.reject([str(error)])
            return
        await self.store.apply(update.bundle)

    def stop(self) -> None:
        """Nothing more is watched."""
        if self._watching is not None:
            self._watching.cancel()


class _ModelLabels:
    """Models as labels: the catalogue's names as they are, everything else ``other``."""

    def __init__(self, catalog: Catalog) -> None:
        names = {name for model in catalog.models for name in (model.id, *model.aliases)}
        names |= {name for retirement in catalog.retirements for name in retirement.names}
        self._names = frozenset(names)

    def __call__(self, model: str) -> str:
        return model if model in self._names else "other"


def _random_ids() -> Iterator[str]:
    """Ids of 128 random bits, drawn from the system many at a time."""
    while True:
        digits = os.urandom(16 * 256).hex()
        for start in range(0, len(digits), 32):
            yield digits[start : start + 32]


def _settle_memory() -> None:
    """What the start made stays: the collector looks at calls alone from now on, and what was free is given back."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 10, 10)
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _compile_request(settings: RunSettings) -> CompileRequest:
    return CompileRequest(
        paths=settings.config,
        namespace=settings.namespace,
        pod_labels=None if settings.pod_labels is None else dict(settings.pod_labels),
        root_namespace=settings.root_namespace,
    )


def _on_signals(sidecar: _Sidecar, data: HttpServer) -> None:
    """SIGTERM and SIGINT drain; the second one ends at once."""

    def stop() -> None:
        data.stop(at_once=sidecar.is_draining)
        if not sidecar.is_draining:
            sidecar.is_draining = True
            log.info("draining")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
