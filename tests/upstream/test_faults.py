"""Every way in which a provider's server can fail, each as its own error, and none that leaves a connection behind."""

import asyncio
import socket

import pytest

from eventually import eventually
from fake_grok import CUT, HANG, RESET, Endless, FakeGrok
from grokwarden_sidecar.calls.upstream import (
    BadReply,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    FirstByteTimeout,
    StreamIdleTimeout,
    TotalTimeout,
    UpstreamError,
    UpstreamReply,
)
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from targets import target_of

SECRET = "xai-canary-key"
BODY = b'{"messages":[{"content":"canary-body"}]}'
HEAD = b"HTTP/1.1 200 OK\r\n"


async def post(upstream: AiohttpUpstream, base_url: str, **fields: object) -> UpstreamReply:
    headers = {"authorization": f"Bearer {SECRET}"}
    return await upstream.open(target_of(base_url, **fields), "POST", "/chat/completions?q=canary-query", headers, BODY)


async def nothing_left(grok: FakeGrok) -> None:
    await eventually(lambda: grok.open_connections == 0, timeout_seconds=2)


def silent(error: UpstreamError) -> bool:
    """Neither the text nor a traceback's other texts quote anything of the call."""
    return "canary" not in str(error) and (error.__suppress_context__ or error.__context__ is None)


async def test_a_refused_connection(upstream):
    """The one failure after which nothing can have been spent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"

        with pytest.raises(ConnectFailed, match=r"no connection to 127\.0\.0\.1") as failure:
            await post(upstream, base_url)

    assert silent(failure.value)


async def test_a_name_that_does_not_resolve(upstream):
    """A typing error in baseURL is a connection error that names the host."""
    with pytest.raises(ConnectFailed, match=r"nowhere\.invalid"):
        await post(upstream, "http://nowhere.invalid/v1")


async def test_a_connection_that_is_never_accepted(upstream):
    """A full accept queue drops the handshake: only our own clock ends the wait."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(8)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ConnectTimeout, match=r"within 150 ms \(timeouts.connect\)"):
            await post(upstream, f"http://127.0.0.1:{full.getsockname()[1]}/v1", connect_ms=150)
        for one in crowd:
            one.close()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((HANG,), id="silence"),
        pytest.param((b"HTTP/1.1 200 OK\r\nx-slow: 1", HANG), id="half a head"),
        pytest.param((Endless(b"HTTP/1.1 102 Processing\r\n\r\n"),), id="1xx for ever"),
    ],
)
async def test_no_head_within_first_byte(upstream, grok, pieces):
    """A trickle of bytes is no answer."""
    grok.raw(*pieces)

    with pytest.raises(FirstByteTimeout, match=r"within 150 ms \(timeouts.firstByte\)") as failure:
        await post(upstream, grok.base_url, first_byte_ms=150)

    assert silent(failure.value)
    await nothing_left(grok)


async def test_first_byte_is_not_shortened_by_connect(upstream, grok):
    """Grok reasons for minutes where a connection takes milliseconds."""
    gate = asyncio.Event()
    grok.raw(gate, HEAD + b"content-length: 2\r\n\r\nok")
    asyncio.get_running_loop().call_later(0.3, gate.set)

    reply = await post(upstream, grok.base_url, connect_ms=50)

    assert await reply.read(10) == b"ok"


@pytest.mark.parametrize("first", [(), (b"data: 1\n\n",)], ids=["at once", "after a chunk"])
async def test_a_stream_that_pauses_too_long(upstream, grok, first):
    """It would hold the client's connection for ever."""
    grok.stream([*first, HANG])
    reply = await post(upstream, grok.base_url, stream_idle_ms=150)
    got: list[bytes] = []

    with pytest.raises(StreamIdleTimeout, match=r"150 ms \(timeouts.streamIdle\)") as failure:
        got.extend([chunk async for chunk in reply.chunks()])

    assert silent(failure.value)
    await nothing_left(grok)


async def test_a_slow_client_is_not_the_providers_pause(upstream, grok):
    """The provider has done its part when we are the ones who don't read."""
    gate = asyncio.Event()
    grok.stream([b"data: 1\n\n", gate, b"data: 2\n\n"])
    reply = await post(upstream, grok.base_url, stream_idle_ms=100)
    chunks = reply.chunks()
    await anext(chunks)
    await asyncio.sleep(0.25)  # the client takes its time
    asyncio.get_running_loop().call_later(0.02, gate.set)

    assert [chunk async for chunk in chunks] == [b"data: 2\n\n"]


async def test_a_stream_that_never_ends(upstream, grok):
    """Steady chunks keep the idle timeout quiet; the total does not."""
    grok.stream([Endless(b"data: 1\n\n")])
    reply = await post(upstream, grok.base_url, total_ms=200)

    async def read_on() -> None:
        async for _ in reply.chunks():
            await asyncio.sleep(0)

    with pytest.raises(TotalTimeout, match=r"timeouts\.total"):
        await read_on()
    await nothing_left(grok)


async def test_the_total_bounds_the_wait_for_the_head(upstream, grok):
    """The caller's deadline, where it is nearer, is the end of the call."""
    grok.raw(HANG)
    deadline = asyncio.get_running_loop().time() + 0.1

    with pytest.raises(TotalTimeout):
        await upstream.open(target_of(grok.base_url), "GET", "/models", {}, b"", deadline=deadline)

    await nothing_left(grok)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((CUT,), id="closed"),
        pytest.param((RESET,), id="reset"),
        pytest.param((b"HTTP/1.1 200", CUT), id="closed in the head"),
    ],
)
async def test_a_connection_that_ends_before_the_head(upstream, grok, pieces):
    """It may have been spent, so it is not a connection error."""
    grok.raw(*pieces)

    with pytest.raises((ConnectionLost, BadReply)) as failure:
        await post(upstream, grok.base_url)

    assert not isinstance(failure.value, ConnectFailed)
    assert silent(failure.value)
    await nothing_left(grok)


@pytest.mark.parametrize("end", [CUT, RESET])
@pytest.mark.parametrize(
    "framing", [b"content-length: 100\r\n\r\nhalf", b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
async def test_a_body_that_breaks_off(upstream, grok, framing, end):
    """Half an answer must never look like a whole one."""
    grok.raw(HEAD + framing, end)

    with pytest.raises(ConnectionLost, match="before the answer did") as failure:
        await (await post(upstream, grok.base_url)).read(1000)

    assert silent(failure.value)
    await nothing_left(grok)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x16\x03\x01 canary garbage\r\n\r\n", id="no HTTP"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(HEAD + b"content-length: 4\r\ncontent-length: 5\r\n\r\nfour", id="two lengths"),
        pytest.param(HEAD + b"content-length: -1\r\n\r\n", id="a negative length"),
        pytest.param(HEAD + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", id="two framings"),
        pytest.param(HEAD + b"x-canary: " + b"a" * 100_000 + b"\r\n\r\n", id="an endless header"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", id="an upgrade"
        ),
    ],
)
async def test_what_is_no_answer(upstream, grok, answer):
    """A proxy that guesses where an answer ends can be made to mix answers up."""
    grok.raw(answer, HANG)

    with pytest.raises(BadReply) as failure:
        await (await post(upstream, grok.base_url, first_byte_ms=500)).read(1000)

    assert silent(failure.value)
    await nothing_left(grok)


async def test_garbage_in_the_framing_of_a_body(upstream, grok):
    """The head was fine, so the answer has begun; it ends as an error all the same."""
    grok.raw(HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\nfour\r\nzzzz\r\n", HANG)

    with pytest.raises((BadReply, ConnectionLost)) as failure:
        await (await post(upstream, grok.base_url, stream_idle_ms=500)).read(1000)

    assert silent(failure.value)
    await nothing_left(grok)


async def test_more_bytes_than_the_length_says(upstream, grok):
    """What is too much belongs to no answer; a server that miscounts can't be trusted with the rest either."""
    grok.raw(HEAD + b"content-length: 4\r\n\r\nfour and more")

    with pytest.raises(BadReply):
        await (await post(upstream, grok.base_url)).read(1000)

    await nothing_left(grok)


async def test_an_encoding_that_was_not_asked_for(upstream, grok):
    """Text that can't be read can't be scanned."""
    grok.stream([b"\x1f\x8b", HANG], headers={"content-encoding": "gzip"})

    with pytest.raises(BadReply, match="encoded"):
        await post(upstream, grok.base_url)

    await nothing_left(grok)


async def test_a_cancelled_call_leaves_no_connection(upstream, grok):
    """The client left while Grok was reasoning: the provider must learn of it."""
    grok.raw(HANG)
    task = asyncio.create_task(post(upstream, grok.base_url))
    await eventually(lambda: len(grok.requests) == 1, timeout_seconds=2)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await nothing_left(grok)


async def test_many_aborted_streams_leave_nothing(upstream, grok):
    """A leaked connection per client that leaves would exhaust the pod within minutes."""
    grok.stream([b"data: 1\n\n", HANG], times=50)

    async def leave_early() -> None:
        reply = await post(upstream, grok.base_url)
        await anext(reply.chunks())
        reply.abort()

    await asyncio.gather(*(leave_early() for _ in range(50)))

    await nothing_left(grok)
    assert grok.connections == 50
