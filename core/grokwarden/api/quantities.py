"""Durations and prices as people write them, to the whole numbers that the program counts in."""

import math
import re
from decimal import Decimal
from typing import Final

DURATION_PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
PRICE_PATTERN: Final = r"^[0-9]{1,6}(\.[0-9]{1,4})?$"
TICKS_PER_USD: Final = 10**10
LONGEST_MS: Final = 24 * 3_600_000

_MS_PER_UNIT: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def milliseconds(duration: str) -> int:
    """The length of a duration such as ``1m30s`` in milliseconds, a part of one counted as a whole one."""
    return math.ceil(sum(Decimal(number) * _MS_PER_UNIT[unit] for number, unit in _DURATION_TERM.findall(duration)))


def is_usable_duration(duration: str) -> bool:
    """Whether ``duration`` is at least 1 ms and at most a day; ``duration`` matches ``DURATION_PATTERN``."""
    exact = sum(Decimal(number) * _MS_PER_UNIT[unit] for number, unit in _DURATION_TERM.findall(duration))
    return 1 <= exact <= LONGEST_MS


def ticks_per_token(usd_per_million: str) -> int:
    """A price in USD per million tokens, in ticks per token: ``1.25`` is 12,500.

    A tick is 1e-10 USD. ``PRICE_PATTERN`` allows four decimals, so the result is exact.
    """
    return int(Decimal(usd_per_million) * TICKS_PER_USD / 1_000_000)
