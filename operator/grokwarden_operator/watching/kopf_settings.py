"""How kopf is set up: it listens, gives up on nothing, keeps nothing, and writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import kopf

from grokwarden_operator.cluster.paths import FIELD_SELECTORS, RESOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningTimings:
    """How kopf listens.

    Attributes:
        watch_seconds: How long one watch lasts; whole, since the API server takes no fractions.
        silence_seconds: How much longer nothing may be heard of a watch before it is opened anew.
        connect_seconds: To take a connection.
        list_seconds: For one page of a list.
        stop_seconds: How long kopf may take to end before its thread is left to itself.
        login_seconds: Between two sessions, where the API server believes none.
    """

    watch_seconds: int = 30
    silence_seconds: float = 10.0
    connect_seconds: float = 5.0
    list_seconds: float = 60.0
    stop_seconds: float = 10.0
    login_seconds: float = 1.0


class _Backoffs:
    """The pauses between attempts, for ever: what kopf gives up on ends all of kopf."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.25, 0.5, 1.0)
        while True:
            yield 2.0


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf keeps no essence of objects: nobody asks what of them has changed, and building it copies each of them."""

    def build(self, **_: Any) -> Any:  # noqa: ANN401 - kopf's own
        return {}

    def fetch(self, **_: Any) -> None:  # noqa: ANN401
        return None

    def store(self, **_: Any) -> None:  # noqa: ANN401
        raise RuntimeError("kopf was about to write its notes into an object, which no handler of ours has it do")


def kopf_settings(timings: ListeningTimings) -> kopf.OperatorSettings:
    """Settings for one run."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None  # else a SIGKILL is left behind in a loop that may go on
    settings.watching.server_timeout = timings.watch_seconds
    settings.watching.inactivity_timeout = timings.watch_seconds + timings.silence_seconds
    settings.watching.connect_timeout = timings.connect_seconds
    settings.watching.reconnect_backoff = 0.1
    settings.watching.chunk_size = 250
    for kind, selector in FIELD_SELECTORS.items():
        settings.watching.field_selectors[RESOURCES[kind]] = selector
    settings.networking.connect_timeout = timings.connect_seconds
    settings.networking.request_timeout = timings.list_seconds
    settings.networking.error_backoffs = _Backoffs()
    settings.queueing.idle_timeout = 0.2  # an idle worker holds the last version of its object
    settings.queueing.exit_timeout = 0.2
    settings.persistence.diffbase_storage = _NoDiffs()
    return settings
