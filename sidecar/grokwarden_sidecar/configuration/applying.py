"""From a configuration to what governs calls: verify, build, swap. The one way behind every source."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import structlog

from grokwarden.bundle import Bundle, TargetPart
from grokwarden.catalog import Catalog
from grokwarden.edge.logs import place_of
from grokwarden.engine import Engine
from grokwarden_sidecar.calls.routing import Router, TargetStates
from grokwarden_sidecar.calls.upstream import ConnectFailed
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from grokwarden_sidecar.configuration.building import Building, InForce, ReadTarget, build
from grokwarden_sidecar.configuration.bundle_source import (
    BundleSource,
    Outcome,
    PackOutcome,
    PartProblem,
    RefusalReason,
    Rejection,
    Update,
)
from grokwarden_sidecar.configuration.bundle_store import BundleStore, Snapshot, told
from grokwarden_sidecar.configuration.effective import Selection, select
from grokwarden_sidecar.configuration.keys import TargetKeyError
from grokwarden_sidecar.memory import give_back_memory

log = structlog.stdlib.get_logger(__name__)

MissingKeys = Callable[[Iterable[TargetPart]], list[TargetKeyError]]


class Applier:
    """Applies one configuration after the other. All that is slow happens in a thread, before the swap.

    Args:
        isolates: A bad pack is refused alone. Else any problem refuses the whole: somebody is at the file.
        missing_keys: Says which targets' keys are missing, which then refuses the whole; ``None`` where that refuses
            nothing but the calls that need them.
    """

    def __init__(
        self,
        *,
        store: BundleStore,
        upstream: AiohttpUpstream,
        states: TargetStates,
        catalog: Catalog,
        isolates: bool,
        missing_keys: MissingKeys | None,
        dice: Callable[[], float],
        now: Callable[[], float],
        clock_ns: Callable[[], int],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._states = states
        self._catalog = catalog
        self._isolates = isolates
        self._missing_keys = missing_keys
        self._dice = dice
        self._now = now
        self._clock_ns = clock_ns

    async def follow(self, updates: AsyncIterator[Update | Rejection], source: BundleSource) -> None:
        """Whatever comes is applied, and its source told what became of it."""
        async for update in updates:
            try:
                outcome = await self.apply(update)
            except Exception as error:  # noqa: BLE001 - calls go on under what is in force, whatever came
                outcome = self._failed(update, error)
            await source.settled(outcome)
            await asyncio.to_thread(give_back_memory)

    async def apply(self, update: Update | Rejection) -> Outcome:
        """What became of it. On a problem, what is in force stays as far as the problem goes."""
        if isinstance(update, Rejection):
            outcome = Outcome(version=update.version, packs=update.packs)
            self._store.reject(update.problems, wanted=None, outcome=outcome)
            return outcome
        known = self._store.outcome
        if self._isolates and known is not None and known.version == update.version and not known.unreadable:
            return known  # each new stream begins with what is wanted, new or not
        started = self._clock_ns()
        building = await asyncio.to_thread(build, update, self._store.in_force)
        await self._check_trust(building)
        selection = select(update.manifest, building, self._store.in_force)
        if problems := self._whole_problems(building, selection):
            outcome = Outcome(version=update.version, packs=selection.outcomes, unreadable=building.unreadable)
            self._store.reject(problems, wanted=update.manifest, outcome=outcome)
            return outcome
        return await self._swap(update, building, selection, started)

    def _failed(self, update: Update | Rejection, error: Exception) -> Outcome:
        """An error of ours, told as a refusal of all that it came with. Its text could quote the configuration."""
        log.error("applying_failed", error=type(error).__name__, at=place_of(error))
        message = f"applying it failed with {type(error).__name__}"
        problem = PartProblem(reason=RefusalReason.BUILD_FAILED, message=message)
        refs = update.manifest.packs if isinstance(update, Update) else ()
        packs = tuple(PackOutcome(ref=ref, problem=problem) for ref in refs)
        outcome = Outcome(version=update.version, packs=packs)
        self._store.reject([message], wanted=None, outcome=outcome)
        return outcome

    async def _check_trust(self, building: Building) -> None:
        """A target whose certificates can't be used is a problem like any other."""
        for name, target in building.targets.items():
            if isinstance(target, ReadTarget):
                try:
                    await self._upstream.check_trust(target.part)
                except ConnectFailed as error:
                    problem = PartProblem(reason=RefusalReason.INVALID_PART, message=str(error))
                    building.targets[name] = problem

    def _whole_problems(self, building: Building, selection: Selection) -> list[str]:
        """Why nothing of the configuration can be applied; empty if something can."""
        if self._isolates:
            refused = [outcome for outcome in selection.outcomes if outcome.problem]
            return [] if self._store.in_force.packs else [told(outcome) for outcome in refused]
        parts = (*building.packs.values(), *building.targets.values())
        problems = [part.message for part in parts if isinstance(part, PartProblem)]
        problems = problems or [outcome.problem.message for outcome in selection.outcomes if outcome.problem]
        if problems or self._missing_keys is None:
            return problems
        return [str(problem) for problem in self._missing_keys(target.part for target in selection.targets)]

    async def _swap(self, update: Update, building: Building, selection: Selection, started: int) -> Outcome:
        bundle = selection.bundle(update.version, update.manifest)
        is_governed = bool(bundle.packs) or not self._isolates
        snapshot = await asyncio.to_thread(self._snapshot, bundle, selection) if is_governed else None
        await self._upstream.prepare(bundle.targets)
        outcome = Outcome(
            version=update.version, packs=selection.outcomes, bundle=bundle, unreadable=building.unreadable
        )
        self._store.swap(
            snapshot,
            InForce(
                packs={pack.ref.name: pack for pack in selection.packs},
                targets={target.ref.name: target for target in selection.targets},
            ),
            update.manifest,
            outcome,
            took_ms=round((self._clock_ns() - started) / 1e6, 1),
        )
        self._states.keep_only(bundle.targets)
        return outcome

    def _snapshot(self, bundle: Bundle, selection: Selection) -> Snapshot:
        steps = tuple(step for pack in selection.packs for step in pack.steps)
        said = [pack.logs_all for pack in selection.packs if pack.logs_all is not None]
        return Snapshot(
            bundle=bundle,
            engine=Engine(bundle, steps=steps, clock_ns=self._clock_ns, report=_report),
            router=self._router(bundle),
            records_all=not said or any(said),
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
