"""What goes over the wire when nothing is wrong, and how connections are kept."""

import asyncio
import contextlib

import pytest

from eventually import eventually
from fake_grok import CUT, FakeGrok
from grokwarden_sidecar.calls.upstream import UpstreamReply
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from targets import target_of

LIMIT = 1_000_000
HEADERS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "test", "accept": "*/*"}


async def post(upstream: AiohttpUpstream, grok: FakeGrok, body: bytes = b"{}", **fields: object) -> UpstreamReply:
    return await upstream.open(target_of(grok.base_url, **fields), "POST", "/chat/completions", HEADERS, body)


async def test_a_call_arrives_as_it_was_given(upstream, grok):
    """The provider must see our bytes and our headers, its own host, and nothing that a library adds."""
    grok.reply(json={"id": "1"}, headers={"x-request-id": "r1"})

    reply = await post(upstream, grok, b'{"a": 1.0e0}')

    assert reply.status == 200
    assert (b"x-request-id", b"r1") in reply.headers
    assert await reply.read(LIMIT) == b'{"id":"1"}'
    request = grok.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/v1/chat/completions", b'{"a": 1.0e0}')
    assert dict(request.headers) == HEADERS | {"host": f"127.0.0.1:{grok.port}", "content-length": "12"}


async def test_a_stream_comes_chunk_by_chunk(upstream, grok):
    """Each event has to reach the client when the provider sends it, not when the next one comes."""
    gate = asyncio.Event()
    grok.stream([b"data: 1\n\n", gate, b"data: 2\n\n"])
    reply = await post(upstream, grok)
    chunks = reply.chunks()

    first = await anext(chunks)
    gate.set()
    rest = [chunk async for chunk in chunks]

    assert (first, rest) == (b"data: 1\n\n", [b"data: 2\n\n"])


async def test_a_connection_is_used_again_after_a_whole_answer(upstream, grok):
    """A TLS handshake per call would cost more than the sidecar."""
    for _ in range(3):
        grok.reply(json={})
        reply = await post(upstream, grok)
        await reply.read(LIMIT)
        reply.release()

    assert (len(grok.requests), grok.connections) == (3, 1)


@pytest.mark.parametrize("end", ["release", "abort"])
async def test_a_connection_with_an_unread_answer_is_closed(upstream, grok, end):
    """Its rest would be taken for the answer to the next call."""
    gate = asyncio.Event()
    grok.stream([b"data: 1\n\n", gate, b"data: 2\n\n"])
    reply = await post(upstream, grok)
    await anext(reply.chunks())

    getattr(reply, end)()

    await eventually(lambda: grok.open_connections == 0, timeout_seconds=2)
    grok.reply(json={"id": "next"})
    following = await post(upstream, grok)
    assert await following.read(LIMIT) == b'{"id":"next"}'
    assert grok.connections == 2


async def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next_call(upstream, grok):
    """A second answer on an idle connection would be somebody else's."""
    gate = asyncio.Event()
    own = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nown"
    grok.raw(own, gate, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nalien")
    reply = await post(upstream, grok)
    assert await reply.read(LIMIT) == b"own"
    gate.set()
    idle = upstream._session.connector._conns
    await eventually(lambda: all(protocol.should_close for pool in idle.values() for protocol, _ in pool))

    grok.reply(json={"id": "mine"})
    following = await post(upstream, grok)

    assert await following.read(LIMIT) == b'{"id":"mine"}'


async def test_abort_closes_even_a_connection_that_takes_no_more_bytes(upstream):
    """A provider that stops reading must not hold our memory until it goes on."""
    closed = asyncio.Event()

    async def answer_without_reading(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await asyncio.sleep(0.3)  # until the buffers on the way are full, which nobody announces
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while not writer.transport.is_closing():
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)  # the pace of the answer
        closed.set()

    async with await asyncio.start_server(answer_without_reading, "127.0.0.1", 0) as server:
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        reply = await upstream.open(target_of(base_url), "POST", "/chat/completions", {}, b"x" * 20_000_000)
        reply.abort()
        await asyncio.wait_for(closed.wait(), 2)


async def test_a_large_body_arrives_whole(upstream, grok):
    """The body limit is 20 MiB; bodies of that size are written in pieces."""
    grok.reply(json={})
    body = bytes(range(256)) * 8_192

    reply = await post(upstream, grok, body)

    await reply.read(LIMIT)
    assert grok.requests[0].body == body
    assert grok.requests[0].header("content-length") == str(len(body))


async def test_a_body_over_the_limit_is_refused(upstream, grok):
    """A provider must not be able to fill the memory of the pod."""
    grok.reply(body=b"x" * 1000)
    reply = await post(upstream, grok)

    with pytest.raises(Exception, match="more than 999 bytes"):
        await reply.read(999)


async def test_interim_answers_are_not_the_answer(upstream, grok):
    """A server may send any number of 1xx before the real status."""
    grok.raw(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    )

    reply = await post(upstream, grok)

    assert (reply.status, await reply.read(LIMIT)) == (200, b"ok")


async def test_an_answer_without_a_length_ends_with_its_connection(upstream, grok):
    """HTTP/1.0 servers end an answer so."""
    grok.raw(b"HTTP/1.0 200 OK\r\n\r\nall of it", CUT)

    reply = await post(upstream, grok)

    assert await reply.read(LIMIT) == b"all of it"


async def test_a_redirect_is_not_followed(upstream, grok):
    """It could lead the key to another host."""
    grok.reply(status=307, headers={"location": f"{grok.base_url}/elsewhere"}, body=b"")

    reply = await post(upstream, grok)
    await reply.read(LIMIT)

    assert (reply.status, len(grok.requests)) == (307, 1)


async def test_cookies_are_not_kept(upstream, grok):
    """A cookie would tie the calls of one application to those of another."""
    grok.reply(json={}, headers={"set-cookie": "__cf_bm=1; path=/"})
    grok.reply(json={})
    for _ in range(2):
        await (await post(upstream, grok)).read(LIMIT)

    assert grok.requests[1].header("cookie") is None


async def test_the_end_of_an_answer_is_told_once(upstream, grok):
    """Metrics count an attempt when it is over."""
    grok.reply(json={})
    ends: list[object] = []
    reply = await post(upstream, grok)
    reply.when_ended(ends.append)

    await reply.read(LIMIT)
    reply.release()
    reply.abort()

    assert ends == [None]


@pytest.mark.parametrize(
    "path",
    ["chat", "//evil.example/v1", "/models/../../admin", "/models/..", "/a b", "/a\r\nx: y", "/é", "/a#b"],
)
async def test_a_path_that_leaves_the_base_url_is_refused(upstream, grok, path):
    """The path comes from the client."""
    with pytest.raises(ValueError, match="path of the provider's API"):
        await upstream.open(target_of(grok.base_url), "GET", path, {}, b"")

    assert grok.requests == []


async def test_an_http_proxy_is_used(upstream, grok):
    """Corporate networks let nothing out but through one."""
    grok.reply(json={})
    target = target_of("http://api.example.test/v1", proxy_url=f"http://127.0.0.1:{grok.port}")

    reply = await upstream.open(target, "POST", "/chat/completions", HEADERS, b"{}")

    assert reply.status == 200
    assert grok.requests[0].target == "http://api.example.test/v1/chat/completions"
    reply.release()
