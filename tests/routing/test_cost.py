"""What a call costs, by whom."""

import pytest

from grokwarden.bundle import Pricing
from grokwarden.catalog import load_catalog
from grokwarden.vocabulary import Provider
from grokwarden_sidecar.calls.cost import Cost, CostSource, usage_of
from targets import target_of

TABLE = Pricing(input_ticks=12_500, cached_input_ticks=2_000, output_ticks=25_000)


def cost(usage, *, model="grok-4.3", **fields):
    return usage_of(usage, target=target_of(**fields), model=model, catalog=load_catalog()).cost


def chat(prompt, completion, *, reasoning=0, cached=0, total=None, **more):
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + reasoning if total is None else total,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        **more,
    }


def test_the_providers_own_figure_comes_first():
    """It is what will be on the invoice."""
    usage = chat(100, 10, cost_in_usd_ticks=3_693_500)

    assert cost(usage, pricing=TABLE) == Cost(3_693_500, CostSource.PROVIDER)


def test_a_target_may_insist_on_its_table():
    """Negotiated prices are not in the provider's figure."""
    usage = chat(100, 10, cost_in_usd_ticks=3_693_500)

    assert cost(usage, pricing=Pricing(source="Table", input_ticks=1, output_ticks=2)) == Cost(120, CostSource.TABLE)


def test_reasoning_outside_of_the_completion_is_paid_for():
    """XAI's chat completions count it beside; without it most of a bill is missing."""
    usage = chat(100, 10, reasoning=1_000, cached=40)

    assert cost(usage, pricing=TABLE) == Cost(60 * 12_500 + 40 * 2_000 + 1_010 * 25_000, CostSource.TABLE)


def test_reasoning_inside_of_the_completion_is_paid_for_once():
    """OpenAI and the responses API count it in."""
    usage = chat(100, 1_010, reasoning=1_000, total=1_110)

    assert cost(usage, pricing=TABLE, provider=Provider.OPENAI) == Cost(100 * 12_500 + 1_010 * 25_000, CostSource.TABLE)
    assert cost(usage, pricing=TABLE) == Cost(100 * 12_500 + 1_010 * 25_000, CostSource.TABLE)


@pytest.mark.parametrize(("provider", "output"), [(Provider.XAI, 15), (Provider.OPENAI, 10)])
def test_without_a_total_the_providers_habit_counts(provider, output):
    """A usage object need not say how its parts add up."""
    usage = chat(100, 10, reasoning=5, total=None) | {"total_tokens": None}

    assert cost(usage, provider=provider, pricing=Pricing(input_ticks=0, output_ticks=1)).ticks == output


def test_the_catalogue_prices_xai_where_nobody_else_does():
    """1.25, 0.20 and 2.50 USD per million tokens."""
    assert cost(chat(100, 10, cached=40)) == Cost(60 * 12_500 + 40 * 2_000 + 10 * 25_000, CostSource.CATALOG)
    assert cost(chat(100, 10), model="grok-4.3-latest") == Cost(1_500_000, CostSource.CATALOG)


@pytest.mark.parametrize(("prompt", "factor"), [(199_999, 1), (200_000, 2)])
def test_long_prompts_cost_double_by_the_catalogue(prompt, factor):
    """XAI's rates double at 200k prompt tokens, for the whole call."""
    assert cost(chat(prompt, 10)).ticks == factor * (prompt * 12_500 + 10 * 25_000)
    assert cost(chat(prompt, 10), pricing=TABLE).ticks == prompt * 12_500 + 10 * 25_000


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"prompt_tokens": 5},
        chat(-1, 5),
        chat(True, 5),
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": 5.5, "completion_tokens": 5, "cost_in_usd_ticks": -1},
    ],
)
def test_figures_that_make_no_sense_count_as_absent(usage):
    """A usage object is the provider's word; it must never fail a call or lower a bill."""
    assert cost(usage, pricing=TABLE) is None


def test_details_that_are_no_objects_are_passed_over():
    """Some compatible servers send null."""
    usage = chat(10, 1) | {"prompt_tokens_details": None, "completion_tokens_details": "x"}

    assert cost(usage, pricing=TABLE).ticks == 10 * 12_500 + 25_000


def test_nobody_guesses_prices_of_others():
    """The catalogue holds xAI's models alone, and unknown names are unknown."""
    assert cost(chat(1, 1), provider=Provider.OPENAI, model="gpt-5") is None
    assert cost(chat(1, 1), model="grok-unheard-of") is None


def test_tokens_are_those_of_the_usage_object():
    """Audit records hold the provider's counts, not our sums; the responses API names them otherwise."""
    tokens = usage_of(
        {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 16,
        },
        target=target_of(),
        model=None,
        catalog=load_catalog(),
    ).tokens

    assert (tokens.prompt, tokens.cached, tokens.completion, tokens.reasoning, tokens.total) == (7, 3, 9, 4, 16)
