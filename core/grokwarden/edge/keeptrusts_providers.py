"""``providers.targets`` of a Keeptrusts-style file, as ``ProviderTarget`` resources."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from grokwarden.api.expectations import nearest, type_phrase
from grokwarden.edge.draft import Draft
from grokwarden.edge.sections import Section
from grokwarden.vocabulary import Provider

TARGET_FIELDS: Final = ("id", "provider", "model", "base_url", "insecure", "secret_key_ref", "format", "pricing")
KEY_VARIABLES: Final[Mapping[str, str]] = {Provider.XAI: "XAI_API_KEY", Provider.OPENAI: "OPENAI_API_KEY"}
"""The environment variable that holds the key, where a target names none."""

PRICES: Final[Mapping[str, tuple[str, int]]] = {
    "input_per_million": ("inputPerMillion", 1),
    "cached_input_per_million": ("cachedInputPerMillion", 1),
    "output_per_million": ("outputPerMillion", 1),
    "input_per_1k": ("inputPerMillion", 1000),
    "cached_input_per_1k": ("cachedInputPerMillion", 1000),
    "output_per_1k": ("outputPerMillion", 1000),
}
"""Prices in USD: the field of ours, and what to multiply by."""


def convert_targets(top: Section) -> list[Draft]:
    """One resource per target, in order of preference. A file without ``providers`` means xAI."""
    if "providers" not in top.fields:
        return [_default_target()]
    providers = top.section("providers", accepted=("targets",))
    entries = providers.items("targets")
    if not entries:
        providers.error("targets", "expected at least one target")
    targets = [_target(providers, index, entry) for index, entry in enumerate(entries)]
    return [target for target in targets if target is not None]


def _default_target() -> Draft:
    target = Draft.of("ProviderTarget", "xai", origin=("providers", "targets"))
    target.spec.update(provider="xai", secretKeyRef={"env": KEY_VARIABLES[Provider.XAI]})
    return target


def _target(providers: Section, index: int, entry: object) -> Draft | None:
    section = Section.of(entry, (*providers.path, "targets", index), providers.log, accepted=TARGET_FIELDS)
    if not isinstance(entry, Mapping):
        return None
    name, written = section.text("id"), section.text("provider")
    for key, value in (("id", name), ("provider", written)):
        if value is None and section.fields.get(key) is None:
            section.error(key, f"{key} is required")
    provider, shorthand_model = _provider(section, written)
    target = Draft.of("ProviderTarget", name or "", origin=(*section.path, "id"))
    target.put("provider", provider, origin=(*section.path, "provider"))
    if model := _model(section, shorthand_model):
        target.put("model", model, origin=(*section.path, "model" if "model" in section.fields else "provider"))
    for key, ours in (("base_url", "baseURL"), ("format", "format")):
        if value := section.text(key):
            target.put(ours, value, origin=(*section.path, key))
    if isinstance(insecure := section.fields.get("insecure"), bool):
        target.put("insecure", insecure, origin=(*section.path, "insecure"))
    elif insecure is not None:
        section.error("insecure", f"expected true or false, found {type_phrase(insecure)}")
    if variable := _key_variable(section, provider):
        target.put("secretKeyRef", {"env": variable}, origin=(*section.path, "secret_key_ref"))
    if pricing := _pricing(section):
        target.put("pricing", pricing, origin=(*section.path, "pricing"))
    return target


def _provider(section: Section, written: str | None) -> tuple[str, str | None]:
    """Provider and model of ``xai`` or of ``xai:chat:grok-4.3``."""
    if written is None:
        return "", None
    provider, *shorthand = written.split(":", 2)
    known = [str(provider) for provider in Provider]
    if provider not in known:
        section.error("provider", f"unknown provider {provider}{nearest(provider, known)} (known: {', '.join(known)})")
    if not shorthand:
        return provider, None
    if len(shorthand) == 2 and shorthand[0] == "chat" and shorthand[1]:
        return provider, shorthand[1]
    section.error("provider", f"{written} is not understood: write {provider} or {provider}:chat:<model>")
    return provider, None


def _model(section: Section, shorthand: str | None) -> str | None:
    model = section.text("model")
    if model and shorthand and model != shorthand:
        section.error("model", f"another model than the provider's {shorthand}; keep one of them")
    return model or shorthand


def _key_variable(section: Section, provider: str) -> str | None:
    reference = section.section("secret_key_ref", accepted=("env",))
    if reference.fields.get("env") is None and isinstance(section.fields.get("secret_key_ref"), Mapping):
        section.error("secret_key_ref", "expected env, the name of the environment variable that holds the key")
    return reference.text("env") or KEY_VARIABLES.get(provider)


def _pricing(section: Section) -> dict[str, str]:
    """The price table in USD per million tokens."""
    table = section.section("pricing", accepted=tuple(PRICES))
    prices: dict[str, str] = {}
    for key, value in table.fields.items():
        ours, factor = PRICES[key]
        price = _price(value, factor)
        if price is None:
            table.error(key, f"expected a price in USD such as 1.25, found {type_phrase(value)}")
        elif prices.setdefault(ours, price) != price:
            table.error(key, f"another price than in the other field for {ours}; keep one of them")
    return prices


def _price(value: object, factor: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = Decimal(str(value)) * factor
    except InvalidOperation:
        return None
    if not price.is_finite() or price < 0:
        return None
    whole, _, fraction = f"{price:f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
