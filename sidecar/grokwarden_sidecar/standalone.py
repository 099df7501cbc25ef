"""The supply of ``grokwarden run``: files, keys from variables and files, and a person who reads the exit code."""

import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from grokwarden.compilation import CompileRequest
from grokwarden_sidecar.calls.call_log import Identity
from grokwarden_sidecar.configuration.applying import Applier
from grokwarden_sidecar.configuration.bundle_source import Rejection
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.configuration.file_source import FileSource
from grokwarden_sidecar.configuration.keys import KeyRing
from grokwarden_sidecar.settings import RunSettings
from grokwarden_sidecar.stream.status import StreamReport
from grokwarden_sidecar.supply import StartRefused


class Standalone:
    """See ``Supply``."""

    isolates = False
    config_socket: Path | None = None

    def __init__(self, settings: RunSettings) -> None:
        self.keys = KeyRing(settings.environ, clock=time.monotonic)
        self.missing_keys = self.keys.check
        self.identity = Identity(namespace=settings.namespace, pod="", service_account="")
        self.trouble = ""
        self.stream: StreamReport | None = None
        request = CompileRequest(
            paths=settings.config,
            namespace=settings.namespace,
            pod_labels=None if settings.pod_labels is None else dict(settings.pod_labels),
            root_namespace=settings.root_namespace,
        )
        self._source = FileSource(request)
        self._updates = self._source.updates()

    @property
    def description(self) -> str:
        return self._source.description

    def staleness_seconds(self, store: BundleStore) -> float:
        """See ``Supply``: files that were not looked at would be noticed as a process that hangs."""
        return store.staleness_seconds

    async def begin(self, applier: Applier, store: BundleStore) -> None:
        """See ``Supply``: the files' first outcome."""
        first = await anext(aiter(self._updates))
        if isinstance(first, Rejection):
            raise StartRefused(tuple(first.problems), is_unreadable=first.is_unreadable)
        await applier.apply(first)
        if store.current is None:
            raise StartRefused(store.problems)

    def background(self, applier: Applier) -> tuple[Coroutine[Any, Any, None], ...]:
        """See ``Supply``."""
        return (applier.follow(self._updates, self._source),)
