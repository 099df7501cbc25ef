"""A body that two readers could understand differently is refused in OpenAI's shape, before anything is sent."""

import gzip
import json

import pytest

from raw_client import connection, request_bytes, send_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 65536
USER = b'{"role":"user","content":"Hello"}'


def call(more: bytes = b"", messages: bytes = b"[" + USER + b"]") -> bytes:
    return b'{"model":"grok-4.3","messages":' + messages + more + b"}"


def message(fields: bytes) -> bytes:
    return call(messages=b"[{" + fields + b"}]")


MALFORMED = {
    "not JSON": (b"hello", None),
    "empty": (b"", None),
    "half of it": (call()[:-5], None),
    "two documents": (call() + b"{}", None),
    "no object": (b"[" + call() + b"]", None),
    "a byte order mark": (b"\xef\xbb\xbf" + call(), None),
    "UTF-16": (call().decode().encode("utf-16"), None),
    "a comment": (call(b', /* x */ "n":1'), None),
    "a trailing comma": (call(b","), None),
    "duplicate key": (call(b', "model":"grok-4"'), None),
    "duplicate key, spelt otherwise": (call(b', "m\\u006fdel":"grok-4"'), None),
    "duplicate key in a message": (message(b'"role":"user","content":"a","content":"b"'), None),
    "duplicate key deep down": (call(b', "x":[{"y":{"z":1,"z":2}}]'), None),
    "NaN": (call(b', "temperature":NaN'), None),
    "Infinity": (call(b', "temperature":-Infinity'), None),
    "a lone surrogate": (message(b'"role":"user","content":"\\ud800"'), None),
    "a lone surrogate in a key": (call(b', "\\udfff":1'), None),
    "invalid UTF-8": (message(b'"role":"user","content":"\xff"'), None),
    "an overlong encoding": (message(b'"role":"user","content":"\xc0\xbc"'), None),
    "a raw line break in a text": (message(b'"role":"user","content":"a\nb"'), None),
    "too deep": (call(b', "x":' + b"[" * 201 + b"]" * 201), None),
    "far too deep": (call(b', "x":' + b'{"a":' * 9000 + b"1" + b"}" * 9000), None),
    "no messages": (b'{"model":"grok-4.3"}', "messages"),
    "empty messages": (call(messages=b"[]"), "messages"),
    "messages null": (call(messages=b"null"), "messages"),
    "messages an object": (call(messages=b'{"0":' + USER + b"}"), "messages"),
    "a message that is a text": (call(messages=b'["Hello"]'), "messages[0]"),
    "no role": (message(b'"content":"Hello"'), "messages[0].role"),
    "unknown role": (message(b'"role":"root","content":"Hello"'), "messages[0].role"),
    "role in capitals": (message(b'"role":"System","content":"Hello"'), "messages[0].role"),
    "role of another type": (message(b'"role":["user"],"content":"Hello"'), "messages[0].role"),
    "content a number": (message(b'"role":"user","content":7'), "messages[0].content"),
    "content an object": (message(b'"role":"user","content":{"text":"Hello"}'), "messages[0].content"),
    "a part without a type": (message(b'"role":"user","content":[{"text":"Hello"}]'), "messages[0].content[0]"),
    "a part of no kind": (message(b'"role":"user","content":[7]'), "messages[0].content[0]"),
    "a text part without text": (message(b'"role":"user","content":[{"type":"text"}]'), "messages[0].content[0].text"),
    "no model": (b'{"messages":[' + USER + b"]}", "model"),
    "model empty": (b'{"model":"","messages":[' + USER + b"]}", "model"),
    "model a list": (b'{"model":["grok-4.3"],"messages":[' + USER + b"]}", "model"),
    "stream a text": (call(b', "stream":"true"'), "stream"),
    "stream a number": (call(b', "stream":1'), "stream"),
    "n of zero": (call(b', "n":0'), "n"),
    "n huge": (call(b', "n":129'), "n"),
    "n a float": (call(b', "n":1.0'), "n"),
    "n true": (call(b', "n":true'), "n"),
    "deferred": (call(b', "deferred":true'), "deferred"),
    "tools an object": (call(b', "tools":{}'), "tools"),
    "a tool without a type": (call(b', "tools":[{"name":"x"}]'), "tools[0]"),
}


@pytest.mark.parametrize(("body", "param"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_body_is_refused_before_anything_is_sent(sidecar, grok, body, param):
    """What the provider's parser would make of it is unknown, so no policy could have judged it."""
    response = await sidecar.post(body)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_request", param)
    assert error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["x-request-id"]
    assert grok.requests == []


async def test_what_is_merely_unusual_is_sent(sidecar, grok):
    """The near misses: strict is not narrow."""
    grok.reply(json={"choices": []}, times=9)
    parts = b'[{"type":"text","text":"Hello"}]'
    unusual = [
        call(b', "x":' + b"[" * 190 + b"]" * 190),
        call(b', "n":128, "stream":false'),
        call(b', "n":null, "stream":null, "deferred":false, "tools":null'),
        message(b'"role":"developer","content":' + parts),
        message(b'"role":"assistant","content":null,"tool_calls":[]'),
        message(b'"role":"user","content":"\\ud83d\\ude00 \\u0000"'),
        message(b'"role":"user","content":[]'),
        call(messages=b"[" + b",".join([USER] * 500) + b"]"),
        b" \r\n\t" + call() + b"\n",
    ]

    statuses = [(await sidecar.post(body)).status_code for body in unusual]

    assert statuses == [200] * len(unusual)
    assert [request.body for request in grok.requests] == unusual


UNSUPPORTED = {
    "gzip": {"content-encoding": "gzip"},
    "an encoding nobody knows": {"content-encoding": "x-secret"},
    "a form": {"content-type": "application/x-www-form-urlencoded"},
    "multipart": {"content-type": "multipart/form-data; boundary=x"},
    "plain text": {"content-type": "text/plain"},
}


@pytest.mark.parametrize("headers", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
async def test_a_body_in_another_form_is_refused_by_its_headers(sidecar, grok, headers):
    """The provider may honour the header that we would have ignored."""
    body = gzip.compress(call()) if headers.get("content-encoding") == "gzip" else call()

    response = await sidecar.post(body, headers)

    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"
    assert grok.requests == []


@pytest.mark.parametrize("value", ["application/json", "Application/JSON; charset=utf-8", None])
async def test_json_is_accepted_however_it_is_declared(sidecar, grok, value):
    """Clients write the header in several ways, and curl without ``-H`` users forget it; it leaves in one."""
    grok.reply(json={"choices": []})
    headers = {} if value is None else {"content-type": value}

    response = await send_bytes(
        sidecar.port, request_bytes("POST", "/v1/chat/completions", body=call(), headers=headers)
    )

    assert response.status == 200
    assert grok.requests[0].header("content-type") == "application/json"


async def test_a_body_that_says_it_is_too_large_is_refused_unread(sidecar, grok):
    """The answer comes before the body, of which not one byte is sent here."""
    head = request_bytes("POST", "/v1/chat/completions", headers={"content-length": str(LIMIT + 1)})

    response = await send_bytes(sidecar.port, head)

    assert (response.status, response.json()["error"]["code"]) == (413, "body_too_large")
    assert grok.requests == []


async def test_a_body_that_turns_out_too_large_is_refused(sidecar, grok):
    """In chunks nobody says how long it will be."""
    piece = b"x" * 1024

    async def endless():
        while True:
            yield piece

    address = f"{sidecar.base_url}/chat/completions"
    async with sidecar.http.stream("POST", address, content=_first(endless(), 100)) as response:
        await response.aread()

    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert grok.requests == []


async def _first(pieces, count):
    for _ in range(count):
        yield await anext(pieces)


async def test_the_largest_body_that_is_allowed_passes(sidecar, grok):
    """The limit is the limit, not one byte less."""
    grok.reply(json={"choices": []})
    body = call()
    body = body[:-1] + b" " * (LIMIT - len(body)) + body[-1:]

    response = await sidecar.post(body)

    assert (len(body), response.status_code) == (LIMIT, 200)
    assert grok.requests[0].body == body


@pytest.mark.parametrize(
    "framing",
    [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: -1",
        "content-length: 0x10",
    ],
)
async def test_ambiguous_framing_is_refused(sidecar, grok, framing):
    """Two ideas of where a request ends are how one request smuggles another."""
    inner = call()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{framing}\r\n\r\n".encode()

    response = await send_bytes(sidecar.port, head + f"{len(inner):x}\r\n".encode() + inner + b"\r\n0\r\n\r\n")

    assert response.status == 400
    assert grok.requests == []


async def test_half_a_body_is_no_call(sidecar, grok):
    """A client that dies while it sends must not have its half sent on."""
    before = len(sidecar.records)
    body = call()
    async with connection(sidecar.port) as (_, writer):
        headers = {"content-length": str(len(body) + 1)}
        writer.write(request_bytes("POST", "/v1/chat/completions", body=body, headers=headers))
        await writer.drain()

    record = await sidecar.next_record(before, status=499)

    assert record["model_requested"] is None
    assert grok.requests == []


async def test_refusals_are_counted_by_their_reason(sidecar):
    """An operator sees that an application sends what nobody can check."""
    before = await sidecar.metrics()
    await sidecar.post(b"hello")
    await sidecar.post(call(), {"content-encoding": "gzip"})
    await sidecar.post(call(), {"content-type": "text/plain"})
    await sidecar.post(json.dumps({"x": "y" * LIMIT}).encode())
    after = await sidecar.metrics()

    for reason in ("malformed", "compressed_body", "content_type", "body_too_large"):
        name = "grokwarden_requests_refused_total"
        assert after.value(name, reason=reason) == before.value(name, reason=reason) + 1
