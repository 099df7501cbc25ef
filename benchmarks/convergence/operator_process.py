"""The operator under measurement: a process under its own account, and what it says of itself."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from benchmarks.convergence.documents import OPERATOR_NAMESPACE
from benchmarks.convergence.errors import RunError
from prometheus_client.parser import text_string_to_metric_families

COMMAND: Final = Path(sys.executable).with_name("grokwarden")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02
_PREFIX: Final = "grokwarden_operator_"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the operator has counted since its start."""

    rounds: float
    status_writes: float
    acks: float
    sent_bytes: float

    def since(self, before: "Figures") -> "Figures":
        """What came after that."""
        return Figures(
            rounds=self.rounds - before.rounds,
            status_writes=self.status_writes - before.status_writes,
            acks=self.acks - before.acks,
            sent_bytes=self.sent_bytes - before.sent_bytes,
        )


NOTHING: Final = Figures(rounds=0, status_writes=0, acks=0, sent_bytes=0)
"""What it has counted at its start."""


@dataclass(kw_only=True)
class OperatorProcess:
    """A running operator. ``serving_at`` is when it said that it serves, on the system's monotonic clock."""

    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession
    config_address: str
    http_address: str
    serving_at: float

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"https://{self.config_address}"

    async def figures(self) -> Figures:
        """What it has counted so far."""
        async with self.http.get(f"http://{self.http_address}/metrics") as answer:
            text = await answer.text()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

        def value(name: str, **labels: str) -> float:
            found = (each for each in samples if each.name == _PREFIX + name and labels.items() <= each.labels.items())
            return sum(each.value for each in found)

        return Figures(
            rounds=value("reconcile_seconds_count"),
            status_writes=value("status_writes_total", result="written"),
            acks=value("acks_total", result="accepted"),
            sent_bytes=value("config_sent_bytes_total"),
        )

    async def ready(self) -> None:
        """``/readyz`` says so."""
        async with asyncio.timeout(_START_SECONDS):
            while not await self._is_ready():  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(_POLL_SECONDS)

    async def _is_ready(self) -> bool:
        async with self.http.get(f"http://{self.http_address}/readyz") as answer:
            return answer.status == 200

    async def kill(self) -> None:
        """It is gone from one moment to the next."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def running_operator(
    folder: Path, *, kubeconfig: Path, secret_namespaces: Sequence[str], listen: str = "127.0.0.1:0"
) -> AsyncIterator[OperatorProcess]:
    """The operator, from the moment at which it serves; it ends with the block.

    Raises:
        RunError: It does not start.
    """
    log = folder / "operator.log"
    offset = log.stat().st_size if log.exists() else 0
    process = await _start(log, kubeconfig, secret_namespaces, listen)
    try:
        serving = await _serving(process, log, offset)
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            yield OperatorProcess(
                process=process,
                http=http,
                config_address=serving["config"],
                http_address=serving["http"],
                serving_at=time.monotonic(),
            )
    finally:
        await _stop(process)


async def _start(log: Path, kubeconfig: Path, namespaces: Sequence[str], listen: str) -> asyncio.subprocess.Process:
    arguments = [
        *("operator", f"--kubeconfig={kubeconfig}", f"--namespace={OPERATOR_NAMESPACE}", "--log-format=json"),
        *(f"--listen-config={listen}", "--listen-http=127.0.0.1:0", "--dns-name=localhost", "--dns-name=127.0.0.1"),
        *(f"--secret-namespace={name}" for name in namespaces),
    ]
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(COMMAND, *arguments, stderr=file, start_new_session=True)


async def _serving(process: asyncio.subprocess.Process, log: Path, offset: int) -> dict[str, Any]:
    """The event that says where it serves."""
    async with asyncio.timeout(_START_SECONDS):
        while process.returncode is None:
            for line in _since(log, offset):
                if b'"event": "serving"' in line:
                    found: dict[str, Any] = json.loads(line)
                    return found
            await asyncio.sleep(_POLL_SECONDS)
    raise RunError(f"the operator ended with {process.returncode}: its log says why")


def _since(log: Path, offset: int) -> list[bytes]:
    """The lines that came after the first so many bytes."""
    return log.read_bytes()[offset:].splitlines()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
