"""The loop between what is heard and what is told: a bell rings, all that is there is looked at, what follows is told.

A round never asks what has happened. It takes the whole listing and all reports, so a lost or doubled event costs at
most a late or a needless round. Nothing here decides (``reconcile`` does) and nothing here speaks to the API server but
for the last good versions, which are stored before a status speaks of them.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from grokwarden_operator.good_versions import GoodVersions
from grokwarden_operator.inbox import Inbox
from grokwarden_operator.listing import Kind, Listing
from grokwarden_operator.metrics import OperatorMetrics
from grokwarden_operator.plan import Plan
from grokwarden_operator.reconcile.compiling import ResourceCompiler, Verdicts
from grokwarden_operator.reconcile.convergence import Convergence
from grokwarden_operator.reconcile.reconcile import ReconcileSettings, reconcile
from grokwarden_operator.reports import SidecarReport
from grokwarden_operator.status.status_object import ObjectKey
from grokwarden_operator.status.writer import StatusWriter
from grokwarden_operator.stream.hub import StreamHub
from grokwarden_operator.watching.inventory import Inventory
from grokwarden_operator.watching.secret_watches import SecretName, SecretWatches

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SETTLING_SECONDS: Final = 10.0
"""Sidecars come back within the 5 s of their jitter; the rest is for their handshakes."""
IDLE_SECONDS: Final = 30.0
_SECRETS_SECONDS: Final = 5.0
_NEW_SECRETS_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Those to whom a round tells what follows."""

    hub: StreamHub
    writer: StatusWriter
    metrics: OperatorMetrics


class Controller:
    """Runs rounds.

    Args:
        inbox: Rung by whoever changes the inventory or a report.
        compiler: Compiles what is new, in a thread, one round at a time.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        inventory: Inventory,
        secrets: SecretWatches,
        compiler: ResourceCompiler,
        versions: GoodVersions,
        told: Told,
        settings: ReconcileSettings,
    ) -> None:
        self._inbox = inbox
        self._inventory = inventory
        self._secrets = secrets
        self._compiler = compiler
        self._versions = versions
        self._told = told
        self._settings = settings
        self._clock = asyncio.get_running_loop().time
        self._convergence = Convergence()
        self._kept_secrets: frozenset[SecretName] = frozenset()

    async def run(self, *, on_published: Callable[[], object]) -> None:
        """Rounds for ever, the first one at once: the inventory has to be complete by then."""
        self._secrets.follow(self._inventory.wanted_secrets())
        await self._secrets.all_read(_SECRETS_SECONDS)  # what is not read by then is left as sidecars have it
        settled_at = self._clock() + SETTLING_SECONDS
        self._ring_in(SETTLING_SECONDS)
        heard_at = self._clock()
        while True:
            await self._round(heard_at, settling=self._clock() < settled_at)
            on_published()
            heard_at = await self._next_burst()

    async def _next_burst(self) -> float:
        """Waits for a ring, but not for ever: a round also puts right what nobody rings for, as a forged status."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._inbox.burst()
        except TimeoutError:
            return self._clock()

    async def _round(self, heard_at: float, *, settling: bool) -> None:
        started = self._clock()
        self._secrets.follow(self._inventory.wanted_secrets() | self._kept_secrets)
        await self._secrets.all_read(_NEW_SECRETS_SECONDS)  # else a target would come to sidecars before its key
        listing, reports = self._inventory.listing(), self._told.hub.reports()
        self._convergence.saw(listing.packs.values(), at=heard_at)
        verdicts, plan = await asyncio.to_thread(self._follows, listing, reports, settling=settling)
        self._keep_secrets(verdicts)
        self._told.hub.publish(plan.pods)
        self._told.metrics.reconciled(self._clock() - started)
        if not await self._versions.keep(verdicts):
            self._ring_in(_RETRY_SECONDS)
        self._tell(listing, plan)

    def _follows(
        self, listing: Listing, reports: Mapping[str, SidecarReport], *, settling: bool
    ) -> tuple[Verdicts, Plan]:
        verdicts = self._compiler.verdicts(listing)
        return verdicts, reconcile(listing, verdicts, reports, self._settings, settling=settling)

    def _keep_secrets(self, verdicts: Verdicts) -> None:
        """A broken edit that names another Secret must not end the watch of the one that is in use."""
        if verdicts.secrets != self._kept_secrets:
            self._kept_secrets = verdicts.secrets
            self._inbox.ring()

    def _tell(self, listing: Listing, plan: Plan) -> None:
        """The statuses of the plan are to stand there."""
        seen = {Kind.POLICY_PACK: listing.packs, Kind.PROVIDER_TARGET: listing.targets}
        for draft in plan.statuses:
            self._told.writer.wish(draft, seen[draft.kind][f"{draft.namespace}/{draft.name}"].status)
        facts = (*listing.packs.values(), *listing.targets.values())
        self._told.writer.retain({ObjectKey(fact.kind, fact.namespace, fact.name, fact.uid) for fact in facts})
        self._told.metrics.listed(listing, plan.statuses)
        self._told.metrics.converged(self._convergence.settle(plan.statuses, at=self._clock()))

    def _ring_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._inbox.ring)
