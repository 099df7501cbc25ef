"""The client processes as the driver sees them: what they have acked, and what they answer."""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.convergence.documents import ROOT
from benchmarks.convergence.errors import RunError

_ANSWER_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What one client needs to be a pod's sidecar."""

    token_file: Path
    state_dir: Path


@dataclass(slots=True)
class _Member:
    """One process. ``acked`` holds what all of its clients have acked, by pack and generation, and when each did."""

    process: asyncio.subprocess.Process
    acked: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    answers: dict[int, asyncio.Future[Any]] = field(default_factory=dict)


class Fleet:
    """All client processes, each with its share of the sidecars."""

    def __init__(self, members: Sequence[_Member]) -> None:
        self._members = members
        self._bell = asyncio.Event()
        self._numbers = itertools.count()

    @property
    def pids(self) -> list[int]:
        return [member.process.pid for member in self._members]

    async def acked(self, pack: str, generation: int, *, timeout_seconds: float) -> list[float]:
        """When each client had its ack of that generation answered, once all have; times are the system's monotonic.

        Raises:
            RunError: They have not in time.
        """
        key = (pack, generation)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not all(key in member.acked for member in self._members):
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            states = await self.states()
            raise RunError(
                f"{pack}, generation {generation}: not acked by all within {timeout_seconds:g} s; "
                f"packs in force and number of clients: {states}"
            ) from None
        return [at for member in self._members for at in member.acked[key]]

    async def counts(self) -> list[list[int]]:
        """Manifests, parts and connects of each client so far."""
        return [each for answer in await self._ask("counts") for each in answer]

    async def states(self) -> list[tuple[dict[str, list[Any]], int]]:
        """What is in force: generation and newest word by pack, and in how many clients; equal ones are one entry."""
        found: dict[str, int] = {}
        for state, count in itertools.chain.from_iterable(await self._ask("states")):
            key = json.dumps(state, sort_keys=True)
            found[key] = found.get(key, 0) + count
        return [(json.loads(key), count) for key, count in found.items()]

    async def forget(self) -> None:
        """What was acked before counts no more."""
        await self._ask("forget")

    async def listen(self, member: _Member) -> None:
        """Takes in what a process tells.

        Raises:
            RunError: A client refused a pack, or the process ended.
        """
        assert member.process.stdout
        async for line in member.process.stdout:
            message = json.loads(line)
            match message["type"]:
                case "acked":
                    member.acked[message["pack"], message["generation"]] = message["at"]
                    self._bell.set()
                case "answer":
                    self._answered(member, message)
                case _:
                    raise RunError(f"{message['pack']} was refused: {message['reason']}: {message['message']}")
        raise RunError("a client process ended; its log says why")

    def _answered(self, member: _Member, message: Mapping[str, Any]) -> None:
        waiting = member.answers.pop(message["id"])
        if not waiting.done():
            waiting.set_result(message["value"])

    async def _ask(self, question: str) -> list[Any]:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asyncio.gather(*(self._asked(member, question) for member in self._members))

    async def _asked(self, member: _Member, question: str) -> Any:  # noqa: ANN401 - JSON
        number = next(self._numbers)
        future = member.answers[number] = asyncio.get_running_loop().create_future()
        assert member.process.stdin
        member.process.stdin.write(json.dumps({"id": number, "ask": question}).encode() + b"\n")
        await member.process.stdin.drain()
        answer = await future
        if question == "forget":
            member.acked.clear()
        return answer


@asynccontextmanager
async def running_fleet(
    folder: Path, *, url: str, ca_file: Path, sidecars: Sequence[Sidecar], processes: int
) -> AsyncIterator[Fleet]:
    """The clients are about to connect, one after the other; they end with the block."""
    members: list[_Member] = []
    try:
        for number in range(processes):
            share = sidecars[number::processes]
            members.append(_Member(await _start(folder, number, url=url, ca_file=ca_file, sidecars=share)))
        fleet = Fleet(members)
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(fleet.listen(member)) for member in members]
            yield fleet
            for task in listening:
                task.cancel()
    finally:
        for member in members:
            await _stop(member.process)


async def _start(
    folder: Path, number: int, *, url: str, ca_file: Path, sidecars: Sequence[Sidecar]
) -> asyncio.subprocess.Process:
    clients = [{"token_file": str(each.token_file), "state_dir": str(each.state_dir)} for each in sidecars]
    config = folder / f"clients-{number}.json"
    config.write_text(json.dumps({"url": url, "ca_file": str(ca_file), "clients": clients}), encoding="utf-8")
    with (folder / f"clients-{number}.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.convergence.client_process", str(config)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=_MAX_LINE_BYTES,
            start_new_session=True,
        )


async def _stop(process: asyncio.subprocess.Process) -> None:
    """The end of its standard input ends it; it is killed if that takes too long."""
    if process.returncode is not None:
        return
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
