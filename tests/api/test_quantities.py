"""Durations and prices."""

import pytest

from grokwarden.api.quantities import is_usable_duration, milliseconds, ticks_per_token


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5s", 5000), ("600s", 600_000), ("1m30s", 90_000), ("250ms", 250), ("1.5h", 5_400_000), ("0.5ms", 1)],
)
def test_a_duration_in_milliseconds(text, expected):
    """A timeout that is off by its unit is no timeout."""
    assert milliseconds(text) == expected


@pytest.mark.parametrize(
    ("text", "usable"), [("1ms", True), ("24h", True), ("0s", False), ("0.9ms", False), ("24h1ms", False)]
)
def test_a_duration_is_neither_zero_nor_endless(text, usable):
    """Zero means "at once" to some and "never" to others."""
    assert is_usable_duration(text) is usable


@pytest.mark.parametrize(("usd", "ticks"), [("1.25", 12_500), ("0.20", 2_000), ("2.50", 25_000), ("0.0001", 1)])
def test_a_price_in_ticks_per_token(usd, ticks):
    """Costs are added up as whole numbers, so a price must be one."""
    assert ticks_per_token(usd) == ticks
