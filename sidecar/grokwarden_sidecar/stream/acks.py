"""Acks on their way to the operator: the newest alone, until it has arrived or its stream has ended.

After the stream's end an ack is worth nothing: the next stream begins with what is wanted, and that is answered anew.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from grokwarden.config_stream import Ack, AckedPack
from grokwarden_sidecar.configuration.bundle_source import Outcome
from grokwarden_sidecar.stream.client import ConfigStream
from grokwarden_sidecar.stream.errors import StreamError

log = structlog.stdlib.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15.0


def ack_of(outcome: Outcome) -> Ack:
    """The answer to the manifest that this came of."""
    packs = (
        AckedPack(
            name=pack.ref.name,
            uid=pack.ref.uid,
            generation=pack.ref.generation,
            applied=pack.problem is None,
            reason=pack.problem.reason.value if pack.problem else "",
            message=pack.problem.message if pack.problem else "",
        )
        for pack in outcome.packs
    )
    return Ack(manifest=outcome.version, packs=tuple(packs))


class AckSender:
    """Sends what it is given on the stream that it is given."""

    def __init__(self, *, dice: Callable[[], float]) -> None:
        """Nothing is sent before ``run``.

        Args:
            dice: At least 0, below 1; spreads the retries.
        """
        self._dice = dice
        self._changed = asyncio.Event()
        self._stream: ConfigStream | None = None
        self._is_warm = False
        self._ack: Ack | None = None
        self._told = ""

    def attach(self, stream: ConfigStream) -> None:
        """Acks go this way from now on."""
        self._stream, self._is_warm, self._ack = stream, False, None
        self._changed.set()

    def detach(self) -> None:
        """The stream has ended, and with it whatever was to be said on it."""
        self._stream = self._ack = None

    def send(self, ack: Ack) -> None:
        """The operator is to know it; an older ack that has not arrived is dropped."""
        self._ack = ack
        self._changed.set()

    async def run(self) -> None:
        """Sends for ever."""
        failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            failures = 0 if await self._send_newest() else failures + 1
            if failures:
                await self._pause(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 8)))

    async def _send_newest(self) -> bool:
        """Whether nothing is left to do."""
        stream, ack = self._stream, self._ack
        if stream is None:
            return True
        try:
            if ack is not None:
                await stream.post_ack(ack)
            elif not self._is_warm:
                await stream.open_ack_connection()
        except StreamError as error:
            if self._stream is not stream:
                return True
            self._tell(str(error))
            return ack is None
        self._is_warm = True
        if self._ack is ack:
            self._ack = None
        self._told = ""
        return True

    async def _pause(self, seconds: float) -> None:
        """Wait for a newer ack, but not longer than this; then it is tried again."""
        try:
            async with asyncio.timeout(seconds * (0.5 + self._dice() / 2)):
                await self._changed.wait()
        except TimeoutError:
            self._changed.set()

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            log.warning("ack_failed", reason=reason)
