"""Measures what grokwarden costs, next to a proxy of the same parts that does nothing: ``make bench``."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from figures import write_into
from measuring import Plan, measure
from proxies import Cores
from report import PLACE, as_data, as_markdown, as_text, machine

_DEFAULT: Final = Plan(rounds=6, seconds=2.0, connections=32, streams=100, pattern_calls=4_000)
_QUICK: Final = Plan(rounds=1, seconds=0.2, connections=4, streams=4, pattern_calls=50)


def main() -> int:
    """Measure and print; the exit code is 0 whatever the figures are."""
    options = _options()
    if not hasattr(os, "sched_setaffinity"):
        print("benchmarks: they need Linux, for the cores and clocks of processes", file=sys.stderr)
        return 2
    base = _QUICK if options.quick else _DEFAULT
    plan = Plan(
        rounds=options.rounds or base.rounds,
        seconds=options.seconds or base.seconds,
        connections=base.connections,
        streams=base.streams,
        pattern_calls=base.pattern_calls,
    )
    cores = Cores.of_machine()
    if cores.proxy == cores.others:
        print("benchmarks: one core for everything; the ratios hold, the rates don't", file=sys.stderr)
    facts = machine(cores)
    os.sched_setaffinity(0, cores.others)
    results = measure(plan, cores, tell=lambda text: print(text, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(as_data(results, plan, facts), indent=2))
    elif options.markdown == "-":
        print(as_markdown(results, plan, facts), end="")
    elif options.markdown:
        write_into(Path(options.markdown), PLACE, as_markdown(results, plan, facts))
    else:
        print(as_text(results, plan, facts), end="")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what grokwarden costs. Figures go to standard output.")
    parser.add_argument("--rounds", type=int, help=f"rounds, each with every proxy (default {_DEFAULT.rounds})")
    parser.add_argument("--seconds", type=float, help=f"of each load in a round (default {_DEFAULT.seconds:g})")
    parser.add_argument("--quick", action="store_true", help="a few seconds in all, to see that everything works")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every round's figures, for programs")
    form.add_argument("--markdown", nargs="?", const="-", metavar="PAGE", help="for the docs; PAGE is updated in place")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
