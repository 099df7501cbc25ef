"""What a run found, as data. Times are seconds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from benchmarks.figures import Aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A sample in four figures; the p99 is interpolated, as between the two slowest of 50."""

    min: float
    median: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The figures of a sample that is not empty."""
        if len(values) == 1:
            return cls(min=values[0], median=values[0], p99=values[0], max=values[0])
        cuts = quantiles(values, n=100, method="inclusive")
        return cls(min=min(values), median=cuts[49], p99=cuts[98], max=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a pack; times since the apply was sent.

    Attributes:
        applied: The API server had answered.
        acks: Each client's ack had been answered.
        programmed: The status said so.
    """

    applied: float
    acks: Sequence[float]
    programmed: float

    @property
    def acked(self) -> float:
        """Every client's ack had been answered."""
        return max(self.acks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a phase took, in processor seconds where it says CPU.

    Attributes:
        seconds: From its beginning to its end.
        control_plane_cpu: 0 for one that was not brought up here.
        others_cpu: Of whatever else ran on the machine; if that is much, the figures are no good.
    """

    seconds: float
    operator_cpu: float
    clients_cpu: float
    control_plane_cpu: float
    others_cpu: float
    rounds: float
    status_writes: float
    acks: float
    sent_bytes: float
    resident_mib: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One change after the other."""

    changes: Sequence[Change]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Many edits in a row.

    Attributes:
        took: From the first edit to the last one.
        acked: From when the last edit was sent to when every client had the last one of every pack.
        programmed: The same, as all statuses say.
        manifests: That each client got.
    """

    packs: int
    edits: int
    took: float
    acked: float
    programmed: float
    manifests: Sequence[int]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """The operator was killed, and started again at once; times since the kill.

    Attributes:
        serving: The new one serves.
        acks: Each client's ack had been answered again.
        connects: Attempts of each client.
        parts: That were sent again, to all clients together.
    """

    serving: float
    acks: Sequence[float]
    connects: Sequence[int]
    parts: int
    cost: Cost

    @property
    def acked(self) -> float:
        """Every client's ack had been answered."""
        return max(self.acks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Nothing happens for a while, then a change: by then the operator has to ask whose tokens the acks come with.

    Attributes:
        cost: Of the last while.
    """

    changes: Sequence[Change]
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Everything that was measured with one number of sidecars."""

    sidecars: int
    client_processes: int
    quiet: Quiet
    changes: Changes
    bursts: Sequence[Burst]
    storms: Sequence[Storm]


def aims(sizes: Sequence[Size]) -> list[Aim]:
    """Of the largest number of sidecars, whether or not they are met."""
    size = max(sizes, key=lambda each: each.sidecars)
    phases = [size.quiet.cost, size.changes.cost, *(burst.cost for burst in size.bursts)]
    peak = max(cost.peak_mib for cost in (*phases, *(storm.cost for storm in size.storms)))
    slowest = Spread.of([change.acked for change in size.changes.changes]).p99
    return [
        Aim(what=f"apply to all of {size.sidecars} acked, p99", value=slowest, limit=1.0, unit="s"),
        Aim(what=f"operator's memory with {size.sidecars} sidecars, peak", value=peak, limit=250.0, unit="MiB"),
    ]


def as_data(sizes: Sequence[Size], facts: dict[str, str]) -> dict[str, Any]:
    """Everything measured, for programs."""
    return {
        "machine": facts,
        "sizes": [asdict(size) for size in sizes],
        "aims": [{**asdict(aim), "is_met": aim.is_met} for aim in aims(sizes)],
    }
