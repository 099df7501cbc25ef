"""The supply of ``grokwarden sidecar``: the operator's stream, and what was in force before a restart."""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Coroutine
from typing import Any

from grokwarden_sidecar.configuration.applying import Applier, MissingKeys
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.settings import SidecarSettings
from grokwarden_sidecar.stream.client import Operator, StreamClient
from grokwarden_sidecar.stream.errors import StreamError
from grokwarden_sidecar.stream.last_good import LastGood
from grokwarden_sidecar.stream.lent_keys import LentKeys
from grokwarden_sidecar.stream.pod_identity import NOBODY, identity_in
from grokwarden_sidecar.stream.source import StreamSource
from grokwarden_sidecar.stream.status import StreamReport, StreamStatus


class InPod:
    """See ``Supply``."""

    isolates = True
    missing_keys: MissingKeys | None = None

    def __init__(self, settings: SidecarSettings) -> None:
        self.config_socket = settings.config_socket
        self.keys = LentKeys(clock=time.monotonic)
        self.identity = NOBODY
        operator = Operator(
            url=settings.operator,
            ca_file=settings.ca_file,
            token_file=settings.token_file,
            instance=secrets.token_hex(8),
        )
        self._client = StreamClient(operator, on_token=self._learn)
        self._status = StreamStatus(self._client.url, clock=time.monotonic, now=time.time)
        self._source = StreamSource(
            self._client,
            keys=self.keys,
            last_good=LastGood(settings.state_dir),
            status=self._status,
            dice=random.random,
            pause=asyncio.sleep,
        )

    def _learn(self, token: str) -> None:
        self.identity = identity_in(token)

    @property
    def description(self) -> str:
        return self._source.description

    @property
    def trouble(self) -> str:
        return self._status.trouble

    @property
    def stream(self) -> StreamReport:
        return self._status.report

    def staleness_seconds(self, _: BundleStore) -> float:
        """See ``Supply``."""
        return self._status.staleness_seconds

    async def begin(self, applier: Applier, store: BundleStore) -> None:  # noqa: ARG002 - the protocol's
        """See ``Supply``: what was in force before, if anything was. The operator need not be there."""
        with contextlib.suppress(StreamError):  # it will be told with the first attempt to connect
            await self._client.authorization()
        restored = await self._source.restore()
        if restored is not None:
            await self._source.settled(await applier.apply(restored))

    def background(self, applier: Applier) -> tuple[Coroutine[Any, Any, None], ...]:
        """See ``Supply``."""
        return (self._source.run(), applier.follow(self._source.updates(), self._source))
