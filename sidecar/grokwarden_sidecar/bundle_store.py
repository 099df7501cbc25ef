"""The bundle in force. One reference, swapped whole; a call keeps the snapshot it began with."""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from grokwarden.bundle import Bundle
from grokwarden.catalog import Catalog
from grokwarden.engine import Engine
from grokwarden.errors import GrokwardenError
from grokwarden.policies import audit_logger
from grokwarden_sidecar.keys import KeyRing
from grokwarden_sidecar.metrics import Metrics
from grokwarden_sidecar.routing import Router, TargetStates

log = structlog.stdlib.get_logger(__name__)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one call is governed by.

    Attributes:
        router: ``None`` where no pack says where calls go.
        records_all: Calls in which no step acted are recorded too.
        applied_at: Seconds since the epoch.
    """

    bundle: Bundle
    engine: Engine
    router: Router | None
    records_all: bool
    applied_at: float


class BundleStore:
    """Applies bundles and remembers what went wrong with the last one that could not be.

    Attributes:
        current: ``None`` until the first bundle is applied; calls are refused until then.
        problems: Why the newest configuration is not in force; empty when it is.
    """

    def __init__(
        self,
        *,
        keys: KeyRing,
        states: TargetStates,
        catalog: Catalog,
        dice: Callable[[], float],
        metrics: Metrics,
        now: Callable[[], float],
        clock_ns: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._states = states
        self._catalog = catalog
        self._dice = dice
        self._metrics = metrics
        self._now = now
        self._clock_ns = clock_ns
        self._rejected_at: float | None = None
        self.current: Snapshot | None = None
        self.problems: tuple[str, ...] = ()
        metrics.watch_staleness(lambda: self.staleness_seconds)

    @property
    def staleness_seconds(self) -> float:
        """For how long a newer configuration than the one in force has been refused."""
        return 0.0 if self._rejected_at is None else self._now() - self._rejected_at

    async def apply(self, bundle: Bundle) -> bool:
        """The bundle is in force for every call that begins from now on; on any error the one before it stays."""
        started = self._clock_ns()
        try:
            snapshot = await asyncio.to_thread(self._prepare, bundle)
        except GrokwardenError as error:
            self.reject(str(error).splitlines())
            return False
        self.current = snapshot
        self._states.keep_only(bundle.targets)
        self.problems, self._rejected_at = (), None
        generations = ((pack.name, pack.generation) for pack in bundle.manifest.packs)
        self._metrics.applied(generations, snapshot.router.circuits if snapshot.router else {})
        took_ms = round((self._clock_ns() - started) / 1e6, 1)
        log.info("bundle_applied", version=bundle.version[:19], packs=[p.name for p in bundle.packs], took_ms=took_ms)
        return True

    def reject(self, problems: list[str]) -> None:
        """A newer configuration can't be used; calls go on under the one before it, if there is one."""
        self.problems = tuple(problems)
        if self._rejected_at is None:
            self._rejected_at = self._now()
        self._metrics.rejected()
        keeping = self.current.bundle.version[:19] if self.current else None
        log.error("bundle_rejected", problems=problems, keeping=keeping)

    def _prepare(self, bundle: Bundle) -> Snapshot:
        missing = self._keys.check(bundle.targets)
        if missing:
            raise GrokwardenError("\n".join(str(problem) for problem in missing))
        engine = Engine(bundle, clock_ns=self._clock_ns, report=_report)
        loggers = [
            msgspec.convert(step.settings, audit_logger.Settings)
            for pack in bundle.packs
            for step in pack.steps
            if step.policy == audit_logger.POLICY.name
        ]
        return Snapshot(
            bundle=bundle,
            engine=engine,
            router=self._router(bundle),
            records_all=not loggers or any(settings.log_all_access for settings in loggers),
            applied_at=self._now(),
        )

    def _router(self, bundle: Bundle) -> Router | None:
        """The first pack's routing that there is: root packs come first, so theirs wins."""
        routing = next((pack.routing for pack in bundle.packs if pack.routing is not None), None)
        if routing is None:
            return None
        return Router(routing, bundle.targets, states=self._states, dice=self._dice, catalog=self._catalog)


def _report(pack: str, step: str, error: Exception) -> None:
    """A step failed on a call: an error of ours, since inputs are data. The text of the error could hold the call's."""
    log.error("step_failed", pack=pack, step=step, error=type(error).__name__)
