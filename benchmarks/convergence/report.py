"""The figures for people: tables, and whether the aims are met."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from benchmarks.convergence.results import Burst, Cost, Size, Spread, Storm, aims
from benchmarks.figures import columns, ending, row
from benchmarks.machine import commit, processor

from e2e.cluster.control_plane import ControlPlane, version_of

PLACE: Final = "convergence"
"""Of the figures in a page."""
_MILLISECONDS: Final = 1000.0
_SPREAD: Final = ("min", "median", "p99", "max")

Table = Sequence[Sequence[str]]


def machine(cluster: ControlPlane) -> dict[str, str]:
    """What the figures depend on."""
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores, which everything shares: operator, clients, API server "
        "and etcd",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "API server": f"Kubernetes {version_of(cluster)} with etcd, without a node; etcd does not wait for its disk",
        "commit": commit(),
    }


def as_text(sizes: Sequence[Size], facts: dict[str, str]) -> str:
    """Everything measured, for a terminal."""
    lines: list[str] = []
    for title, table in _tables(sizes):
        lines += [title, "", *columns(table), ""]
    lines += [*_remarks(sizes), "", *map(str, aims(sizes)), "", *(f"{name}: {value}" for name, value in facts.items())]
    return "\n".join(lines) + "\n"


def as_markdown(sizes: Sequence[Size], facts: dict[str, str]) -> str:
    """Everything measured, for the docs."""
    lines: list[str] = []
    for title, (head, *rows) in _tables(sizes):
        lines += [f"**{title}**", "", row(head), row(map(_alignment, rows[0])), *map(row, rows), ""]
    lines += [" ".join(_remarks(sizes)), "", *ending(aims(sizes), facts)]
    return "\n".join(lines) + "\n"


def _tables(sizes: Sequence[Size]) -> list[tuple[str, Table]]:
    return [
        ("From apply to acked, in milliseconds", _changes(sizes)),
        ("What a change costs", _costs(sizes)),
        ("Bursts of edits", _bursts(sizes)),
        ("The operator killed, and started again at once", _storms(sizes)),
    ]


def _changes(sizes: Sequence[Size]) -> Table:
    rows: list[Sequence[str]] = [("sidecars, changes", "until", *_SPREAD)]
    for size in sizes:
        changes = size.changes.changes
        name = f"{size.sidecars}, {len(changes)}"
        samples = {
            "the API server has answered": [change.applied for change in changes],
            "the first sidecar's ack is answered": [min(change.acks) for change in changes],
            "any sidecar's ack is answered": [at for change in changes for at in change.acks],
            "every sidecar's ack is answered": [change.acked for change in changes],
            "status says so": [change.programmed for change in changes],
        }
        rows += [(name, what, *_milliseconds(values)) for what, values in samples.items()]
        rows.append(
            (
                f"{size.sidecars}, {len(size.quiet.changes)} each after a quiet minute",
                "every sidecar's ack is answered",
                *_milliseconds([change.acked for change in size.quiet.changes]),
            )
        )
    return rows


def _costs(sizes: Sequence[Size]) -> Table:
    def per_change(size: Size, value: Callable[[Cost], float]) -> float:
        return value(size.changes.cost) / len(size.changes.changes)

    figures: dict[str, Callable[[Size], str]] = {
        "operator, CPU ms": lambda size: f"{_MILLISECONDS * per_change(size, lambda c: c.operator_cpu):.0f}",
        "all clients together, CPU ms": lambda size: f"{_MILLISECONDS * per_change(size, lambda c: c.clients_cpu):.0f}",
        "API server, etcd and controllers, CPU ms": lambda size: (
            f"{_MILLISECONDS * per_change(size, lambda c: c.control_plane_cpu):.0f}"
        ),
        "whatever else ran on the machine, CPU ms": lambda size: (
            f"{_MILLISECONDS * per_change(size, lambda c: c.others_cpu):.0f}"
        ),
        "operator's rounds": lambda size: f"{per_change(size, lambda c: c.rounds):.1f}",
        "status writes": lambda size: f"{per_change(size, lambda c: c.status_writes):.1f}",
        "sent to all sidecars together, KiB": lambda size: f"{per_change(size, lambda c: c.sent_bytes) / 1024:.0f}",
        "operator's memory while idle, MiB": lambda size: f"{size.quiet.cost.resident_mib:.0f}",
        "after the changes, MiB": lambda size: f"{size.changes.cost.resident_mib:.0f}",
        "peak during the changes, MiB": lambda size: f"{size.changes.cost.peak_mib:.0f}",
        "operator while idle, CPU % of a core": lambda size: (
            f"{100 * size.quiet.cost.operator_cpu / size.quiet.cost.seconds:.1f}"
        ),
    }
    head = ["", *(f"{size.sidecars} sidecars" for size in sizes)]
    return [head, *([what, *map(figure, sizes)] for what, figure in figures.items())]


def _bursts(sizes: Sequence[Size]) -> Table:
    head = (
        "sidecars",
        "edits",
        "manifests per sidecar",
        "last edit to all acked, s",
        "to all statuses, s",
        "operator, CPU s",
        "status writes",
        "peak, MiB",
    )
    return [head, *(_burst(size, burst) for size in sizes for burst in size.bursts)]


def _burst(size: Size, burst: Burst) -> Sequence[str]:
    packs = "one pack" if burst.packs == 1 else f"{burst.packs} packs"
    return (
        f"{size.sidecars}",
        f"{burst.edits} of {packs} in {burst.took:.1f} s",
        f"{median(burst.manifests):.0f} ({min(burst.manifests)} to {max(burst.manifests)})",
        f"{burst.acked:.2f}",
        f"{burst.programmed:.2f}",
        f"{burst.cost.operator_cpu:.2f}",
        f"{burst.cost.status_writes:.0f}",
        f"{burst.cost.peak_mib:.0f}",
    )


def _storms(sizes: Sequence[Size]) -> Table:
    head = (
        "sidecars",
        "new operator serves after, s",
        "half are acked after, s",
        "all are acked after, s",
        "attempts per sidecar",
        "operator, CPU s",
        "peak, MiB",
    )
    return [head, *(_storm(size, storm) for size in sizes for storm in size.storms)]


def _storm(size: Size, storm: Storm) -> Sequence[str]:
    return (
        f"{size.sidecars}",
        f"{storm.serving:.1f}",
        f"{median(storm.acks):.1f}",
        f"{storm.acked:.1f}",
        f"{min(storm.connects)} to {max(storm.connects)}",
        f"{storm.cost.operator_cpu:.1f}",
        f"{storm.cost.peak_mib:.0f}",
    )


def _remarks(sizes: Sequence[Size]) -> list[str]:
    largest = max(sizes, key=lambda each: each.sidecars)
    return [
        "After each burst and each restart every client held what was applied last, or the run would have failed.",
        f"The clients are in {largest.client_processes} processes.",
    ]


def _milliseconds(values: Sequence[float]) -> Iterable[str]:
    spread = Spread.of(values)
    return (f"{_MILLISECONDS * value:.0f}" for value in (spread.min, spread.median, spread.p99, spread.max))


def _alignment(cell: str) -> str:
    return "--:" if cell[:1].isdigit() and "," not in cell else "---"
