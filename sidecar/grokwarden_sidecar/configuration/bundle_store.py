"""The bundle in force. One reference, swapped whole; a call keeps the snapshot it began with."""

from collections.abc import Callable

import msgspec
import structlog

from grokwarden.bundle import Bundle, Manifest
from grokwarden.engine import Engine
from grokwarden_sidecar.calls.routing import Router
from grokwarden_sidecar.configuration.building import InForce
from grokwarden_sidecar.configuration.bundle_source import Outcome, PackOutcome
from grokwarden_sidecar.metrics import Metrics

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
    """What governs calls, and what became of the newest configuration.

    Attributes:
        current: ``None`` while no pack is in force; calls are refused then.
        in_force: The parts of ``current``, for the configuration that comes next.
        wanted: The newest manifest, whether it is in force or not; ``None`` if it could not be read.
        outcome: What became of it.
        problems: Why it is not in force, or not all of it; empty when it is.
        is_ungoverned: It names no pack at all.
    """

    def __init__(self, *, metrics: Metrics, now: Callable[[], float]) -> None:
        self._metrics = metrics
        self._now = now
        self._rejected_at: float | None = None
        self.current: Snapshot | None = None
        self.in_force = InForce()
        self.wanted: Manifest | None = None
        self.outcome: Outcome | None = None
        self.problems: tuple[str, ...] = ()
        self.is_ungoverned = False

    @property
    def staleness_seconds(self) -> float:
        """For how long a newer configuration than the one in force has been refused."""
        return 0.0 if self._rejected_at is None else self._now() - self._rejected_at

    def swap(
        self, snapshot: Snapshot | None, in_force: InForce, wanted: Manifest, outcome: Outcome, *, took_ms: float
    ) -> None:
        """Every call that begins from now on is governed by this; without a snapshot, it is refused."""
        self.current, self.in_force = snapshot, in_force
        self.wanted, self.outcome = wanted, outcome
        self.is_ungoverned = not wanted.packs
        self.problems = tuple(map(told, outcome.refused))
        packs = in_force.packs.values()
        self._metrics.in_force(
            ((pack.ref.name, pack.ref.generation) for pack in packs),
            snapshot.router.circuits if snapshot and snapshot.router else {},
        )
        version = outcome.bundle.version if outcome.bundle else outcome.version
        log.info("bundle_applied", version=version[:19], packs=[pack.ref.name for pack in packs], took_ms=took_ms)
        if outcome.refused:
            self._refused()
            self._tell_refused(outcome)
        else:
            self._rejected_at = None
            self._metrics.applied()

    def reject(self, problems: list[str], *, wanted: Manifest | None, outcome: Outcome) -> None:
        """A newer configuration can't be used; calls go on under the one before it, if there is one."""
        self.problems, self.wanted, self.outcome = tuple(problems), wanted, outcome
        self.is_ungoverned = False
        self._refused()
        keeping = self.current.bundle.version[:19] if self.current else None
        log.error("bundle_rejected", problems=problems, keeping=keeping)

    def _refused(self) -> None:
        if self._rejected_at is None:
            self._rejected_at = self._now()
        self._metrics.rejected()

    def _tell_refused(self, outcome: Outcome) -> None:
        for pack in outcome.refused:
            kept = self.in_force.packs.get(pack.ref.name)
            log.error("pack_refused", problem=told(pack), keeping=kept.ref.generation if kept else None)


def told(pack: PackOutcome) -> str:
    """A refused pack, for people."""
    ref, problem = pack.ref, pack.problem
    why = f"{problem.reason}: {problem.message}" if problem else "in force"
    return f"pack {ref.name}, generation {ref.generation}: {why}"
