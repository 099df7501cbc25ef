"""Retired and substituted models."""

import pytest

from grokwarden.bundle import Lifecycle
from grokwarden.catalog import load_catalog
from grokwarden.vocabulary import OnDeviation, Provider
from grokwarden_sidecar.calls.lifecycle import judge_retirement, judge_substitution
from targets import target_of

CATALOG = load_catalog()
STRICT = Lifecycle(on_retired=OnDeviation.REJECT, on_substitution=OnDeviation.REJECT)


@pytest.mark.parametrize("action", list(OnDeviation))
def test_a_retired_model_gets_the_targets_verdict(action):
    """The provider would run another model at another price, without a word."""
    target = target_of(lifecycle=Lifecycle(on_retired=action))

    verdict = judge_retirement(target, "grok-3", CATALOG)

    assert verdict.action is action
    assert "model grok-3 was retired on 2026-05-15" in verdict.finding
    assert "grok-4.3" in verdict.finding


@pytest.mark.parametrize("model", ["grok-4.3", "grok-4.3-latest", "grok-unheard-of", None])
def test_a_model_that_is_not_known_to_be_retired_is_sent(model):
    """The catalogue is older than the newest model."""
    verdict = judge_retirement(target_of(lifecycle=STRICT), model, CATALOG)

    assert (verdict.action, verdict.finding) == (OnDeviation.ALLOW, "")


def test_other_providers_have_other_names():
    """The catalogue says nothing about them."""
    target = target_of(lifecycle=STRICT, provider=Provider.OPENAI_COMPATIBLE)

    assert judge_retirement(target, "grok-3", CATALOG).action is OnDeviation.ALLOW


@pytest.mark.parametrize(
    ("sent", "served"),
    [
        ("grok-4.3", "grok-4.3"),
        ("grok-4.3-latest", "grok-4.3"),
        ("grok-4.3", "grok-4.3-latest"),
        ("grok-unheard-of", "grok-unheard-of-20261101"),
        ("gpt-5", "gpt-5-2026-08-01"),
        ("grok-4.3", None),
        (None, "grok-4.3"),
    ],
)
def test_the_same_model_by_another_name_is_no_substitution(sent, served):
    """Aliases resolve in the answer; a warning for each call would be noise."""
    assert judge_substitution(target_of(lifecycle=STRICT), sent, served, CATALOG).action is OnDeviation.ALLOW


@pytest.mark.parametrize(
    ("sent", "served"),
    [
        ("grok-4.7", "grok-4.3"),
        ("grok-3", "grok-4.3"),
        ("grok-3-mini", "grok-3-mini-high"),
        ("grok-4.3", "grok-4.3-fast"),
        ("grok-unheard-of", "grok-4.3"),
        ("gpt-5", "gpt-5-mini"),
    ],
)
def test_another_model_is_a_substitution(sent, served):
    """Also behind a retired name: whoever pinned it gets something else."""
    verdict = judge_substitution(target_of(lifecycle=STRICT), sent, served, CATALOG)

    assert verdict.action is OnDeviation.REJECT
    assert f"model {sent} was sent, and {served} answered" in verdict.finding


def test_a_served_name_that_could_break_a_log_is_not_quoted():
    """It is the provider's word and could be anything."""
    verdict = judge_substitution(target_of(), "grok-4.3", "x\n\x1b[31m", CATALOG)

    assert verdict.action is OnDeviation.WARN
    assert "\n" not in verdict.finding
