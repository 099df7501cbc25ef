"""Tokens and cost of a call, from the usage object of its answer. Integer ticks (1 USD = 10^10 ticks) only.

The provider's own figure counts first, then the target's table, then the catalogue. A figure that makes no sense (no
integer, negative) is treated as absent: a usage object is the provider's word, never a reason to fail a call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grokwarden.audit.record import Tokens
from grokwarden.bundle import Pricing, TargetPart
from grokwarden.catalog import Catalog
from grokwarden.vocabulary import Provider

_NONE: Final[Mapping[str, object]] = {}


class CostSource(StrEnum):
    """Whose figure a cost is. The values are the label ``source`` of ``cost_usd_total``."""

    PROVIDER = "provider"
    TABLE = "table"
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs."""

    ticks: int
    source: CostSource


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. ``cost`` is ``None`` where nobody names a price."""

    tokens: Tokens
    cost: Cost | None


def usage_of(usage: Mapping[str, object], *, target: TargetPart, model: str | None, catalog: Catalog) -> Usage:
    """Read a usage object of chat completions or responses.

    Args:
        usage: As decoded from the answer.
        target: Who answered; its table prices the call where the provider does not.
        model: The model that served the call, for the catalogue.
        catalog: Prices of xAI's models; not used for other providers.
    """
    tokens = _tokens(usage)
    return Usage(tokens, _cost(usage, tokens, target, model, catalog))


def output_tokens(tokens: Tokens, provider: Provider) -> int:
    """Everything generated. At xAI's chat completions reasoning lies outside of ``completion``, elsewhere inside.

    The total tells which, where there is one; else the provider's habit does.
    """
    completion, reasoning = tokens.completion or 0, tokens.reasoning or 0
    if tokens.total is not None and tokens.prompt is not None:
        if tokens.total == tokens.prompt + completion:
            return completion
        if tokens.total == tokens.prompt + completion + reasoning:
            return completion + reasoning
    return completion + reasoning if provider is Provider.XAI else completion


def _tokens(usage: Mapping[str, object]) -> Tokens:
    prompt_name, completion_name = "prompt_tokens", "completion_tokens"
    if prompt_name not in usage and "input_tokens" in usage:
        prompt_name, completion_name = "input_tokens", "output_tokens"
    return Tokens(
        prompt=_count(usage, prompt_name),
        completion=_count(usage, completion_name),
        reasoning=_count(_details(usage, completion_name), "reasoning_tokens"),
        cached=_count(_details(usage, prompt_name), "cached_tokens"),
        total=_count(usage, "total_tokens"),
    )


def _cost(
    usage: Mapping[str, object], tokens: Tokens, target: TargetPart, model: str | None, catalog: Catalog
) -> Cost | None:
    billed = _count(usage, "cost_in_usd_ticks")
    if billed is not None and target.pricing.source == "Provider":
        return Cost(billed, CostSource.PROVIDER)
    if tokens.prompt is None or tokens.completion is None:
        return None
    prompt, cached = tokens.prompt, min(tokens.cached or 0, tokens.prompt)
    output = output_tokens(tokens, target.provider)
    ticks = _table_ticks(target.pricing, prompt - cached, cached, output)
    if ticks is not None:
        return Cost(ticks, CostSource.TABLE)
    if target.provider is Provider.XAI and model is not None:
        resolution = catalog.resolve(model)
        if resolution and resolution.model and (prices := resolution.model.prices):
            ticks = prices.cost_ticks(prompt_tokens=prompt, cached_tokens=cached, output_tokens=output)
            return Cost(ticks, CostSource.CATALOG)
    return None


def _table_ticks(pricing: Pricing, fresh: int, cached: int, output: int) -> int | None:
    """By the target's table; cached input costs as much as other input where the table does not say."""
    if pricing.input_ticks is None or pricing.output_ticks is None:
        return None
    cached_ticks = pricing.input_ticks if pricing.cached_input_ticks is None else pricing.cached_input_ticks
    return fresh * pricing.input_ticks + cached * cached_ticks + output * pricing.output_ticks


def _details(usage: Mapping[str, object], name: str) -> Mapping[str, object]:
    details = usage.get(f"{name}_details")
    return details if isinstance(details, dict) else _NONE


def _count(usage: Mapping[str, object], name: str) -> int | None:
    value = usage.get(name)
    return value if type(value) is int and value >= 0 else None
