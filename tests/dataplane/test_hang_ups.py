"""A client that leaves ends its call at the provider at once, wherever the call stands."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from answers import answer, chunk
from eventually import eventually
from fake_grok import HANG, Endless
from raw_client import connection, request_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAMED = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}],"stream":true}'
WHOLE = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}]}'
BOUND_SECONDS = 1.0
"""Generous, for machines that do other things too; it takes a few milliseconds on an idle one."""


@asynccontextmanager
async def calling(sidecar, body):
    """A call whose client is still there; the socket is closed at the end."""
    async with connection(sidecar.port) as streams:
        streams[1].write(request_bytes("POST", "/v1/chat/completions", body=body))
        yield streams


async def seconds_until_abandoned(grok, writer):
    """How long the provider goes on after the client's socket has closed."""
    left = time.monotonic()
    writer.close()
    await eventually(lambda: grok.abandoned == 1, timeout_seconds=5)
    seconds = time.monotonic() - left
    print(f"cancelled after {seconds * 1000:.0f} ms")  # shown by pytest -rP
    return seconds


async def test_leaving_in_the_middle_of_a_stream(sidecar, grok):
    """Every token after that would be paid for and read by nobody."""
    grok.stream([chunk("one"), HANG])
    async with calling(sidecar, STREAMED) as (reader, writer):
        await reader.readuntil(b"one")
        seconds = await seconds_until_abandoned(grok, writer)

    assert seconds < BOUND_SECONDS


async def test_leaving_before_the_first_byte(sidecar, grok):
    """Grok thinks for minutes, and impatient clients are the rule: nothing is written by which one would notice."""
    grok.raw(HANG)
    async with calling(sidecar, STREAMED) as (_, writer):
        await eventually(lambda: grok.requests)
        seconds = await seconds_until_abandoned(grok, writer)

    assert seconds < BOUND_SECONDS


async def test_leaving_while_a_whole_answer_is_read(sidecar, grok):
    """The same where the answer has begun and is collected to be judged."""
    grok.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{", HANG)
    async with calling(sidecar, WHOLE) as (_, writer):
        await eventually(lambda: grok.requests)
        seconds = await seconds_until_abandoned(grok, writer)

    assert seconds < BOUND_SECONDS


async def test_leaving_without_reading(sidecar, grok):
    """A provider that sends faster than the client reads must not keep the call alive, nor fill the memory."""
    grok.stream([Endless(chunk("word " * 100))])
    async with calling(sidecar, STREAMED) as (reader, writer):
        await reader.readuntil(b"word")
        seconds = await seconds_until_abandoned(grok, writer)

    assert seconds < BOUND_SECONDS


@pytest.mark.parametrize("where", ["before the first byte", "in the middle"])
async def test_a_hang_up_is_recorded_and_counted(sidecar, grok, where):
    """The call may have cost money, so it has a record; 499 tells it from one that was answered."""
    before, metrics = len(sidecar.records), await sidecar.metrics()
    grok.stream([HANG] if where == "before the first byte" else [chunk("one"), HANG])
    async with calling(sidecar, STREAMED) as (reader, writer):
        await eventually(lambda: grok.requests)
        if where == "in the middle":
            await reader.readuntil(b"one")
        await seconds_until_abandoned(grok, writer)

    record = await sidecar.next_record(before, status=499)
    after = await sidecar.metrics()
    name = "gen_ai_client_operation_duration_seconds_count"
    assert (record["stream"], record["target"]) == (True, "shop/xai-grok")
    assert (
        after.value(name, error_type="client_disconnected") == metrics.value(name, error_type="client_disconnected") + 1
    )
    assert not sidecar.events("call_failed")


async def test_many_hang_ups_leave_nothing_open(sidecar, grok):
    """One leaked connection for each would exhaust the pool within minutes."""
    grok.stream([chunk("one"), HANG], times=20)

    async def leave():
        async with calling(sidecar, STREAMED) as (reader, _):
            await reader.readuntil(b"one")

    await asyncio.gather(*(leave() for _ in range(20)))

    await eventually(lambda: grok.abandoned == 20, state=lambda: grok.abandoned)
    grok.reply(json=answer())
    assert (await sidecar.chat()).status_code == 200
    await eventually(lambda: grok.open_connections <= 1, state=lambda: grok.open_connections)


async def test_a_cancelled_call_does_not_speak_against_the_target(sidecar, grok):
    """The client left; the provider did nothing wrong, and its circuit stays closed."""
    before = await sidecar.metrics()
    grok.raw(HANG)
    async with calling(sidecar, WHOLE) as (_, writer):
        await eventually(lambda: grok.requests)
        await seconds_until_abandoned(grok, writer)

    async def is_counted():
        now = await sidecar.metrics()
        name = "grokwarden_upstream_requests_total"
        return now.value(name, outcome="cancelled") == before.value(name, outcome="cancelled") + 1

    await eventually(is_counted)
    assert (await sidecar.admin("/config")).json()["circuits"] == {"shop/xai-grok": "closed"}
