"""The parts of one sidecar, joined: everything that serves calls and tells of itself, whatever it is supplied with."""

import asyncio
import os
import random
import time
from collections.abc import Iterator

from grokwarden.catalog import Catalog, load_catalog
from grokwarden_sidecar.audit.writer import AuditWriter
from grokwarden_sidecar.calls.accounting import Accountant
from grokwarden_sidecar.calls.answering import Answerer
from grokwarden_sidecar.calls.app import DataPlane
from grokwarden_sidecar.calls.call_log import CallLedger
from grokwarden_sidecar.calls.proxy import ChatProxy, Dispatcher, ModelsProxy
from grokwarden_sidecar.calls.routing import TargetStates
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from grokwarden_sidecar.configuration.applying import Applier
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.metrics import Metrics
from grokwarden_sidecar.serving.admin import AdminPlane
from grokwarden_sidecar.settings import ServingSettings
from grokwarden_sidecar.supply import Supply


class Sidecar:
    """The parts of one sidecar."""

    def __init__(
        self,
        settings: ServingSettings,
        supply: Supply,
        audit: AuditWriter,
        upstream: AiohttpUpstream,
        tasks: asyncio.TaskGroup,
    ) -> None:
        catalog = load_catalog()
        label = _ModelLabels(catalog)
        self._settings = settings
        self._supply = supply
        self._upstream = upstream
        self._audit = audit
        self._tasks = tasks
        self._background: list[asyncio.Task[None]] = []
        self.is_draining = False
        self.metrics = Metrics()
        self.metrics.watch_audit(lambda: (audit.counters.written, audit.counters.dropped))
        self.store = BundleStore(metrics=self.metrics, now=time.time)
        self.metrics.watch_staleness(lambda: supply.staleness_seconds(self.store))
        self._applier = Applier(
            store=self.store,
            upstream=upstream,
            states=TargetStates(clock=time.monotonic),
            catalog=catalog,
            isolates=supply.isolates,
            missing_keys=supply.missing_keys,
            dice=random.random,
            now=time.time,
            clock_ns=time.perf_counter_ns,
        )
        chat, models = self._handlers(catalog, label)
        ledger = CallLedger(
            identity=lambda: supply.identity,
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

    def _handlers(self, catalog: Catalog, label: "_ModelLabels") -> tuple[ChatProxy, ModelsProxy]:
        """What serves each kind of call."""
        dispatcher = Dispatcher(
            upstream=self._upstream, keys=self._supply.keys, observer=self.metrics, clock_ns=time.perf_counter_ns
        )
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

    def admin_plane(self, *, shows_config: bool) -> AdminPlane:
        """What the sidecar tells of itself; with ``shows_config`` also what is in force, and why."""
        return AdminPlane(
            store=self.store,
            supply=self._supply,
            metrics=self.metrics,
            audit_failure=self._audit.failure,
            is_draining=lambda: self.is_draining,
            shows_config=shows_config,
        )

    async def start(self) -> None:
        """What there is to begin with is in force, and what follows will be.

        Raises:
            StartRefused: It can't be used.
        """
        await self._supply.begin(self._applier, self.store)
        self._background = [self._tasks.create_task(work) for work in self._supply.background(self._applier)]

    def stop(self) -> None:
        """Nothing more is followed."""
        for task in self._background:
            task.cancel()


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
