"""When a round is due: soon after a burst's end, and in time however long the burst is."""

import asyncio

from grokwarden_operator.inbox import Inbox


async def test_a_burst_of_rings_is_one_round():
    """Two hundred edits in a second must not be two hundred rounds."""
    inbox = Inbox(quiet_seconds=0.05, longest_seconds=5)
    for _ in range(200):
        inbox.ring()
    await asyncio.wait_for(inbox.burst(), 2)

    waiting = asyncio.ensure_future(inbox.burst())
    _, pending = await asyncio.wait([waiting], timeout=0.2)

    assert pending == {waiting}
    waiting.cancel()


async def test_a_burst_that_never_ends_is_cut_into_rounds():
    """Somebody who edits all the time must not keep everybody else's edits from the sidecars."""
    inbox = Inbox(quiet_seconds=0.1, longest_seconds=0.3)
    loop = asyncio.get_running_loop()

    async def keep_ringing() -> None:
        while True:
            inbox.ring()
            await asyncio.sleep(0.02)

    started = loop.time()
    ringing = asyncio.ensure_future(keep_ringing())
    first_at = await asyncio.wait_for(inbox.burst(), 2)
    took = loop.time() - started
    await asyncio.wait_for(inbox.burst(), 2)
    ringing.cancel()

    assert took >= 0.28
    assert first_at - started < 0.1


async def test_a_ring_while_a_round_runs_makes_another_round():
    """What changed after the listing was taken would be told by nobody."""
    inbox = Inbox(quiet_seconds=0.02, longest_seconds=1)
    inbox.ring()
    await asyncio.wait_for(inbox.burst(), 2)
    inbox.ring()  # the round is under way

    await asyncio.wait_for(inbox.burst(), 2)
