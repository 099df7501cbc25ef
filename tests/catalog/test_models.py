"""The catalogue decides what a call costs and which model really serves it: both by hand-computed cases."""

import json
from datetime import date

import pytest

from grokwarden.catalog import ModelKind, decode_catalog, load_catalog, ticks_per_token


@pytest.mark.parametrize(
    ("usd_per_million", "ticks"),
    [("1.25", 12_500), ("0.20", 2_000), ("2.50", 25_000), ("2", 20_000), ("0", 0), ("0.0001", 1)],
)
def test_a_price_per_million_is_a_whole_number_of_ticks_per_token(usd_per_million, ticks):
    """Money is added up in integers; a rounded price would drift over millions of calls."""
    assert ticks_per_token(usd_per_million) == ticks


@pytest.mark.parametrize("text", ["", "free", "-1", "NaN", "Infinity", "0.00001"])
def test_a_price_that_is_no_exact_number_of_ticks_is_refused(text):
    """A silent rounding or a negative price would make budgets wrong without a trace."""
    with pytest.raises(ValueError, match="is no price"):
        ticks_per_token(text)


@pytest.mark.parametrize(
    ("model", "prompt", "cached", "output", "ticks"),
    [
        # 100 x 12500 + 10 x 25000
        ("grok-4.3", 100, 0, 10, 1_500_000),
        # 60 x 12500 + 40 x 2000 + 10 x 25000
        ("grok-4.3", 100, 40, 10, 1_080_000),
        # 199999 x 12500, just below the threshold
        ("grok-4.3", 199_999, 0, 0, 2_499_987_500),
        # (200000 x 12500 + 1 x 25000) x 2, at the threshold
        ("grok-4.3", 200_000, 0, 1, 5_000_050_000),
        # (100000 x 12500 + 100000 x 2000) x 2: cached tokens count for the threshold, and double too
        ("grok-4.3", 200_000, 100_000, 0, 2_900_000_000),
        # a million of each is 2 + 6 USD, doubled
        ("grok-4.7", 1_000_000, 0, 1_000_000, 16 * 10**10),
        ("grok-4.3", 0, 0, 0, 0),
    ],
)
def test_cost_is_exact(model, prompt, cached, output, ticks):
    """The provider's own figure and ours must agree to the tick, or budgets and bills diverge."""
    prices = load_catalog().resolve(model).model.prices

    assert prices.cost_ticks(prompt_tokens=prompt, cached_tokens=cached, output_tokens=output) == ticks


@pytest.mark.parametrize("counts", [{"prompt_tokens": -1}, {"cached_tokens": 11}, {"output_tokens": -1}])
def test_impossible_token_counts_are_refused(counts):
    """They mean that a meter is broken; a negative cost would refill a budget."""
    prices = load_catalog().resolve("grok-4.3").model.prices

    with pytest.raises(ValueError, match="token counts"):
        prices.cost_ticks(**{"prompt_tokens": 10, "output_tokens": 1, **counts})


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("grok-4.3", "grok-4.3"),
        ("grok-4.3-latest", "grok-4.3"),
        ("grok-build-latest", "grok-4.5"),
        ("grok-4.20", "grok-4.20-0309-reasoning"),
        ("grok-code-fast", "grok-build-0.1"),
    ],
)
def test_an_alias_names_the_model_that_serves_it(name, served):
    """A policy on models that only knew the alias would be blind to what ran."""
    resolution = load_catalog().resolve(name)

    assert resolution.model.id == served
    assert resolution.retirement is None


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("grok-3", "grok-4.3"),
        ("grok-4", "grok-4.3"),
        ("grok-4-fast-non-reasoning", "grok-4.3"),
        ("grok-4-1-fast-reasoning", "grok-4.3"),
        ("grok-code-fast-1", "grok-build-0.1"),
    ],
)
def test_a_retired_name_says_when_it_went_and_who_serves_it_now(name, served):
    """The provider substitutes in silence; this is the only warning anyone gets."""
    resolution = load_catalog().resolve(name)

    assert resolution.model.id == served
    assert resolution.retirement.retired_on == date(2026, 5, 15)


def test_a_retired_name_without_known_replacement_resolves_to_no_model():
    """Guessing a replacement would hide a change of model."""
    resolution = load_catalog().resolve("grok-imagine-image-pro")

    assert resolution.model is None
    assert resolution.retirement is not None


@pytest.mark.parametrize("name", ["", "gpt-5", "grok-4.3-", "grok", "grok-4-faster"])
def test_an_unknown_name_resolves_to_nothing(name):
    """Near misses of known names must not be served as if they were known."""
    assert load_catalog().resolve(name) is None


def test_every_text_model_has_prices_and_a_context():
    """A text model without prices would be billed as free."""
    for model in load_catalog().models:
        if model.kind is ModelKind.TEXT:
            assert model.prices is not None, model.id
            assert model.context_tokens, model.id


def _file(**changes):
    content = {
        "as_of": "2026-09-22",
        "source": "a test",
        "notes": [],
        "long_context": {"from_prompt_tokens": 200_000, "factor": 2},
        "models": [{"id": "a", "kind": "text", "aliases": ["b"]}],
        "retired": [],
    }
    return json.dumps(content | changes).encode()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"models": [{"id": "a", "kind": "text"}, {"id": "b", "kind": "text", "aliases": ["a"]}]}, "a stands for more"),
        ({"retired": [{"names": ["b"], "retired_on": "2026-01-01", "replacement": "a"}]}, "b stands for more"),
        ({"retired": [{"names": ["z"], "retired_on": "2026-01-01", "replacement": "y"}]}, "y replaces z"),
        ({"models": [{"id": "a", "kind": "text", "colour": "red"}]}, "colour"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(changes, complaint):
    """The data is refreshed by hand now and then; a slip must fail the build, not bill a wrong model."""
    with pytest.raises(ValueError, match=complaint):
        decode_catalog(_file(**changes))
