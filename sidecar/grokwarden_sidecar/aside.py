"""Work on large bodies goes to a thread, one at a time: others neither wait for it nor share their memory with more."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")

LARGE_BYTES: Final = 64 * 1024  # a chain takes some 3 ms for this much
_one_at_a_time: Final = asyncio.Semaphore(1)


async def apart(size_bytes: int, work: Callable[[_In], _Out], value: _In) -> _Out:
    """The result of pure work on a body of this size."""
    if size_bytes <= LARGE_BYTES:
        return work(value)
    async with _one_at_a_time:
        return await asyncio.to_thread(work, value)
