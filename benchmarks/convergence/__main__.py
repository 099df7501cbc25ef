"""``python -m benchmarks.convergence``. Exit codes: 0 measured, 1 something went wrong or ended up wrong, 2 bad usage.

Whether aims are met is no matter of the exit code; whether every sidecar ends up with what was applied last is.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.convergence.cluster import control_plane
from benchmarks.convergence.errors import RunError
from benchmarks.convergence.phases import measure_burst, measure_changes, measure_quiet, measure_storm
from benchmarks.convergence.report import PLACE, as_markdown, as_text, machine
from benchmarks.convergence.results import Size, as_data
from benchmarks.convergence.scene import scene
from benchmarks.figures import write_into

from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.errors import ClusterError

_SEED: Final = 1
_LAST_LINES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. ``bursts`` are numbers of packs."""

    sidecars: Sequence[int]
    changes: int
    edits: int
    burst_seconds: float
    bursts: Sequence[int]
    storms: int
    quiets: int
    quiet_seconds: float
    client_processes: int


_DEFAULT: Final = Plan(
    sidecars=(50, 500),
    changes=50,
    edits=200,
    burst_seconds=5.0,
    bursts=(1, 20),
    storms=3,
    quiets=3,
    quiet_seconds=65.0,  # the operator remembers a token for 60
    client_processes=4,
)
_QUICK: Final = replace(
    _DEFAULT, sidecars=(4,), changes=2, edits=6, burst_seconds=0.3, bursts=(1, 2), storms=1, quiets=1, quiet_seconds=0.2
)


def main() -> int:
    """Measure and print."""
    options = _options()
    if sys.platform != "linux":
        say("benchmarks: this needs Linux, for the clocks and the memory of processes")
        return 2
    base = _QUICK if options.quick else _DEFAULT
    plan = replace(
        base,
        sidecars=options.sidecars or base.sidecars,
        changes=options.changes or base.changes,
        storms=base.storms if options.storms is None else options.storms,
    )
    with tempfile.TemporaryDirectory(prefix="grokwarden-convergence-") as folder:
        found = _measured_or_explained(plan, Path(folder), options.kubeconfig)
    if found is None:
        return 1
    sizes, facts = found
    if options.json:
        print(json.dumps(as_data(sizes, facts), indent=2))
    elif options.markdown == "-":
        print(as_markdown(sizes, facts), end="")
    elif options.markdown:
        write_into(Path(options.markdown), PLACE, as_markdown(sizes, facts))
    else:
        print(as_text(sizes, facts), end="")
    return 0


def say(text: str) -> None:
    """Tell a person."""
    print(text, file=sys.stderr, flush=True)


def _measured_or_explained(
    plan: Plan, folder: Path, kubeconfig: Path | None
) -> tuple[list[Size], dict[str, str]] | None:
    """The figures; ``None`` if there are none, and then it was said why."""
    found = None
    try:
        found = _measured(plan, folder, kubeconfig)
    except* (RunError, ClusterError) as errors:
        for error in _single(errors):
            say(f"error: {error}")
        for log in sorted(folder.glob("*/*.log")):
            if last := log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]:
                say("\n".join([f"the end of {log.name}:", *last]))
    except* (asyncio.CancelledError, KeyboardInterrupt):
        say("interrupted; nothing was left running")
    return found


def _measured(plan: Plan, folder: Path, kubeconfig: Path | None) -> tuple[list[Size], dict[str, str]]:
    with control_plane(folder, kubeconfig, say=say) as cluster, asyncio.Runner() as runner:
        facts = machine(cluster)
        sizes = [runner.run(_interruptible(_size(plan, cluster, folder, sidecars))) for sidecars in plan.sidecars]
        return sizes, facts


async def _interruptible(work: Coroutine[Any, Any, Size]) -> Size:
    """SIGTERM ends the work as Ctrl-C does: with all that it started."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _size(plan: Plan, cluster: ControlPlane, folder: Path, sidecars: int) -> Size:
    """Everything, with one number of sidecars."""
    dice = random.Random(_SEED)
    say(f"{sidecars} sidecars: bringing them up")
    processes = min(plan.client_processes, sidecars)
    async with scene(cluster, _made(folder / f"{sidecars}"), sidecars=sidecars, client_processes=processes) as there:
        say(f"{sidecars} sidecars: {plan.quiets} changes, each after {plan.quiet_seconds:g} quiet s")
        quiet = await measure_quiet(there, seconds=plan.quiet_seconds, times=plan.quiets)
        say(f"{sidecars} sidecars: {plan.changes} changes")
        changes = await measure_changes(there, changes=plan.changes, dice=dice)
        bursts = []
        for packs in plan.bursts:
            say(f"{sidecars} sidecars: {plan.edits} edits of {packs} packs")
            bursts.append(await measure_burst(there, edits=plan.edits, packs=packs, seconds=plan.burst_seconds))
        storms = []
        for number in range(plan.storms):
            say(f"{sidecars} sidecars: restart {number + 1}")
            storms.append(await measure_storm(there))
    return Size(
        sidecars=sidecars,
        client_processes=processes,
        quiet=quiet,
        changes=changes,
        bursts=bursts,
        storms=storms,
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _single(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Every error in the group, however deep."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _single(error)
        else:
            yield error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convergence",
        description="Measures how long a change of a pack takes to reach every sidecar, on a real API server.",
    )
    parser.add_argument("--sidecars", type=int, nargs="+", metavar="N", help="how many, one run for each (50 500)")
    parser.add_argument("--changes", type=int, metavar="N", help=f"of a pack, one by one ({_DEFAULT.changes})")
    parser.add_argument("--storms", type=int, metavar="N", help=f"restarts of the operator ({_DEFAULT.storms})")
    parser.add_argument("--quick", action="store_true", help="a few seconds in all, to see that everything works")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="an API server to use instead of one of its own: for trials only",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every single figure, for programs")
    form.add_argument("--markdown", nargs="?", const="-", metavar="PAGE", help="for the docs; PAGE is updated in place")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
