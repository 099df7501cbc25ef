"""Behaviour on request, by both ways of asking: each fault must really reach the wire, or tests of it prove nothing."""

import asyncio

import httpx
import pytest

from eventually import eventually
from grokwarden_sidecar.simulate import Script, simulator

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"


def asking(text, **more):
    return {"model": "grok-4.3", "messages": [{"role": "user", "content": text}]} | more


async def text_of(response):
    return response.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("directive", "status", "body"),
    [
        ("status=500", 500, {"code": "internal", "error": "The service had an internal error."}),
        ("status=429 message='slow down'", 429, {"code": "resource-exhausted", "error": "slow down"}),
        (
            "status=400 style=openai code=bad message=no",
            400,
            {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "bad"}},
        ),
        (
            '{"status": 404, "message": "a ]] b"}',
            404,
            {"code": "Some requested entity was not found", "error": "a ]] b"},
        ),
        (
            "safety safety_check=SAFETY_CHECK_TYPE_CYBER",
            403,
            {
                "code": "permission-denied",
                "error": "Content violates usage guidelines. This request was refused. "
                "Failed check: SAFETY_CHECK_TYPE_CYBER",
            },
        ),
    ],
)
async def test_a_directive_in_the_message_asks_for_an_error(http, directive, status, body):
    """Whoever has only curl, and a proxy in between, can still ask."""
    response = await http.post(CHAT, json=asking(f"Hello [[simulate: {directive}]]"))

    assert (response.status_code, response.json()) == (status, body)


async def test_retry_after_is_sent_with_the_error(http):
    """Clients and the sidecar wait for it."""
    response = await http.post(CHAT, json=asking("[[simulate: status=429 retry_after=7]]"))

    assert response.headers["retry-after"] == "7"


async def test_a_directive_is_not_part_of_the_text(http):
    """What is left of the message is answered as ever."""
    response = await http.post(CHAT, json=asking("Hello [[simulate: model=grok-4.6]] there"))

    assert await text_of(response) == "Hello from the simulated Grok. You wrote: Hello  there"
    assert response.json()["model"] == "grok-4.6"


@pytest.mark.parametrize(
    ("directive", "complaint"),
    [
        ("statu=500", "statu: unknown key; did you mean status?"),
        ("status=200", "status: Input should be greater than or equal to 400"),
        ("status='500", "No closing quotation"),
        ('{"status": 500', "Expecting"),
        ("5", "5: unknown key"),
    ],
)
async def test_a_directive_that_can_not_be_understood_is_an_error(http, directive, complaint):
    """A typing slip that was ignored would look like a proxy that works."""
    response = await http.post(CHAT, json=asking(f"[[simulate: {directive}]]"))

    assert (response.status_code, response.json()["code"]) == (400, "simulator-directive")
    assert complaint in response.json()["error"]


async def test_without_its_end_a_directive_is_an_error(http):
    """The same, for the brackets."""
    response = await http.post(CHAT, json=asking("[[simulate: status=500]"))

    assert "']]' is missing" in response.json()["error"]


async def test_queued_scripts_are_used_in_order_then_all_is_normal(http):
    """A retry test needs a failure and then a success."""
    queued = await http.post("/_simulate/next", json=[{"status": 503, "times": 2}, {"content": "at last"}])
    statuses = [(await http.post(CHAT, json=asking("Hi"))).status_code for _ in range(2)]

    assert (queued.json(), statuses) == ({"waiting": 3}, [503, 503])
    assert await text_of(await http.post(CHAT, json=asking("Hi"))) == "at last"
    assert (await text_of(await http.post(CHAT, json=asking("Hi")))).endswith("Hi")


async def test_a_directive_leaves_the_queue_alone(http):
    """Else two ways of asking would eat each other's wishes."""
    await http.post("/_simulate/next", json={"content": "queued"})

    assert await text_of(await http.post(CHAT, json=asking("[[simulate: content=now]]"))) == "now"
    assert await text_of(await http.post(CHAT, json=asking("Hi"))) == "queued"


async def test_a_script_with_an_unknown_key_is_refused(http):
    """And nothing is queued."""
    assert (await http.post("/_simulate/next", json={"stattus": 503})).status_code == 422
    assert (await http.post(CHAT, json=asking("Hi"))).status_code == 200


async def test_scripts_apply_to_models_too(grok, http):
    """The listing can fail as well."""
    grok.next(Script(status=500), Script(garbage=True))

    assert (await http.get("/v1/models")).status_code == 500
    assert (await http.get("/v1/models/grok-4.3")).text.startswith("<html>")


@pytest.mark.parametrize("events", [0, 1, 4])
async def test_a_cut_stream_ends_after_exactly_so_many_events(http, events):
    """Without the last chunk of the transfer encoding: that alone tells a cut from an end."""
    received = b""
    async with http.stream("POST", CHAT, json=asking(f"[[simulate: cut_after={events}]]", stream=True)) as response:
        parts = response.aiter_raw()
        while received.count(b"\n\n") < events:
            received += await anext(parts)
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(parts)

    assert received.count(b"data: ") == events


async def test_a_cut_body_is_shorter_than_announced(http):
    """The same for an answer that is not streamed."""
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(CHAT, json=asking("[[simulate: cut_after=0]]"))


@pytest.mark.parametrize(
    ("directive", "body"),
    [
        ("empty", b""),
        ("no_done content=Hi reasoning=", None),
        ("garbage", b'data: {"id": "broken\n\ndata: \xff\xfe\x00 this is no JSON\n\n'),
    ],
)
async def test_a_stream_that_ends_in_good_order_but_wrongly(http, directive, body):
    """Clients raise nothing at these, so the sidecar has to see them."""
    response = await http.post(CHAT, json=asking(f"[[simulate: {directive}]]", stream=True))

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert b"[DONE]" not in response.content
    assert body is None or response.content == body


@pytest.mark.parametrize("directive", ["ok_error", "ok_error status=503 message=busy"])
async def test_an_error_with_status_200(http, directive):
    """The provider does this to stream requests: JSON, not an event stream."""
    response = await http.post(CHAT, json=asking(f"[[simulate: {directive}]]", stream=True))

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert isinstance(response.json()["error"], str)


async def test_a_scripted_refusal_and_finish_reason(http):
    """What the provider's own moderation could look like."""
    directive = "[[simulate: refusal='I will not.' finish_reason=content_filter]]"
    body = (await http.post(CHAT, json=asking(directive))).json()

    [choice] = body["choices"]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "I will not.")
    assert choice["message"]["content"] is None


async def test_chunks_can_be_of_any_size(http):
    """A text that is split in any way must be judged the same way."""
    request = asking("[[simulate: content=abcdefg reasoning= chunk_chars=3]]", stream=True)
    text = (await http.post(CHAT, json=request)).text

    assert [piece in text for piece in ('"content":"abc"', '"content":"def"', '"content":"g"')] == [True] * 3


async def test_delays_hold_back_the_head_and_each_chunk(http):
    """Measured against a lower bound only: a slow machine must not fail this."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    request = asking("[[simulate: delay_ms=60 chunk_delay_ms=30 content=a reasoning=]]", stream=True)
    async with http.stream("POST", CHAT, json=request) as response:
        head = loop.time() - start
        pieces = [part async for part in response.aiter_raw()]
    whole = loop.time() - start

    assert head >= 0.06
    assert whole - head >= 0.06
    assert len(pieces) == 3


async def test_what_was_received_can_be_read(grok, http):
    """The key test asks here which key left the sidecar, byte for byte."""
    await http.post(CHAT + "?x=1", json=asking("Hi"), headers={"X-Extra": "1"})

    [call] = (await http.get("/_simulate/calls")).json()

    assert (call["method"], call["path"], call["query"], call["status"]) == ("POST", CHAT, "x=1", 200)
    assert ["authorization", "Bearer xai-test-key"] in call["headers"]
    assert ["x-extra", "1"] in call["headers"]
    assert '"content":"Hi"' in call["body"]
    assert [each.state for each in grok.calls] == ["Answered"]

    await http.delete("/_simulate")
    assert grok.calls == []


async def test_a_client_that_leaves_is_noted(grok, http):
    """The sidecar has to cancel its upstream call when its own client leaves; here is where that shows."""
    request = asking("[[simulate: chunk_delay_ms=600000]]", stream=True)
    async with http.stream("POST", CHAT, json=request):
        assert grok.calls[0].state == "Open"

    await eventually(lambda: grok.calls[0].state == "Abandoned", timeout_seconds=2, state=lambda: grok.calls)


async def test_stopping_does_not_wait_for_slow_answers():
    """A test that asks for an hour's delay must not cost an hour."""
    async with httpx.AsyncClient() as client:
        async with simulator() as grok:
            grok.next(Script(delay_ms=3_600_000))
            asking_now = asyncio.create_task(
                client.post(grok.url + CHAT, json=asking("Hi"), headers={"authorization": "Bearer k"}, timeout=60)
            )
            await eventually(lambda: grok.calls)

        with pytest.raises(httpx.RemoteProtocolError):
            await asking_now


async def test_starting_and_stopping_at_once_is_clean():
    """Nothing may be left open; warnings are errors here."""
    async with simulator() as grok:
        assert grok.base_url.endswith("/v1")
