"""Waiting for something that another task or process will bring about: the only place where a test may sleep."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

_POLL_SECONDS = 0.01


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]],
    *,
    timeout_seconds: float = 2.0,
    state: Callable[[], object] | None = None,
) -> Any:
    """What ``condition`` returned, as soon as that is truthy. An ``AssertionError`` in it means "not yet".

    Args:
        condition: A plain or an async function; it may be called many times.
        timeout_seconds: How long to wait before the test fails.
        state: What to print on failure besides the last value, such as ``lambda: grok.requests``.

    Raises:
        AssertionError: It did not come true in time; the text holds the last value or the last failed assertion.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    while True:
        last: object
        try:
            value = condition()
            last = await value if inspect.isawaitable(value) else value
            if last:
                return last
        except AssertionError as error:
            last = error
        if loop.time() >= deadline:
            seen = f"; state: {state()!r}" if state else ""
            raise AssertionError(f"not true within {timeout_seconds} s; last: {last!r}{seen}")
        await asyncio.sleep(_POLL_SECONDS)
