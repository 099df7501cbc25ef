"""Retired models and models that stand in for others: what a target says shall happen.

xAI answers for a retired name with another model, at that model's price, and says so nowhere but in ``model`` of the
answer. Both checks are pure; a model that the catalogue does not know gives no verdict on its retirement.
"""

import re
from dataclasses import dataclass
from typing import Final

from grokwarden.bundle import TargetPart
from grokwarden.catalog import Catalog
from grokwarden.vocabulary import OnDeviation, Provider

_DATED: Final = re.compile(r"-(?:\d{4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """What to do. ``finding`` says what was found, for people; it is empty where all is as it should be."""

    action: OnDeviation
    finding: str


_FINE: Final = ModelVerdict(OnDeviation.ALLOW, "")


def judge_retirement(target: TargetPart, sent: str | None, catalog: Catalog) -> ModelVerdict:
    """The verdict on a model before it is sent to a target, by ``lifecycle.onRetired``.

    Args:
        target: Only xAI's models are in the catalogue.
        sent: The model that the target would get; ``None`` where the call has none.
        catalog: What is known.
    """
    if sent is None or target.provider is not Provider.XAI:
        return _FINE
    resolution = catalog.resolve(sent)
    if resolution is None or (retirement := resolution.retirement) is None:
        return _FINE
    instead = f"; the provider runs {retirement.replacement} for it" if retirement.replacement else ""
    return ModelVerdict(
        target.lifecycle.on_retired,
        f"target {target.name}: model {sent} was retired on {retirement.retired_on.isoformat()}{instead}",
    )


def judge_substitution(target: TargetPart, sent: str | None, served: str | None, catalog: Catalog) -> ModelVerdict:
    """The verdict on the model that an answer names, by ``lifecycle.onSubstitution``.

    An alias and its model are the same, and so are a name and its dated version (``gpt-5`` and ``gpt-5-2026-08-01``).

    Args:
        target: Who answered.
        sent: The model that it was asked for.
        served: ``model`` of the answer; ``None`` where it names none, which is no finding.
        catalog: What is known of names.
    """
    if sent is None or served is None or sent == served or _is_dated(sent, served):
        return _FINE
    if target.provider is Provider.XAI and _is_alias(sent, served, catalog):
        return _FINE
    return ModelVerdict(
        target.lifecycle.on_substitution,
        f"target {target.name}: model {sent} was sent, and {_shown(served)} answered",
    )


def _is_dated(sent: str, served: str) -> bool:
    return served.startswith(sent) and _DATED.fullmatch(served, len(sent)) is not None


def _is_alias(sent: str, served: str, catalog: Catalog) -> bool:
    asked, answered = catalog.resolve(sent), catalog.resolve(served)
    if asked is None or answered is None or asked.model is None or asked.retirement is not None:
        return False
    return asked.model == answered.model


def _shown(served: str) -> str:
    """A provider's word, fit for a message: it could be anything."""
    return served[:128] if served.isascii() and served.isprintable() else "a model with an unprintable name"
