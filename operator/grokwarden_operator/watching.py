"""Keeps the inventory true: kopf's watches tell what changes, own lists tell what those missed.

kopf runs on a loop and a thread of its own. When it ends it cancels every task of its loop that is younger than itself,
and it takes the signals of a main thread; on the operator's loop a restart of kopf would cut all streams to sidecars.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from grokwarden_operator.cluster import Cluster
from grokwarden_operator.connection import Connection
from grokwarden_operator.inventory import Inventory
from grokwarden_operator.listing import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimings:
    """How long things may take; tests have them shorter."""

    server_timeout_seconds: int = 30
    resync_seconds: float = 300.0
    ready_seconds: float = 60.0


DEFAULT_TIMINGS: Final = WatchTimings()


class Watching:
    """What is heard from the API server, and whether anything still is.

    Args:
        wake: Called on the loop whenever something changed that makes a difference.
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
        raise NotImplementedError

    async def run(self) -> None:
        """Listens until it is cancelled; whatever goes wrong is logged, and mended as far as it can be."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Returns once every kind was listed completely: nothing may be published before."""
        raise NotImplementedError

    @property
    def is_ready(self) -> bool:
        """Every kind was listed completely."""
        raise NotImplementedError

    @property
    def is_connected(self) -> bool:
        """The API server answers, as far as the last attempts tell."""
        raise NotImplementedError

    def healthy(self) -> bool:
        """False once restarting kopf again and again did not bring a watch back; then only a new process may help."""
        raise NotImplementedError

    def ages(self) -> Mapping[Kind, float]:
        """For how many seconds nothing was heard of each kind's watch."""
        raise NotImplementedError

    @property
    def restarts(self) -> int:
        """How often kopf had to be started anew."""
        raise NotImplementedError
