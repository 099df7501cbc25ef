"""The circuit of a target, in all its turns."""

import pytest

from grokwarden.bundle import CircuitBreaker
from grokwarden_sidecar.calls.breaker import Admission, Breaker, CircuitState
from targets import HandClock


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def breaker(clock):
    return Breaker(CircuitBreaker(failures=3, window_ms=10_000, cooldown_ms=5_000), clock=clock)


def fail(breaker, times=1):
    for _ in range(times):
        breaker.failed(breaker.admit())


def test_it_opens_at_the_last_failure_that_is_allowed(breaker):
    """One less must not, or a target is lost for nothing."""
    fail(breaker, 2)
    assert (breaker.state, breaker.admit()) == (CircuitState.CLOSED, Admission.ADMITTED)

    fail(breaker)

    assert (breaker.state, breaker.admit()) == (CircuitState.OPEN, Admission.REFUSED)
    assert breaker.retry_after_seconds == 5.0


def test_failures_outside_of_the_window_are_forgotten(breaker, clock):
    """A failure a day is no outage."""
    fail(breaker, 2)
    clock.advance(10.1)
    fail(breaker, 2)
    assert breaker.state is CircuitState.CLOSED

    clock.advance(9.9)
    fail(breaker)

    assert breaker.state is CircuitState.OPEN


def test_one_probe_goes_after_the_cooldown(breaker, clock):
    """A crowd would break a target that is just coming back."""
    fail(breaker, 3)
    clock.advance(4.9)
    assert breaker.admit() is Admission.REFUSED
    clock.advance(0.1)

    assert breaker.state is CircuitState.HALF_OPEN
    assert [breaker.admit() for _ in range(3)] == [Admission.PROBE, Admission.REFUSED, Admission.REFUSED]


def test_the_probe_decides(breaker, clock):
    """Success closes the circuit and forgets; failure opens it for another cooldown."""
    fail(breaker, 3)
    clock.advance(5)
    breaker.failed(breaker.admit())
    assert (breaker.state, breaker.retry_after_seconds) == (CircuitState.OPEN, 5.0)
    clock.advance(5)

    breaker.succeeded(breaker.admit())
    fail(breaker, 2)

    assert breaker.state is CircuitState.CLOSED


def test_a_probe_whose_client_left_makes_room_for_another(breaker, clock):
    """Else one impatient client would keep the target away from everybody."""
    fail(breaker, 3)
    clock.advance(5)
    breaker.abandoned(breaker.admit())

    assert breaker.admit() is Admission.PROBE


def test_a_probe_that_takes_long_holds_nobody_up_for_long(breaker, clock):
    """Grok may reason for minutes; the probe's place is free again after a cooldown."""
    fail(breaker, 3)
    clock.advance(5)
    slow = breaker.admit()
    clock.advance(5)
    second = breaker.admit()
    assert (slow, second) == (Admission.PROBE, Admission.PROBE)
    breaker.succeeded(second)

    breaker.failed(slow)

    assert breaker.state is CircuitState.CLOSED


def test_late_results_of_earlier_calls_change_nothing(breaker, clock):
    """They tell of the time before the circuit opened."""
    early = [breaker.admit() for _ in range(5)]
    for admission in early[:3]:
        breaker.failed(admission)
    clock.advance(3)

    breaker.succeeded(early[3])
    breaker.failed(early[4])

    assert (breaker.state, breaker.retry_after_seconds) == (CircuitState.OPEN, 2.0)
