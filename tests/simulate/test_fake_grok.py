"""The fake itself: a fault test is worth nothing if its fault never reached the wire."""

import asyncio
import gzip

import httpx
import pytest

from eventually import eventually
from fake_grok import CUT, HANG, RESET, Endless, FakeGrok


async def _exchange(grok, request=b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"):
    """Everything that a plain socket gets until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", grok.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), timeout=2)
    finally:
        writer.close()


async def test_raw_bytes_arrive_exactly_and_the_cut_is_a_cut():
    """Half an answer must be half an answer, down to the byte."""
    async with FakeGrok() as grok:
        grok.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", CUT)

        assert await _exchange(grok) == b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"


async def test_a_reset_is_seen_as_one():
    """A broken connection and a closed one take different paths through a client."""
    async with FakeGrok() as grok:
        grok.raw(RESET)

        with pytest.raises(ConnectionResetError):
            await _exchange(grok)


async def test_requests_are_kept_as_they_came():
    """Tests on what leaves a proxy read the raw head: order, case and repetition of headers."""
    async with FakeGrok() as grok:
        grok.reply(json={"ok": True}, times=2)
        async with httpx.AsyncClient() as client:
            await client.post(grok.base_url + "/a", json={"x": 1}, headers={"X-Twice": "1"})
            await client.post(grok.base_url + "/b", content=_chunks(), headers={"X-Twice": "2"})

        first, second = grok.requests
        assert (first.method, first.target, first.json()) == ("POST", "/v1/a", {"x": 1})
        assert b"X-Twice: 1\r\n" in first.head
        assert (second.body, second.header("x-twice")) == (b"abcd", "2")
        assert grok.connections == 1


async def _chunks():
    yield b"ab"
    yield b"cd"


async def test_a_gate_holds_a_stream_until_the_test_opens_it():
    """Only so can a test claim that a chunk was passed on before the next one existed."""
    gate = asyncio.Event()
    async with FakeGrok() as grok, httpx.AsyncClient() as client:
        grok.stream([b"data: 1\n\n", gate, b"data: 2\n\n"])
        async with client.stream("GET", grok.base_url) as response:
            pieces = response.aiter_raw()
            assert await anext(pieces) == b"data: 1\n\n"
            gate.set()
            assert await anext(pieces) == b"data: 2\n\n"


@pytest.mark.parametrize("last", [HANG, Endless(b"data: again\n\n"), asyncio.Event()], ids=["hang", "endless", "gate"])
async def test_a_client_that_leaves_is_noticed_at_once(last):
    """The count of open connections is what leak tests rely on."""
    async with FakeGrok() as grok, httpx.AsyncClient() as client:
        grok.stream([b"data: 1\n\n", last])
        async with client.stream("GET", grok.base_url) as response:
            assert await anext(response.aiter_raw())
            assert grok.open_connections == 1

        await eventually(lambda: grok.open_connections == 0, timeout_seconds=2)
        assert grok.abandoned == 1


async def test_a_length_that_lies_and_unasked_compression_are_sent_as_told():
    """Both are seen in the wild behind broken middle boxes."""
    async with FakeGrok() as grok, httpx.AsyncClient() as client:
        grok.reply(json=1, gzipped=True)
        grok.reply(body=b"short", content_length=10)

        async with client.stream("GET", grok.base_url) as response:
            assert gzip.decompress(b"".join([part async for part in response.aiter_raw()])) == b"1"
        answer = asyncio.create_task(_exchange(grok))
        await eventually(lambda: len(grok.requests) == 2)
        answer.cancel()


async def test_a_request_that_nobody_scripted_fails_loudly():
    """A silent default would let a test pass on an answer that it never asked for."""
    async with FakeGrok() as grok, httpx.AsyncClient() as client:
        response = await client.get(grok.base_url)

    assert response.status_code == 500
    assert "no answer was scripted" in response.text


async def test_always_answers_what_nothing_is_queued_for():
    """Benchmarks and retries need the same answer any number of times."""
    async with FakeGrok() as grok, httpx.AsyncClient() as client:
        grok.always(b"HTTP/1.1 204 No Content\r\n\r\n")

        assert [(await client.get(grok.base_url)).status_code for _ in range(3)] == [204] * 3


async def test_eventually_says_what_it_last_saw():
    """A timeout without the last state is a riddle."""
    with pytest.raises(AssertionError, match=r"last: 0; state: \['a'\]"):
        await eventually(lambda: 0, timeout_seconds=0.02, state=lambda: ["a"])
