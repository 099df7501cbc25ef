"""Waiting for what another process brings about."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from grokwarden_sidecar.demo.errors import DemoError

_POLL_SECONDS: Final = 0.005

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Some time has passed; Ctrl-C ends it at once."""
    threading.Event().wait(seconds)


def wait_for(condition: Callable[[], T | None], what: str, *, timeout_seconds: float) -> T:
    """What ``condition`` returned, as soon as that is truthy.

    Raises:
        DemoError: It did not come in time; the message names ``what``.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (found := condition()):
        if time.monotonic() >= deadline:
            raise DemoError(f"{what} did not come within {timeout_seconds:g} s")
        pause(_POLL_SECONDS)
    return found
