"""How long a change of a pack takes until every sidecar that it is for runs it. Pure; the times come in.

Timed is each generation once, from when this process first saw it. Not timed is what was there already when this
process began to look, since nobody knows since when, and what no sidecar was there for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from grokwarden_operator.listing import Kind, ResourceFact
from grokwarden_operator.plan import StatusDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """Every sidecar that a pack is for runs its newest generation.

    Attributes:
        pack: ``namespace/name``.
        seconds: Since that generation was first seen.
    """

    pack: str
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Seen:
    generation: int
    since: float | None  # None: converged, or not timed


class Convergence:
    """What is under way. Objects are told apart by uid, so that a pack made anew is another one."""

    def __init__(self) -> None:
        self._packs: dict[str, _Seen] | None = None

    def saw(self, packs: Iterable[ResourceFact], *, at: float) -> None:
        """These packs are there, all of them, as was heard at that time. The first time nothing is timed."""
        known, is_first = self._packs or {}, self._packs is None
        self._packs = {}
        for pack in packs:
            before = known.get(pack.uid)
            if before is not None and before.generation == pack.generation:
                self._packs[pack.uid] = before
            else:
                self._packs[pack.uid] = _Seen(pack.generation, None if is_first else at)

    def settle(self, statuses: Iterable[StatusDraft], *, at: float) -> list[Converged]:
        """What has converged since the last time, as these statuses say."""
        found = (self._settled(status, at) for status in statuses if status.kind is Kind.POLICY_PACK)
        return [converged for converged in found if converged is not None]

    def _settled(self, status: StatusDraft, at: float) -> Converged | None:
        seen = (self._packs or {}).get(status.uid)
        tally = status.tally
        if self._packs is None or seen is None or seen.since is None or tally is None:
            return None
        if seen.generation != status.generation:
            return None
        sidecars = tally.desired - tally.missing
        if tally.acked < sidecars:
            return None
        self._packs[status.uid] = _Seen(seen.generation, None)
        if not sidecars:
            return None
        return Converged(
            pack=f"{status.namespace}/{status.name}", generation=seen.generation, seconds=max(0.0, at - seen.since)
        )
