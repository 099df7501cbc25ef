"""What counts as a change that has reached every sidecar, and since when it was under way."""

from grokwarden_operator.listing import Kind
from grokwarden_operator.plan import SidecarTally, StatusDraft
from grokwarden_operator.reconcile.convergence import Convergence
from listings import pack


def status(acked: int, *, desired: int = 3, missing: int = 0, nacked: int = 0, generation: int = 1, uid: str = "u"):
    """The status of ``shop/gateway``."""
    stale = desired - acked - missing - nacked
    return StatusDraft(
        kind=Kind.POLICY_PACK,
        namespace="shop",
        name="gateway",
        uid=uid,
        generation=generation,
        conditions=(),
        tally=SidecarTally(desired=desired, acked=acked, nacked=nacked, stale=stale, missing=missing),
    )


def began_empty() -> Convergence:
    """A process that has listed, and found nothing."""
    convergence = Convergence()
    convergence.saw([], at=0.0)
    return convergence


def test_a_change_is_timed_from_when_it_was_seen_to_when_the_last_sidecar_ran_it():
    """That is the promise of a second; the mean of the sidecars would hide the one that matters."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)
    assert convergence.settle([status(0)], at=10.1) == []
    assert convergence.settle([status(2)], at=10.2) == []
    [converged] = convergence.settle([status(3)], at=10.5)

    assert (converged.pack, converged.generation, converged.seconds) == ("shop/gateway", 1, 0.5)


def test_a_generation_is_timed_once():
    """A sidecar that restarts a day later would else count as a change that took a day."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)
    assert convergence.settle([status(3)], at=10.5)
    convergence.saw([pack(uid="u")], at=20.0)
    assert convergence.settle([status(2)], at=20.0) == []
    assert convergence.settle([status(3)], at=99.0) == []

    convergence.saw([pack(uid="u", generation=2)], at=100.0)
    [converged] = convergence.settle([status(3, generation=2)], at=100.25)
    assert converged.seconds == 0.25


def test_what_was_there_before_this_process_is_not_timed():
    """Nobody knows since when; after each restart the figures would show the reconnects of the sidecars instead."""
    convergence = Convergence()
    convergence.saw([pack(uid="u")], at=10.0)

    assert convergence.settle([status(3)], at=15.0) == []


def test_a_newer_generation_takes_the_place_of_one_that_never_arrived():
    """A burst of edits is one change, timed from its last edit."""
    convergence = began_empty()
    convergence.saw([pack(uid="u", generation=1)], at=10.0)
    convergence.saw([pack(uid="u", generation=2)], at=12.0)
    assert convergence.settle([status(3, generation=1)], at=12.1) == [], "a status of before"
    [converged] = convergence.settle([status(3, generation=2)], at=12.5)

    assert (converged.generation, converged.seconds) == (2, 0.5)


def test_a_refusal_is_no_convergence():
    """A pack that two of three sidecars run is not in force."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)

    assert convergence.settle([status(2, nacked=1)], at=11.0) == []


def test_pods_without_a_sidecar_are_not_waited_for():
    """They never answer; the metric of the coverage is there for them."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)
    [converged] = convergence.settle([status(2, missing=1)], at=10.5)

    assert converged.seconds == 0.5


def test_a_change_that_no_sidecar_is_there_for_is_not_timed():
    """Its first pod may come a week later."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)
    assert convergence.settle([status(0, desired=0)], at=10.1) == []

    assert convergence.settle([status(3)], at=700000.0) == []


def test_a_pack_made_anew_under_its_name_is_another_one():
    """Its generation is 1 again, and its sidecars have not seen it."""
    convergence = began_empty()
    convergence.saw([pack(uid="u")], at=10.0)
    assert convergence.settle([status(3)], at=10.5)
    convergence.saw([pack(uid="v")], at=20.0)
    assert convergence.settle([status(3, uid="u")], at=20.1) == []
    [converged] = convergence.settle([status(3, uid="v")], at=20.5)

    assert converged.seconds == 0.5
