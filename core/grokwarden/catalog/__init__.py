"""What is known about the provider's models, as data."""

from grokwarden.catalog.models import (
    TICKS_PER_USD,
    Catalog,
    Model,
    ModelKind,
    Prices,
    Resolution,
    Retirement,
    decode_catalog,
    load_catalog,
    ticks_per_token,
)

__all__ = [
    "TICKS_PER_USD",
    "Catalog",
    "Model",
    "ModelKind",
    "Prices",
    "Resolution",
    "Retirement",
    "decode_catalog",
    "load_catalog",
    "ticks_per_token",
]
