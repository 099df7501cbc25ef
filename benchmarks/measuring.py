"""Measures the proxies side by side: many short rounds, each proxy once per round, so that a noisy neighbour hits all.

Processor time per call and per chunk is the figure to trust; rates and latencies depend on the machine's other work.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import uvloop
from load import Load, drive
from patterns import PatternCost, measure_patterns
from proxies import Cores, Running, provider, proxies

_WARM_UP_SECONDS: Final = 0.5
_WARM_UP_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Attributes:
        seconds: Of load per proxy and round, once with calls and once with streams; streams end, so they take longer.
    """

    rounds: int
    seconds: float
    connections: int
    streams: int
    pattern_calls: int


@dataclass(slots=True)
class Sample:
    """One proxy, one figure per round.

    Attributes:
        reads_per_chunk: Below 1 where a proxy got or sent several chunks at once, which flatters it.
    """

    call_us: list[float] = field(default_factory=list)
    chunk_us: list[float] = field(default_factory=list)
    calls_per_second: list[float] = field(default_factory=list)
    reads_per_chunk: list[float] = field(default_factory=list)
    start_mib: float = 0.0
    loaded_mib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that a run found."""

    samples: dict[str, Sample]
    patterns: PatternCost
    took_seconds: float


def measure(plan: Plan, cores: Cores, *, tell: Callable[[str], None]) -> Results:
    """Run the plan.

    Raises:
        BadAnswerError: A proxy did not answer a call.
    """
    started = time.monotonic()
    patterns = measure_patterns(calls=plan.pattern_calls)
    with (
        provider(cores) as upstream,
        proxies(upstream.port, cores) as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        samples = {name: Sample(start_mib=proxy.resident_mib) for name, proxy in running.items()}
        tell(f"{len(running)} proxies run; warming up")
        runner.run(_warm_up(running))
        for number in range(plan.rounds):
            tell(f"round {number + 1} of {plan.rounds}")
            for name in _rotated(list(running), number):
                runner.run(_measure(running[name], samples[name], plan))
        for name, proxy in running.items():
            samples[name].loaded_mib = proxy.resident_mib
    return Results(samples=samples, patterns=patterns, took_seconds=time.monotonic() - started)


async def _warm_up(running: dict[str, Running]) -> None:
    await asyncio.gather(
        *(
            drive(proxy.port, connections=_WARM_UP_CONNECTIONS, seconds=_WARM_UP_SECONDS, is_stream=is_stream)
            for proxy in running.values()
            for is_stream in (False, True)
        )
    )


async def _measure(proxy: Running, sample: Sample, plan: Plan) -> None:
    cpu_us, load = await _cost(proxy, connections=plan.connections, seconds=plan.seconds, is_stream=False)
    sample.call_us.append(cpu_us / load.calls)
    sample.calls_per_second.append(load.calls / load.seconds)
    cpu_us, load = await _cost(proxy, connections=plan.streams, seconds=plan.seconds, is_stream=True)
    sample.chunk_us.append(cpu_us / load.chunks)
    sample.reads_per_chunk.append(load.reads / load.chunks)


async def _cost(proxy: Running, *, connections: int, seconds: float, is_stream: bool) -> tuple[float, Load]:
    """The processor time in µs that a load took, and what it was."""
    before = proxy.cpu_seconds
    load = await drive(proxy.port, connections=connections, seconds=seconds, is_stream=is_stream)
    return (proxy.cpu_seconds - before) * 1e6, load


def _rotated(names: list[str], number: int) -> Iterator[str]:
    """Every name, beginning with another one each time: no proxy always comes after the same one."""
    start = number % len(names)
    yield from names[start:] + names[:start]
