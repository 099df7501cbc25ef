"""Waiting for what a process brings about."""

import time
from collections.abc import Callable
from typing import Final

_POLL_SECONDS: Final = 0.02


def came_true(condition: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Whether ``condition`` came true in time; it is asked again and again, and may raise."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
