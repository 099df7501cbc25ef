"""How a sidecar comes by its configuration, and what follows from that: all that differs between files and a pod."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

from grokwarden.errors import GrokwardenError
from grokwarden_sidecar.calls.call_log import Identity
from grokwarden_sidecar.configuration.applying import Applier, MissingKeys
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.configuration.keys import TargetKeys
from grokwarden_sidecar.stream.status import StreamReport


class StartRefused(GrokwardenError):
    """The first configuration can't be used, and there is none before it to fall back on."""

    def __init__(self, problems: tuple[str, ...], *, is_unreadable: bool = False) -> None:
        self.problems = problems
        self.is_unreadable = is_unreadable
        super().__init__("\n".join(problems))


class Supply(Protocol):
    """``Standalone`` and ``InPod`` are the two."""

    @property
    def isolates(self) -> bool:
        """See ``Applier``."""
        ...

    @property
    def missing_keys(self) -> MissingKeys | None:
        """See ``Applier``."""
        ...

    @property
    def config_socket(self) -> Path | None:
        """Where ``/config`` and ``/explain`` are, if they are not to be on the admin port."""
        ...

    @property
    def keys(self) -> TargetKeys: ...

    @property
    def description(self) -> str:
        """For people: where the configuration comes from."""
        ...

    @property
    def identity(self) -> Identity:
        """Who this sidecar speaks for, as far as it is known now."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing new can come now; empty if it can."""
        ...

    @property
    def stream(self) -> StreamReport | None:
        """How it stands with the stream, where there is one."""
        ...

    def staleness_seconds(self, store: BundleStore) -> float:
        """For how long what is in force has not been what is wanted, or not known to be."""
        ...

    async def begin(self, applier: Applier, store: BundleStore) -> None:
        """What calls may be served with from the start is in force.

        Raises:
            StartRefused: It can't be, and nothing else will come by itself.
        """
        ...

    def background(self, applier: Applier) -> tuple[Coroutine[Any, Any, None], ...]:
        """What has to run from then on."""
        ...
