"""What is done to a scene, and timed. A wrong state at the end of a phase ends the run."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final

from benchmarks.convergence.cluster import control_plane_pids
from benchmarks.convergence.operator_process import NOTHING, Figures
from benchmarks.convergence.processes import busy_seconds, cpu_seconds, peak_mib, reset_peak, resident_mib
from benchmarks.convergence.results import Burst, Change, Changes, Cost, Quiet, Storm
from benchmarks.convergence.scene import Scene

_LEAST_REST_SECONDS: Final = 0.3
_MORE_REST_SECONDS: Final = 0.3  # at random, so that changes don't fall in step with anybody's timer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meter:
    """What was used up to one moment."""

    at: float
    operator_cpu: float
    clients_cpu: float
    control_plane_cpu: float
    our_cpu: float
    busy: float
    figures: Figures

    @classmethod
    async def read(cls, scene: Scene) -> "_Meter":
        figures = await scene.operator.figures()
        return cls(
            at=time.monotonic(),
            operator_cpu=cpu_seconds([scene.operator.pid]),
            clients_cpu=cpu_seconds(scene.fleet.pids),
            control_plane_cpu=cpu_seconds(control_plane_pids(scene.cluster)),
            our_cpu=time.process_time(),
            busy=busy_seconds(),
            figures=figures,
        )

    def cost(self, before: "_Meter", pid: int) -> Cost:
        """What was used since then, and the memory of the operator now."""
        operator = self.operator_cpu - before.operator_cpu
        clients = self.clients_cpu - before.clients_cpu
        control_plane = self.control_plane_cpu - before.control_plane_cpu
        known = operator + clients + control_plane + self.our_cpu - before.our_cpu
        return Cost(
            seconds=self.at - before.at,
            operator_cpu=operator,
            clients_cpu=clients,
            control_plane_cpu=control_plane,
            others_cpu=max(0.0, self.busy - before.busy - known),
            **asdict(self.figures.since(before.figures)),
            resident_mib=resident_mib(pid),
            peak_mib=peak_mib(pid),
        )


async def measure_quiet(scene: Scene, *, seconds: float, times: int) -> Quiet:
    """Nothing happens for so long, but pings; then a change; and all that again."""
    found = []
    for number in range(times):
        async with _metered(scene) as spent:
            await asyncio.sleep(seconds)
        found.append(await _change(scene, f"quiet-{number}"))
    await scene.check_end_state()
    return Quiet(changes=found, cost=spent[0])


async def measure_changes(scene: Scene, *, changes: int, dice: random.Random) -> Changes:
    """One change at a time: the next one comes when status has said that the one before is everywhere."""
    found = []
    async with _metered(scene) as spent:
        for number in range(changes):
            found.append(await _change(scene, f"change-{number}"))
            await asyncio.sleep(_LEAST_REST_SECONDS + dice.random() * _MORE_REST_SECONDS)
    await scene.check_end_state()
    return Changes(changes=found, cost=spent[0])


async def _change(scene: Scene, word: str) -> Change:
    started = time.monotonic()
    generation = await scene.apply_pack(0, word)
    applied = time.monotonic()
    acks = await scene.acked(0, generation)
    programmed = await scene.programmed(0, generation)
    return Change(applied=applied - started, acks=[at - started for at in acks], programmed=programmed.at - started)


async def measure_burst(scene: Scene, *, edits: int, packs: int, seconds: float) -> Burst:
    """So many edits in so many seconds, spread over so many packs; what was applied last must win everywhere."""
    await _make_packs(scene, packs)
    before = await scene.fleet.counts()
    async with _metered(scene) as spent:
        started = time.monotonic()
        for number in range(edits):
            await asyncio.sleep(max(0.0, started + number * seconds / edits - time.monotonic()))
            last_at = time.monotonic()
            await scene.apply_pack(number % packs, f"edit-{number}")
        acked, programmed = await _everywhere(scene, packs)
    await scene.check_end_state()
    after = await scene.fleet.counts()
    return Burst(
        packs=packs,
        edits=edits,
        took=last_at - started,
        acked=acked - last_at,
        programmed=programmed - last_at,
        manifests=[now[0] - then[0] for now, then in zip(after, before, strict=True)],
        cost=spent[0],
    )


async def measure_storm(scene: Scene) -> Storm:
    """The operator is killed and started again, and all sidecars come back, spread by their own jitter."""
    before = await scene.fleet.counts()
    unborn = replace(await _Meter.read(scene), operator_cpu=0.0, figures=NOTHING)
    started = time.monotonic()
    await scene.operator.kill()
    await scene.fleet.forget()
    await scene.start_another_operator()
    pack, (generation, _) = next(iter(scene.words.items()))
    acks = await scene.fleet.acked(pack, generation, timeout_seconds=120)
    cost = (await _Meter.read(scene)).cost(unborn, scene.operator.pid)
    after = await scene.fleet.counts()
    await _change(scene, "after the storm")
    await scene.check_end_state()
    return Storm(
        serving=scene.operator.serving_at - started,
        acks=[at - started for at in acks],
        connects=[now[2] - then[2] for now, then in zip(after, before, strict=True)],
        parts=sum(now[1] - then[1] for now, then in zip(after, before, strict=True)),
        cost=cost,
    )


async def _make_packs(scene: Scene, packs: int) -> None:
    """Packs up to that number are there and everywhere."""
    for number in range(len(scene.words), packs):
        await scene.apply_pack(number, "made")
    await _everywhere(scene, packs)


async def _everywhere(scene: Scene, packs: int) -> tuple[float, float]:
    """When every client had acked what was applied last of every pack, and when all statuses said so."""
    generations = [generation for generation, _ in scene.words.values()][:packs]
    acks = await asyncio.gather(*(scene.acked(*each) for each in enumerate(generations)))
    programmed = await asyncio.gather(*(scene.programmed(*each) for each in enumerate(generations)))
    return max(at for times in acks for at in times), max(each.at for each in programmed)


@asynccontextmanager
async def _metered(scene: Scene) -> AsyncIterator[list[Cost]]:
    """What the block took is in the list after it."""
    reset_peak(scene.operator.pid)
    before = await _Meter.read(scene)
    spent: list[Cost] = []
    yield spent
    spent.append((await _Meter.read(scene)).cost(before, scene.operator.pid))
