"""One connection, many requests: what is refused early must leave the connection in step."""

import pytest

from answers import answer
from raw_client import connection, request_bytes, send_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = b'{"model":"grok-4.3","messages":[{"role":"user","content":"Hello"}]}'
CHAT = "/v1/chat/completions"
SMUGGLED = request_bytes("POST", CHAT, body=BODY)
EARLY = {
    "unknown route": ("POST", "/v1/files", {}),
    "wrong method": ("PUT", CHAT, {}),
    "wrong type": ("POST", CHAT, {"content-type": "text/plain"}),
    "compressed": ("POST", CHAT, {"content-encoding": "gzip"}),
}


@pytest.mark.parametrize(("method", "path", "headers"), EARLY.values(), ids=EARLY.keys())
async def test_the_unread_body_of_a_refused_call_is_no_call(sidecar, grok, method, path, headers):
    """A body that looks like a request is a body."""
    first = request_bytes(method, path, body=SMUGGLED, headers=headers | {"connection": "keep-alive"})
    grok.reply(json=answer())

    response = await send_bytes(sidecar.port, first, request_bytes("POST", CHAT, body=BODY))

    assert response.status in {404, 405, 415}
    assert len(grok.requests) <= 1
    assert response.body.count(b"HTTP/1.1 ") <= 1


async def test_the_rest_of_a_body_that_is_too_large_is_no_call(sidecar, grok):
    """It was refused at its head; what comes after that is still its body, or nothing."""
    size = 65536 + len(SMUGGLED)
    head = request_bytes("POST", CHAT, headers={"content-length": str(size), "connection": "keep-alive"})
    async with connection(sidecar.port) as (reader, writer):
        writer.write(head)
        answered = await reader.readuntil(b"\r\n\r\n")
        writer.write(SMUGGLED + b" " * 65536)
        writer.write_eof()
        await reader.read(-1)

    assert answered.startswith(b"HTTP/1.1 413")
    assert grok.requests == []


async def test_calls_follow_each_other_on_one_connection(sidecar, grok):
    """Blocked, refused and allowed, as an application's pool sends them."""
    grok.reply(json=answer())
    async with connection(sidecar.port) as (reader, writer):
        statuses = []
        for body in (BODY.replace(b"Hello", b"verboten"), b"nonsense", BODY):
            writer.write(request_bytes("POST", CHAT, body=body, headers={"connection": "keep-alive"}))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            statuses.append(int(head.split()[1]))

    assert statuses == [400, 400, 200]


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(sidecar, grok):
    """Curl asks so for large bodies."""
    grok.reply(json=answer())
    head = request_bytes("POST", CHAT, headers={"content-length": str(len(BODY)), "expect": "100-continue"})
    async with connection(sidecar.port) as (reader, writer):
        writer.write(head)
        first = await reader.readuntil(b"\r\n\r\n")
        writer.write(BODY)
        answered = await reader.readuntil(b"\r\n\r\n")

    assert first.startswith(b"HTTP/1.1 100 ")
    assert answered.startswith(b"HTTP/1.1 200 ")


async def test_a_models_name_is_no_place_for_a_text(sidecar, grok):
    """It goes into the record of the call as it is, so it is bounded."""
    response = await sidecar.chat(model="m" * 257)

    assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
    assert grok.requests == []
