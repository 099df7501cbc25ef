"""One process of the fleet: the stream clients of many sidecars, each with its own token, connections and files.

``python -m benchmarks.convergence.client_process CONFIG`` tells on standard output what its clients have acked, and
answers questions that come on standard input; it ends when that does. All of a client is the sidecar's own code: the
stream, digests, building and selecting, the files for a restart, acks. Only calls are missing, and what serves them.
"""

import asyncio
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from grokwarden.bundle import PackPart
from grokwarden.config_stream import Ack, StreamEvent
from grokwarden_sidecar.configuration.building import InForce, build
from grokwarden_sidecar.configuration.bundle_source import Outcome, Rejection, Update
from grokwarden_sidecar.configuration.effective import select
from grokwarden_sidecar.stream.client import ConfigStream, Event, Operator, StreamClient
from grokwarden_sidecar.stream.last_good import LastGood
from grokwarden_sidecar.stream.lent_keys import LentKeys
from grokwarden_sidecar.stream.source import StreamSource
from grokwarden_sidecar.stream.status import StreamStatus

_MAX_LINE_BYTES: Final = 1024 * 1024
_CONNECTS_PER_SECOND: Final = 25  # of one process, at the beginning: that is no storm, and not measured
Tell = Callable[[Mapping[str, Any]], None]


class Census:
    """What each client has acked last. Tells when all of them have acked one generation of a pack."""

    def __init__(self, clients: int, tell: Tell) -> None:
        self._clients = clients
        self._tell = tell
        self._acked: dict[str, dict[int, tuple[int, float]]] = {}  # by pack and client: generation, and when

    def take(self, client: int, ack: Ack) -> None:
        """The operator has taken this ack, now."""
        at = time.monotonic()
        for pack in ack.packs:
            if not pack.applied:
                self._tell({"type": "refused", "pack": pack.name, "reason": pack.reason, "message": pack.message})
                continue
            acked = self._acked.setdefault(pack.name, {})
            if acked.get(client, (-1, 0.0))[0] != pack.generation:
                acked[client] = (pack.generation, at)
                self._look(pack.name, pack.generation, acked)

    def forget(self) -> None:
        """Nobody has acked anything."""
        self._acked.clear()

    def _look(self, pack: str, generation: int, acked: Mapping[int, tuple[int, float]]) -> None:
        if len(acked) == self._clients and all(number == generation for number, _ in acked.values()):
            times = [at for _, at in acked.values()]
            self._tell({"type": "acked", "pack": pack, "generation": generation, "at": times})


@dataclass(slots=True)
class Counts:
    """What one client has seen so far."""

    manifests: int = 0
    parts: int = 0
    connects: int = 0


class CountedClient(StreamClient):
    """The sidecar's client, with somebody looking on."""

    def __init__(self, operator: Operator, *, counts: Counts, on_ack: Callable[[Ack], None]) -> None:
        super().__init__(operator, on_token=lambda _: None)
        self._counts = counts
        self._on_ack = on_ack

    @asynccontextmanager
    async def connect(self, parts: Iterable[str]) -> AsyncIterator[ConfigStream]:
        """See ``StreamClient.connect``."""
        self._counts.connects += 1
        async with super().connect(parts) as stream:
            yield _CountedStream(stream, self._counts, self._on_ack)


class _CountedStream(ConfigStream):
    def __init__(self, stream: ConfigStream, counts: Counts, on_ack: Callable[[Ack], None]) -> None:
        self._stream = stream
        self._counts = counts
        self._told = on_ack

    async def events(self) -> AsyncIterator[Event]:
        async for event in self._stream.events():
            self._counts.manifests += event[0] is StreamEvent.MANIFEST
            self._counts.parts += event[0] in (StreamEvent.PACK, StreamEvent.TARGET)
            yield event

    async def open_ack_connection(self) -> None:
        await self._stream.open_ack_connection()

    async def post_ack(self, ack: Ack) -> None:
        await self._stream.post_ack(ack)
        self._told(ack)


@dataclass(slots=True)
class Client:
    """One sidecar, without what it would govern."""

    source: StreamSource
    counts: Counts
    in_force: InForce = field(default_factory=InForce)
    outcome: Outcome = field(default_factory=lambda: Outcome(version=""))

    async def run(self, *, wait_seconds: float) -> None:
        """Connects after so long, and takes whatever comes, for ever."""
        await asyncio.sleep(wait_seconds)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.source.run())
            async for update in self.source.updates():
                if isinstance(update, Rejection):
                    self.outcome = Outcome(version=update.version, packs=update.packs)
                elif update.version != self.outcome.version:
                    await self._take(update)
                await self.source.settled(self.outcome)

    async def _take(self, update: Update) -> None:
        """What the sidecar's ``Applier`` does, but for handing an engine and a router to calls."""
        building = await asyncio.to_thread(build, update, self.in_force)
        selection = select(update.manifest, building, self.in_force)
        self.outcome = Outcome(
            version=update.version,
            packs=selection.outcomes,
            bundle=selection.bundle(update.version, update.manifest),
            unreadable=building.unreadable,
        )
        self.in_force = InForce(
            packs={pack.ref.name: pack for pack in selection.packs},
            targets={target.ref.name: target for target in selection.targets},
        )

    @property
    def state(self) -> dict[str, list[Any]]:
        """Generation and newest word of each pack in force."""
        return {name: [pack.ref.generation, _word_of(pack.part)] for name, pack in self.in_force.packs.items()}


def _word_of(part: PackPart) -> str:
    return next((step.settings["attack_patterns"][-1] for step in part.steps if step.policy == "prompt-injection"), "")


class Fleet:
    """All clients of this process."""

    def __init__(self, config: Mapping[str, Any], tell: Tell) -> None:
        self._tell = tell
        self._clients: list[Client] = []
        entries = config["clients"]
        self._census = Census(len(entries), tell)
        for number, entry in enumerate(entries):
            self._clients.append(self._client(number, config, entry))

    def _client(self, number: int, config: Mapping[str, Any], entry: Mapping[str, str]) -> Client:
        operator = Operator(
            url=config["url"],
            ca_file=Path(config["ca_file"]),
            token_file=Path(entry["token_file"]),
            instance=secrets.token_hex(8),
        )
        counts = Counts()
        client = CountedClient(operator, counts=counts, on_ack=lambda ack: self._census.take(number, ack))
        source = StreamSource(
            client,
            keys=LentKeys(clock=time.monotonic),
            last_good=LastGood(Path(entry["state_dir"])),
            status=StreamStatus(client.url, clock=time.monotonic, now=time.time),
            dice=random.random,
        )
        return Client(source=source, counts=counts)

    async def run(self, commands: asyncio.StreamReader) -> None:
        """Until there are no more commands."""
        spread_seconds = len(self._clients) / _CONNECTS_PER_SECOND
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(client.run(wait_seconds=random.random() * spread_seconds)) for client in self._clients
            ]
            async for line in commands:
                command = json.loads(line)
                self._tell({"type": "answer", "id": command["id"], "value": self._answer(command["ask"])})
            for task in running:
                task.cancel()

    def _answer(self, question: str) -> object:
        match question:
            case "counts":
                return [[each.counts.manifests, each.counts.parts, each.counts.connects] for each in self._clients]
            case "states":
                states = Counter(json.dumps(each.state, sort_keys=True) for each in self._clients)
                return [[json.loads(state), count] for state, count in states.items()]
            case _:
                self._census.forget()
                return None


def tell(message: Mapping[str, Any]) -> None:
    """The driver is told."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def main(config: Mapping[str, Any]) -> None:
    """Runs the clients that are described there until standard input ends."""
    commands = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    await Fleet(config, tell).run(commands)


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
