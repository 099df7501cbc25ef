"""The models that xAI serves: names, prices and retirements. Data, with its source and date, in ``models.json``.

It answers two questions without a network: which model really serves a name, and what a call costs. It refuses to
guess: a name that the data does not hold resolves to nothing.
"""

from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import msgspec

TICKS_PER_USD: Final = 10**10
_TOKENS_PER_PRICE: Final = 10**6


class ModelKind(StrEnum):
    """What a model produces. Only ``text`` models answer chat completions and have prices per token."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Ticks (1 USD = 10^10 ticks) per token.

    Attributes:
        long_context_tokens: From this many prompt tokens on, every rate of the call is multiplied by the factor.
    """

    input_ticks: int
    cached_input_ticks: int
    output_ticks: int
    long_context_tokens: int
    long_context_factor: int

    def cost_ticks(self, *, prompt_tokens: int, cached_tokens: int = 0, output_tokens: int) -> int:
        """What a call costs, exactly.

        Args:
            prompt_tokens: The whole prompt, cached part included.
            cached_tokens: The part of the prompt that came from the cache.
            output_tokens: Everything generated: at chat completions that is completion *plus* reasoning tokens.

        Raises:
            ValueError: A count is negative, or more is cached than the prompt holds.
        """
        if min(prompt_tokens, cached_tokens, output_tokens) < 0 or cached_tokens > prompt_tokens:
            raise ValueError(
                f"token counts: prompt {prompt_tokens}, cached {cached_tokens}, output {output_tokens}; "
                "none may be negative, and no more can be cached than the prompt holds"
            )
        factor = self.long_context_factor if prompt_tokens >= self.long_context_tokens else 1
        fresh_tokens = prompt_tokens - cached_tokens
        return factor * (
            fresh_tokens * self.input_ticks
            + cached_tokens * self.cached_input_ticks
            + output_tokens * self.output_ticks
        )


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is served today. ``prices`` and ``context_tokens`` are ``None`` where nothing is billed by token."""

    id: str
    kind: ModelKind
    reasons: bool
    aliases: tuple[str, ...]
    context_tokens: int | None
    prices: Prices | None


class Retirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names whose model is gone. The provider still accepts them and runs ``replacement``, without saying so.

    Attributes:
        names: Exact names; one that ends in ``*`` stands for every name with that beginning.
        replacement: The id of the model that serves the names now; ``None`` if it is not known.
    """

    names: tuple[str, ...]
    retired_on: date
    replacement: str | None

    def covers(self, name: str) -> bool:
        """Whether ``name`` is one of the retired names."""
        return any(
            name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in self.names
        )


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for.

    Attributes:
        model: The model that serves a call for this name; ``None`` if the name is retired without a known replacement.
        retirement: Set if the name is a retired one.
    """

    name: str
    model: Model | None
    retirement: Retirement | None = None


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """All models that are known. ``as_of`` and ``source`` say how far to trust it."""

    as_of: date
    source: str
    models: tuple[Model, ...]
    retirements: tuple[Retirement, ...]

    def resolve(self, name: str) -> Resolution | None:
        """The model behind an id, an alias or a retired name; ``None`` if the name is unknown."""
        if model := self._model(name):
            return Resolution(name=name, model=model)
        for retirement in self.retirements:
            if retirement.covers(name):
                served = self._model(retirement.replacement) if retirement.replacement else None
                return Resolution(name=name, model=served, retirement=retirement)
        return None

    def _model(self, name: str) -> Model | None:
        return next((model for model in self.models if name == model.id or name in model.aliases), None)


def ticks_per_token(usd_per_million: str) -> int:
    """The price of one token in ticks, of a price such as ``"1.25"`` (USD per million tokens).

    Raises:
        ValueError: Not a decimal number, negative, or finer than a tick per token (USD 0.0001 per million).
    """
    try:
        ticks = Decimal(usd_per_million) * TICKS_PER_USD / _TOKENS_PER_PRICE
    except InvalidOperation as error:
        raise ValueError(f"{usd_per_million!r} is no price; expected USD per million tokens, such as '1.25'") from error
    if not ticks.is_finite() or ticks < 0 or ticks != ticks.to_integral_value():
        raise ValueError(f"{usd_per_million!r} is no price; expected zero or more, with at most four decimal places")
    return int(ticks)


@cache
def load_catalog() -> Catalog:
    """The catalogue that this version of the program carries.

    Raises:
        ValueError: The data file contradicts itself; a build with such a file must not run.
    """
    return decode_catalog(resources.files("grokwarden.catalog").joinpath("models.json").read_bytes())


def decode_catalog(data: bytes) -> Catalog:
    """The catalogue in ``data``.

    Raises:
        msgspec.DecodeError: Not the format of ``models.json``. (It is a ``ValueError``.)
        ValueError: A name occurs twice, or a replacement is no model.
    """
    file = msgspec.json.decode(data, type=_File)
    catalog = Catalog(
        as_of=file.as_of,
        source=file.source,
        models=tuple(_model_of(entry, file.long_context) for entry in file.models),
        retirements=file.retired,
    )
    _refuse_contradictions(catalog)
    return catalog


class _UsdPerMillion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: str
    cached_input: str
    output: str


class _LongContext(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    from_prompt_tokens: int
    factor: int


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    kind: ModelKind
    reasons: bool = False
    context_tokens: int | None = None
    aliases: tuple[str, ...] = ()
    usd_per_million: _UsdPerMillion | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: date
    source: str
    notes: tuple[str, ...]
    long_context: _LongContext
    models: tuple[_Entry, ...]
    retired: tuple[Retirement, ...]


def _model_of(entry: _Entry, long_context: _LongContext) -> Model:
    prices = None
    if usd := entry.usd_per_million:
        prices = Prices(
            input_ticks=ticks_per_token(usd.input),
            cached_input_ticks=ticks_per_token(usd.cached_input),
            output_ticks=ticks_per_token(usd.output),
            long_context_tokens=long_context.from_prompt_tokens,
            long_context_factor=long_context.factor,
        )
    return Model(
        id=entry.id,
        kind=entry.kind,
        reasons=entry.reasons,
        aliases=entry.aliases,
        context_tokens=entry.context_tokens,
        prices=prices,
    )


def _refuse_contradictions(catalog: Catalog) -> None:
    ids = [model.id for model in catalog.models]
    names = [*ids, *(alias for model in catalog.models for alias in model.aliases)]
    names += [name for retirement in catalog.retirements for name in retirement.names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"model catalogue: {', '.join(twice)} stands for more than one model")
    for retirement in catalog.retirements:
        if retirement.replacement is not None and retirement.replacement not in ids:
            raise ValueError(
                f"model catalogue: {retirement.replacement} replaces {retirement.names[0]}, but is no model"
            )
