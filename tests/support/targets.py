"""Targets for tests: short timeouts, and everything else as a resource without further fields would give it."""

from typing import Any

from grokwarden.bundle import CircuitBreaker, KeySource, Lifecycle, Pricing, TargetPart, Timeouts
from grokwarden.vocabulary import Provider


def target_of(
    base_url: str = "http://127.0.0.1:9/v1",
    *,
    name: str = "shop/xai-grok",
    connect_ms: int = 2_000,
    first_byte_ms: int = 2_000,
    stream_idle_ms: int = 2_000,
    total_ms: int = 5_000,
    failures: int = 5,
    window_ms: int = 30_000,
    cooldown_ms: int = 15_000,
    key: KeySource | None = None,
    **fields: Any,
) -> TargetPart:
    """A target of xAI at ``base_url``; further fields as ``TargetPart`` names them."""
    defaults: dict[str, Any] = {
        "provider": Provider.XAI,
        "model": "grok-4.3",
        "weight": 100,
        "pricing": Pricing(),
        "lifecycle": Lifecycle(),
    }
    return TargetPart(
        name=name,
        base_url=base_url,
        key=key,
        timeouts=Timeouts(
            connect_ms=connect_ms, first_byte_ms=first_byte_ms, stream_idle_ms=stream_idle_ms, total_ms=total_ms
        ),
        circuit_breaker=CircuitBreaker(failures=failures, window_ms=window_ms, cooldown_ms=cooldown_ms),
        **(defaults | fields),
    )


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
