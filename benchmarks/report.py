"""Figures for people and for programs: ratios pair by pair within a round, medians, and whether the aims are met."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from statistics import median
from typing import Any, Final

from figures import Aim, columns, ending, row
from machine import commit, processor
from measuring import Plan, Results, Sample
from patterns import PATTERNS
from proxies import CHAIN, PASS_THROUGH, REQUEST_STEPS, ROUTING, Cores

PLACE: Final = "measured"
"""Of the figures in a page."""
_LIBRARIES: Final = ("uvicorn", "uvloop", "httptools", "aiohttp", "google-re2", "msgspec", "jiter")
_COLUMNS: Final = (
    "proxy",
    "CPU µs per call",
    "× pass-through",
    "CPU µs per chunk",
    "× pass-through",
    "calls/s",
    "MiB at start",
    "MiB after load",
)


def ratios(samples: dict[str, Sample], name: str, figure: str) -> list[float]:
    """A proxy's figure over the yardstick's of the same round."""
    pairs = zip(getattr(samples[name], figure), getattr(samples[PASS_THROUGH], figure), strict=True)
    return [ours / yardstick for ours, yardstick in pairs]


def aims(results: Results) -> list[Aim]:
    """Every aim, met or not."""
    samples = results.samples

    def ratio(name: str, figure: str) -> float:
        return median(ratios(samples, name, figure))

    most_mib = max(sample.loaded_mib for name, sample in samples.items() if name != PASS_THROUGH)
    patterns = f"{PATTERNS} patterns of one's own"
    return [
        Aim(what=f"a call, {ROUTING}", value=ratio(ROUTING, "call_us"), limit=1.3, unit="× pass-through"),
        Aim(what=f"a call, {CHAIN}", value=ratio(CHAIN, "call_us"), limit=2.0, unit="× pass-through"),
        Aim(what=f"a chunk, {REQUEST_STEPS}", value=ratio(REQUEST_STEPS, "chunk_us"), limit=1.3, unit="× pass-through"),
        Aim(what="resident memory after load", value=most_mib, limit=64.0, unit="MiB"),
        Aim(what=patterns, value=results.patterns.added_us, limit=10.0, unit="µs per call"),
    ]


def machine(cores: Cores) -> dict[str, str]:
    """What the figures depend on."""
    return {
        "processor": processor(),
        "cores": f"proxies on {_listed(cores.proxy)}, provider and load on {_listed(cores.others)}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "commit": commit(),
    }


def as_data(results: Results, plan: Plan, facts: dict[str, str]) -> dict[str, Any]:
    """Everything measured, for programs."""
    return {
        "machine": facts,
        "plan": asdict(plan),
        "samples": {name: asdict(sample) for name, sample in results.samples.items()},
        "patterns": {**asdict(results.patterns), "added_us": results.patterns.added_us},
        "aims": [{**asdict(aim), "is_met": aim.is_met} for aim in aims(results)],
        "took_seconds": results.took_seconds,
    }


def as_text(results: Results, plan: Plan, facts: dict[str, str]) -> str:
    """Everything measured, for a terminal."""
    lines = [*columns([_COLUMNS, *_rows(results.samples)]), "", *_remarks(results, plan), ""]
    lines += [*map(str, aims(results)), "", *(f"{name}: {value}" for name, value in facts.items())]
    return "\n".join(lines) + "\n"


def as_markdown(results: Results, plan: Plan, facts: dict[str, str]) -> str:
    """Everything measured, for the docs."""
    lines = [row(_COLUMNS), row(["---", *["--:"] * (len(_COLUMNS) - 1)]), *map(row, _rows(results.samples))]
    lines += ["", " ".join(_remarks(results, plan)), "", *ending(aims(results), facts)]
    return "\n".join(lines) + "\n"


def _rows(samples: dict[str, Sample]) -> list[list[str]]:
    return [
        [
            name,
            _spread(sample.call_us, 0),
            _spread(ratios(samples, name, "call_us"), 2),
            _spread(sample.chunk_us, 1),
            _spread(ratios(samples, name, "chunk_us"), 2),
            f"{median(sample.calls_per_second):,.0f}",
            f"{sample.start_mib:.0f}",
            f"{sample.loaded_mib:.0f}",
        ]
        for name, sample in samples.items()
    ]


def _remarks(results: Results, plan: Plan) -> list[str]:
    clumped = min(median(sample.reads_per_chunk) for sample in results.samples.values())
    before, after = results.patterns.without_us, results.patterns.with_us
    rounds = f"{plan.rounds} rounds of {plan.seconds:g} s; {plan.connections} connections, {plan.streams} streams"
    return [
        f"Median (lowest to highest) of {rounds}.",
        f"Of 100 chunks at least {100 * clumped:.0f} came in a read of their own.",
        f"prompt-injection on 2 KB: {before:.1f} µs, with {PATTERNS} patterns of one's own {after:.1f} µs.",
    ]


def _spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _listed(cores: frozenset[int]) -> str:
    return " ".join(map(str, sorted(cores)))
