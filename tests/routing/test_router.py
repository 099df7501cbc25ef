"""The order of the targets, by strategy and health."""

from collections import Counter

import pytest

from grokwarden.bundle import Pricing, Retry, Routing
from grokwarden.errors import GrokwardenError
from grokwarden.vocabulary import Provider
from grokwarden_sidecar.calls.outcome import Outcome
from grokwarden_sidecar.calls.routing import Router, TargetStates
from targets import HandClock, target_of

A, B, C = "shop/a", "shop/b", "shop/c"


class Setup:
    """A router over three targets, with its clock and dice in hand."""

    def __init__(self, strategy="Ordered", *, retry=None, **of_target):
        self.clock = HandClock()
        self.states = TargetStates(clock=self.clock)
        self.roll = 0.0
        self.targets = [target_of(name=name, failures=1, **of_target.get(name[-1], {})) for name in (A, B, C)]
        self.routing = Routing(strategy=strategy, targets=(A, B, C), retry=retry or Retry())
        self.router = Router(self.routing, self.targets, states=self.states, dice=lambda: self.roll)

    def order(self, model=None):
        return "".join(state.target.name[-1] for state in self.router.plan(model).candidates)

    def break_circuit(self, index):
        breaker = self.states.state_of(self.targets[index]).breaker
        breaker.failed(breaker.admit())

    def took(self, index, seconds):
        self.states.state_of(self.targets[index]).latency.observe(seconds)


def test_ordered_is_the_packs_order():
    """The first is the one that is wanted; the others are for when it fails."""
    assert Setup().order() == "abc"


def test_an_open_circuit_is_left_out_and_said():
    """The fallback is counted, or nobody learns that the first target is down."""
    setup = Setup()
    setup.break_circuit(0)

    plan = setup.router.plan(None)

    assert setup.order() == "bc"
    assert plan.skipped.target.name == A


def test_with_all_circuits_open_the_nearest_probe_is_named():
    """The client is told when it is worth to come back."""
    setup = Setup(c={"cooldown_ms": 4_000})
    for index in range(3):
        setup.break_circuit(index)
    setup.clock.advance(1)

    plan = setup.router.plan(None)

    assert (plan.candidates, plan.retry_after_seconds) == ((), 3.0)


def test_weighted_draws_the_first_by_weight():
    """The rest stays in the pack's order: it is for failures, not for shares."""
    setup = Setup("Weighted", a={"weight": 1}, b={"weight": 3}, c={"weight": 0})

    orders = Counter()
    for step in range(100):
        setup.roll = step / 100
        orders[setup.order()] += 1

    assert orders == {"abc": 25, "bac": 75}


def test_weighted_shares_what_an_open_circuit_leaves():
    """Its share must not all fall on the target that happens to come first."""
    setup = Setup("Weighted", a={"weight": 50}, b={"weight": 25}, c={"weight": 25})
    setup.break_circuit(0)

    orders = Counter()
    for step in range(100):
        setup.roll = step / 100
        orders[setup.order()] += 1

    assert orders == {"bc": 50, "cb": 50}


def test_round_robin_takes_turns():
    """Each call starts where the one before did not."""
    setup = Setup("RoundRobin")

    assert [setup.order() for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_the_lowest_latency_wins_and_unknown_ones_are_tried_first():
    """A target that is never tried is never known."""
    setup = Setup("LowestLatency")
    setup.took(0, 0.9)
    setup.took(1, 0.3)
    assert setup.order() == "cba"
    setup.took(2, 0.5)

    assert setup.order() == "bca"


def test_a_latency_is_forgotten_after_a_minute():
    """A target that was slow once gets another chance."""
    setup = Setup("LowestLatency")
    for index, seconds in enumerate((0.1, 0.2, 9.0)):
        setup.took(index, seconds)
    setup.clock.advance(50)
    setup.took(0, 0.1)
    setup.took(1, 0.2)
    assert setup.order() == "abc"
    setup.clock.advance(11)

    assert setup.order() == "cab"


def test_the_newest_latency_counts_most_but_not_alone():
    """One slow answer must not move all traffic."""
    setup = Setup("LowestLatency")
    for index, seconds in enumerate((0.1, 0.2, 0.3)):
        setup.took(index, seconds)

    setup.took(0, 0.5)

    assert setup.order() == "abc"
    assert setup.states.state_of(setup.targets[0]).latency.seconds == pytest.approx(0.18)


def test_the_lowest_price_wins():
    """The table first, the catalogue for xAI, the order for equals; whoever has no price comes last."""
    setup = Setup(
        "LowestCost",
        a={"provider": Provider.OPENAI, "model": "gpt-5"},
        b={"model": None},
        c={"pricing": Pricing(input_ticks=15_000, output_ticks=30_000)},
    )

    assert setup.order("grok-4.3") == "bca"
    assert setup.order("grok-4.7") == "cba"
    assert setup.order("grok-unheard-of") == "cab"


def test_only_listed_causes_are_retried():
    """A timeout may have been spent already, so it counts only if it is named."""
    router = Setup().router

    assert [outcome for outcome in Outcome if router.may_retry(outcome)] == [
        Outcome.RATE_LIMITED,
        Outcome.SERVER_ERROR,
        Outcome.CONNECT_ERROR,
        Outcome.BAD_REPLY,
    ]
    assert Setup(retry=Retry(retry_on=("Timeout",))).router.may_retry(Outcome.TIMEOUT)
    assert not Setup(retry=Retry(retry_on=())).router.may_retry(Outcome.CONNECT_ERROR)


def test_health_outlives_a_reload_of_the_same_target():
    """An edit of a pack must not send every call to a provider that is down."""
    setup = Setup()
    setup.break_circuit(0)
    setup.break_circuit(1)
    again = [target_of(name=A, failures=1), target_of(name=B, failures=1, weight=7), setup.targets[2]]

    setup.states.keep_only(again)
    setup.router = Router(setup.routing, again, states=setup.states, dice=lambda: 0.0)

    assert setup.order() == "bc"


def test_a_target_that_is_missing_is_an_error_that_names_it():
    """Calls must not go elsewhere in silence."""
    setup = Setup()

    with pytest.raises(GrokwardenError, match="target shop/c, which the bundle lacks"):
        Router(setup.routing, setup.targets[:2], states=setup.states, dice=lambda: 0.0)
