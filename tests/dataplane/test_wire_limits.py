"""What a client may send before it is a call, and how slowly: nobody holds memory or sockets for free."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import pytest

from answers import answer
from eventually import eventually
from grokwarden.edge.addresses import Address, address_of, listen
from grokwarden_sidecar.serving.http_protocol import WireLimits
from grokwarden_sidecar.serving.servers import HttpServer
from raw_client import connection, request_bytes, send_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAT = "/v1/chat/completions"
BODY = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}]}'
REQUEST = request_bytes("POST", CHAT, body=BODY, headers={"connection": "keep-alive"})
QUICK = WireLimits(head_seconds=1, body_seconds=1, idle_seconds=1)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Echo:
    """An application that answers with what it was sent, and remembers how its calls ended."""

    def __init__(self):
        self.ends = []
        self.headers = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope, receive, send):
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        self.headers = list(scope["headers"])
        if message["type"] == "http.disconnect":
            self.ends.append("left")
            return
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        if body == b"fail":
            raise ValueError("verboten text of a call")
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": body})
        self.ends.append("answered")


@asynccontextmanager
async def serving(app, *, limits=QUICK, drain_seconds=1):
    """The server, its port, and the reasons of what it refused."""
    listener = listen(Address(host="127.0.0.1", port=0), flag="--listen")
    refused = []
    server = HttpServer(app, listener, drain_seconds=drain_seconds, limits=limits, on_refused=refused.append)
    port = address_of(listener).port
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve_forever())
        await eventually(lambda: server.started)
        try:
            yield port, refused
        finally:
            server.stop()
            await running


def is_refusal(response, status, code):
    """One error as every SDK reads it, with an id, and the connection's end."""
    error = response.json()["error"]
    assert response.header("content-type") == "application/json"
    assert response.header("x-request-id")
    assert response.header("connection") == "close"
    assert error["message"]
    assert error["param"] is None
    return (response.status, error["code"]) == (status, code)


MALFORMED = {
    "no HTTP": b"nonsense\r\n\r\n",
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
    "a length and chunks": HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "a control character": HEAD + b"x-a: \x00\r\n\r\n",
    "no chunk size": CHUNKED + b"-5\r\nabc\r\n",
    "another protocol's request": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT api.x.ai:443 HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_refused_as_json(sidecar, grok, name):
    """Every SDK reads a JSON error; text would be a parse error on top of the first one. The metric counts it."""
    counted = (await sidecar.metrics()).value("grokwarden_requests_refused_total", reason="malformed_http")

    response = await send_bytes(sidecar.port, MALFORMED[name])

    assert is_refusal(response, 400, "invalid_request")
    assert response.header("x-should-retry") == "false"
    metrics = await sidecar.metrics()
    assert metrics.value("grokwarden_requests_refused_total", reason="malformed_http") == counted + 1
    assert grok.requests == []


ENDLESS = {
    "a header": (HEAD + b"x-a: ", b"a" * 65536),
    "headers": (HEAD, b"x-a: b\r\n" * 8192),
    "a path": (b"GET /", b"a" * 65536),
    "trailers": (CHUNKED + b"1\r\n{\r\n0\r\nx-a: ", b"a" * 65536),
    "a chunk's extension": (CHUNKED + b"1;a=", b"a" * 65536),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_an_endless_head_is_refused(sidecar, grok, name):
    """Without a bound one connection would fill the memory of a pod that everything passes."""
    start, piece = ENDLESS[name]

    response = await send_bytes(sidecar.port, start, *[piece] * 4)

    assert is_refusal(response, 431, "head_too_large")
    assert grok.requests == []


async def test_a_head_is_as_large_whether_it_comes_at_once_or_not(sidecar, grok):
    """The bound must not depend on how the network cut it, nor a large body count for it."""
    grok.reply(json=answer(), times=2)
    fitting = request_bytes("POST", CHAT, body=BODY, headers={"x-a": "a" * 60_000})
    larger = request_bytes("POST", CHAT, body=BODY, headers={"x-a": "a" * 66_000})
    full = BODY[:-1] + b" " * 60_000 + b"}"

    assert (await send_bytes(sidecar.port, fitting)).status == 200
    assert (await send_bytes(sidecar.port, larger)).status == 431
    assert (await send_bytes(sidecar.port, request_bytes("POST", CHAT, body=full))).status == 200


async def test_trailers_are_no_headers():
    """They come after the headers were judged, and whoever adds them is not always who sent those."""
    app = Echo()
    async with serving(app) as (port, _):
        head = CHUNKED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
        response = await send_bytes(port, head + b"2\r\n{}\r\n0\r\nx-late: 1\r\n\r\n")

    assert response.status == 200
    assert not [value for name, value in app.headers if name == b"x-late"]


SLOW = {
    "half a head": [HEAD],
    "a head after an answer": [REQUEST, HEAD],
    "half a body": [HEAD + b"content-length: 10\r\n\r\n{"],
    "half a chunk": [CHUNKED + b"5\r\n{"],
    "no body at all": [HEAD + b"content-length: 10\r\n\r\n"],
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_request_that_does_not_come_is_given_up(name):
    """Half-open connections cost a hostile client nothing, and us a socket each."""
    app = Echo()
    async with serving(app) as (port, refused), connection(port) as (reader, writer):
        for piece in SLOW[name]:
            writer.write(piece)
            if piece is REQUEST:
                await reader.readuntil(BODY)
        data = await asyncio.wait_for(reader.read(-1), 5)

    assert data.startswith(b"HTTP/1.1 408 ")
    assert json.loads(data.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
    assert refused == ["request_timeout"]
    assert set(app.ends) <= {"answered", "left"}


async def test_a_head_that_drips_is_given_up_and_a_body_that_flows_is_not():
    """A byte a second keeps no head alive; an upload over a slow line takes as long as it takes."""
    app = Echo()
    async with serving(app) as (port, refused), connection(port) as drip, connection(port) as flow:
        flow[1].write(HEAD + b"content-length: 20\r\n\r\n")
        drip[1].write(HEAD)

        async def send_all(writer, piece, count):
            for _ in range(count):
                writer.write(piece)
                await asyncio.sleep(0.15)  # the slowness is what is tested

        await asyncio.gather(send_all(flow[1], b"a", 20), send_all(drip[1], b"x: y\r\n", 20))
        dripped = await asyncio.wait_for(drip[0].read(-1), 5)
        flowed = await asyncio.wait_for(flow[0].readuntil(b"a" * 20), 5)

    assert dripped.startswith(b"HTTP/1.1 408 ")
    assert flowed.startswith(b"HTTP/1.1 200 ")
    assert refused == ["request_timeout"]


@pytest.mark.parametrize("sent", [b"", b"\r\n", REQUEST], ids=["nothing", "an empty line", "a request"])
async def test_an_idle_connection_is_closed_without_a_word(sent):
    """A pool finds it closed and opens another one; an unasked answer would be taken for the next call's."""
    async with serving(Echo()) as (port, refused), connection(port) as (reader, writer):
        writer.write(sent)
        data = await asyncio.wait_for(reader.read(-1), 5)

    assert data.endswith(BODY if sent is REQUEST else b"")
    assert data.count(b"HTTP/1.1 ") == (sent is REQUEST)
    assert refused == []


async def test_a_call_may_take_longer_than_a_request():
    """The limits are for what the client owes; a model thinks for minutes."""
    app = Echo()
    app.gate.clear()
    async with serving(app) as (port, refused), connection(port) as (reader, writer):
        writer.write(REQUEST)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 3)
        app.gate.set()
        data = await asyncio.wait_for(reader.readuntil(BODY), 5)

    assert data.startswith(b"HTTP/1.1 200 ")
    assert refused == []


async def test_a_whole_request_is_answered_before_the_nonsense_behind_it():
    """An error in the middle of another call's answer would be read as a part of it."""
    app = Echo()
    app.gate.clear()
    async with serving(app) as (port, refused), connection(port) as (reader, writer):
        writer.write(REQUEST + b"nonsense\r\n\r\n")
        await eventually(lambda: refused)
        app.gate.set()
        data = await asyncio.wait_for(reader.read(-1), 5)

    assert data.startswith(b"HTTP/1.1 200 ")
    assert data.endswith(BODY)
    assert refused == ["malformed_http"]


UPGRADE = {"connection": "upgrade", "upgrade": "h2c"}


async def test_an_upgrade_is_not_taken_up():
    """The request is answered in HTTP/1.1, and what follows in another protocol is not read."""
    head = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    async with serving(Echo()) as (port, refused):
        response = await send_bytes(port, head + b"\x81\x05Hello")

    assert response.status == 200
    assert refused == []


async def test_an_upgrade_with_a_body_is_refused():
    """The parser would drop the body, and the client would be told that it is no JSON. Java's client sends such."""
    async with serving(Echo()) as (port, refused):
        response = await send_bytes(port, request_bytes("POST", CHAT, body=BODY, headers=UPGRADE))

    assert is_refusal(response, 400, "invalid_request")
    assert "upgrade header" in response.json()["error"]["message"]
    assert refused == ["upgrade"]


async def test_a_call_that_is_cut_at_the_end_of_draining_is_no_error(caplog):
    """A rolling update must not page anybody; the client may ask the next pod."""
    caplog.set_level(logging.DEBUG)
    app = Echo()
    app.gate.clear()
    async with serving(app, limits=WireLimits()) as (port, _):
        waiting = asyncio.create_task(send_bytes(port, REQUEST))
        await eventually(lambda: app.headers)
    response = await waiting

    assert is_refusal(response, 503, "shutting_down")
    assert response.header("x-should-retry") is None
    assert app.ends == ["cancelled"]
    assert "Traceback" not in caplog.text
    assert "Exception in ASGI" not in caplog.text


async def test_a_defect_of_the_application_tells_nothing_of_the_call(caplog, capsys):
    """An exception's text may hold the prompt that caused it."""
    async with serving(Echo()) as (port, _):
        response = await send_bytes(port, request_bytes("POST", CHAT, body=b"fail"))

    assert is_refusal(response, 500, "internal_error")
    said = caplog.text + "".join(capsys.readouterr())
    assert "verboten" not in said
