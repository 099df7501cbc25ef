"""What the convergence benchmark calls converged. Measured is in ``tests/cluster``: it needs an API server."""

from pathlib import Path

import pytest
from benchmarks.convergence.client_process import Census
from benchmarks.convergence.report import PLACE
from benchmarks.convergence.results import Spread
from benchmarks.convergence.scene import state_problem
from benchmarks.figures import write_into

from grokwarden.config_stream import Ack, AckedPack


def ack(generation: int, *, applied: bool = True) -> Ack:
    pack = AckedPack(
        name="ns/pack", uid="u", generation=generation, applied=applied, reason="" if applied else "BuildFailed"
    )
    return Ack(manifest="sha256:0", packs=(pack,))


def test_a_generation_is_acked_when_the_last_client_has_acked_it():
    """A figure that doesn't wait for the slowest client flatters everything."""
    told = []
    census = Census(2, told.append)
    census.take(0, ack(1))
    census.take(0, ack(2))
    census.take(1, ack(1))
    assert told == []

    census.take(1, ack(2))

    [message] = told
    assert (message["type"], message["generation"], len(message["at"])) == ("acked", 2, 2)


def test_a_refusal_is_told_at_once():
    """A pack that a client refuses has not converged, however fast the answer was."""
    told = []
    Census(1, told.append).take(0, ack(1, applied=False))

    assert [message["type"] for message in told] == ["refused"]


def test_after_a_restart_every_client_has_to_ack_again():
    """What was acked before the operator was killed proves nothing about the new one."""
    told = []
    census = Census(2, told.append)
    census.take(0, ack(1))
    census.take(1, ack(1))
    census.forget()
    census.take(0, ack(1))
    assert len(told) == 1

    census.take(1, ack(1))

    assert len(told) == 2


@pytest.mark.parametrize(
    ("states", "is_fine"),
    [
        ([({"ns/pack": [3, "last"]}, 5)], True),
        ([({"ns/pack": [3, "last"]}, 4)], False),
        ([({"ns/pack": [3, "last"]}, 4), ({"ns/pack": [2, "before"]}, 1)], False),
        ([({"ns/pack": [3, "before"]}, 5)], False),
        ([({"ns/pack": [3, "last"], "ns/other": [1, "word"]}, 5)], False),
        ([({}, 5)], False),
    ],
)
def test_only_the_last_edit_in_every_client_is_a_right_end(states, is_fine):
    """A burst whose last edit gets lost somewhere must fail the run, and not look fast."""
    assert (state_problem({"ns/pack": (3, "last")}, states, sidecars=5) == "") is is_fine


def test_a_spread_is_that_of_the_sample():
    """Figures of 50 changes: p99 lies between the two slowest."""
    spread = Spread.of([float(number) for number in range(1, 51)])

    assert (spread.min, spread.median, spread.max) == (1.0, 25.5, 50.0)
    assert spread.p99 == pytest.approx(49.51)


def test_figures_replace_those_of_the_run_before_and_nothing_else(tmp_path: Path):
    """The page is also written by ``make bench``, in a place of its own."""
    page = tmp_path / "performance.md"
    others = "<!-- measured: begin -->"
    begin, end = f"<!-- {PLACE}: begin -->", f"<!-- {PLACE}: end -->"
    page.write_text(f"head\n{others}\nothers\n{begin}\nold\n{end}\ntail\n")
    write_into(page, PLACE, "new\n")
    write_into(page, PLACE, "newest\n")

    assert page.read_text() == f"head\n{others}\nothers\n{begin}\n\nnewest\n\n{end}\ntail\n"
