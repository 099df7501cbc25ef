"""Models, fallback and circuits, as a client, a metric and a record see them."""

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, event, read_events
from eventually import eventually
from fake_grok import CUT, HANG, FakeGrok
from resource_texts import pack_text, target_text
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVERLOADED = {"code": "unavailable", "error": "The service is overloaded."}


async def test_another_model_than_asked_for_is_told_and_counted(sidecar, grok):
    """XAI answers for retired names with other models; by default the call goes on, and somebody can see it."""
    grok.reply(json=answer(model="grok-4.7"))
    before = await sidecar.metrics()

    response = await sidecar.chat()
    record = await sidecar.record_of(response)
    after = await sidecar.metrics()

    name, labels = "grokwarden_model_substitutions_total", {"requested": "grok-4.3", "served": "grok-4.7"}
    assert response.status_code == 200
    assert (record["model_sent"], record["model_served"]) == ("grok-4.3", "grok-4.7")
    assert after.value(name, **labels) == before.value(name, **labels) + 1
    assert any("grok-4.7" in log["finding"] for log in sidecar.events("model_substituted"))


async def test_an_alias_is_no_substitution(sidecar, grok):
    """The near miss: the same model under its other name."""
    grok.reply(json=answer(model="grok-4.3"))
    before = await sidecar.metrics()

    await sidecar.record_of(await sidecar.chat(model="grok-4.3-latest"))

    name = "grokwarden_model_substitutions_total"
    assert (await sidecar.metrics()).value(name) == before.value(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exact_sidecar(running_grok, tmp_path_factory):
    strict = "lifecycle: {onRetired: Reject, onSubstitution: Reject}, timeouts: {firstByte: 500ms, streamIdle: 500ms}"
    texts = configuration(running_grok.base_url, target=strict)
    async with running_sidecar(tmp_path_factory.mktemp("exact"), *texts) as running:
        yield running


async def test_a_retired_model_is_refused_before_it_is_asked(exact_sidecar, grok):
    """It would be answered, by another model and at that model's price."""
    response = await exact_sidecar.chat(model="grok-3")

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "model_retired", "model")
    assert "grok-3" in error["message"]
    assert "2026-05-15" in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert grok.requests == []


async def test_a_substituted_answer_is_withheld(exact_sidecar, grok):
    """Where the target says so, an answer by another model is none."""
    grok.reply(json=answer("from another", model="grok-4.7"))

    response = await exact_sidecar.chat()

    assert (response.status_code, response.json()["error"]["code"]) == (502, "model_substituted")
    assert "from another" not in response.text


async def test_a_substituted_stream_ends_before_its_first_word(exact_sidecar, grok):
    """The first chunk names the model."""
    grok.stream([event({"choices": [{"index": 0, "delta": {"content": "from another"}}]}, model="grok-4.7"), HANG])

    async with exact_sidecar.stream() as response:
        [only] = read_events(await response.aread())

    assert only["error"]["code"] == "model_substituted"
    await eventually(lambda: grok.abandoned == 1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_second_grok():
    async with FakeGrok() as running:
        yield running


@pytest.fixture
def second_grok(running_second_grok):
    running_second_grok.clear()
    return running_second_grok


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fallback_sidecar(running_grok, running_second_grok, tmp_path_factory):
    pack = pack_text("{routing: {targets: [{name: first}, {name: second}], retry: {maxRetries: 1}}}", namespace="shop")
    shared = "circuitBreaker: {failures: 10000}"
    first = target_text(
        f"{{provider: xai, model: grok-4.3, baseURL: '{running_grok.base_url}', "
        f"secretKeyRef: {{env: FIRST}}, {shared}}}",
        name="first",
        namespace="shop",
    )
    second = target_text(
        f"{{provider: openai-compatible, model: house-model, baseURL: '{running_second_grok.base_url}', "
        f"secretKeyRef: {{env: SECOND}}, {shared}}}",
        name="second",
        namespace="shop",
    )
    keys = {"FIRST": "key-of-first", "SECOND": "key-of-second"}
    async with running_sidecar(tmp_path_factory.mktemp("fallback"), pack, first, second, **keys) as running:
        yield running


async def test_a_call_goes_on_to_the_next_target(fallback_sidecar, grok, second_grok):
    """With that target's model and that target's key; the rest of the body is the same."""
    grok.reply(status=503, json=OVERLOADED)
    second_grok.reply(json=answer(model="house-model"))
    before = await fallback_sidecar.metrics()

    response = await fallback_sidecar.chat(model="grok-4.7", temperature=1)
    record = await fallback_sidecar.record_of(response)
    after = await fallback_sidecar.metrics()

    [first], [second] = grok.requests, second_grok.requests
    assert response.status_code == 200
    assert (first.json()["model"], first.header("authorization")) == ("grok-4.3", "Bearer key-of-first")
    assert (second.json()["model"], second.header("authorization")) == ("house-model", "Bearer key-of-second")
    assert first.json() | {"model": ""} == second.json() | {"model": ""}
    assert (record["target"], record["model_requested"], record["model_sent"]) == (
        "shop/second",
        "grok-4.7",
        "house-model",
    )
    labels = {"from": "shop/first", "to": "shop/second", "reason": "server_error"}
    assert (
        after.value("grokwarden_fallbacks_total", **labels) == before.value("grokwarden_fallbacks_total", **labels) + 1
    )


@pytest.mark.parametrize("pieces", [(CUT,), (b"HTTP/1.1 200 OK\r\nconte", CUT)], ids=["no answer", "half a head"])
async def test_a_target_that_breaks_before_its_answer_is_passed_over(fallback_sidecar, grok, second_grok, pieces):
    """Before the head of an answer nothing has been promised to the client."""
    grok.raw(*pieces)
    second_grok.stream([chunk("hi"), chunk(finish="stop"), DONE])

    async with fallback_sidecar.stream() as response:
        events = read_events(await response.aread())

    assert events[-1] == "[DONE]"
    assert len(second_grok.requests) == 1


async def test_after_the_first_byte_nobody_else_is_asked(fallback_sidecar, grok, second_grok):
    """A second model can't end the first one's sentence."""
    grok.stream([chunk("half"), CUT])

    async with fallback_sidecar.stream() as response:
        events = read_events(await response.aread())

    assert events[-1]["error"]["code"] == "stream_interrupted"
    assert second_grok.requests == []


async def test_the_providers_own_verdict_moves_no_call_to_another(fallback_sidecar, grok, second_grok):
    """Shopping for a provider that answers what xAI refuses is no fallback."""
    verdict = {"code": "permission-denied", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_X"}
    grok.reply(status=403, json=verdict)

    response = await fallback_sidecar.chat()

    assert (response.status_code, response.json()["error"]["code"]) == (403, "provider_safety")
    assert response.headers["x-should-retry"] == "false"
    assert second_grok.requests == []


async def test_when_all_fail_the_client_need_not_try_again(fallback_sidecar, grok, second_grok):
    """Two attempts were made already; the client's own retries would multiply them."""
    grok.reply(status=503, json=OVERLOADED)
    second_grok.reply(status=500, json={"error": {"message": "Out of order.", "type": "server_error", "code": "oops"}})

    response = await fallback_sidecar.chat()

    assert response.status_code == 500
    assert response.json()["error"]["message"] == "Out of order."
    assert response.headers["x-should-retry"] == "false"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fragile_sidecar(running_grok, tmp_path_factory):
    breaker = "circuitBreaker: {failures: 2, window: 30s, cooldown: 600ms}"
    async with running_sidecar(
        tmp_path_factory.mktemp("fragile"), *configuration(running_grok.base_url, target=breaker)
    ) as running:
        yield running


async def test_a_circuit_opens_and_closes_again(fragile_sidecar, grok):
    """A dead provider is left alone, the client is told when to come back, and one good call ends it."""
    grok.reply(status=503, json=OVERLOADED, times=2)
    failed = [(await fragile_sidecar.chat()).status_code for _ in range(2)]

    refused = await fragile_sidecar.chat()
    opened = await fragile_sidecar.metrics()

    assert failed == [503, 503]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "upstream_circuit_open")
    assert int(refused.headers["retry-after"]) >= 1
    assert "x-should-retry" not in refused.headers
    assert len(grok.requests) == 2
    assert opened.value("grokwarden_circuit_state", target="shop/xai-grok") == 2
    assert opened.value("grokwarden_requests_refused_total", reason="circuit_open") == 1

    grok.reply(json=answer())

    async def is_answered():
        return (await fragile_sidecar.chat()).status_code == 200

    await eventually(is_answered)
    assert (await fragile_sidecar.metrics()).value("grokwarden_circuit_state", target="shop/xai-grok") == 0


async def test_a_slow_target_is_given_up_with_504(exact_sidecar, grok):
    """A timeout is told from a failure: the provider may have worked, and billed."""
    grok.raw(HANG)
    slow = await exact_sidecar.chat()
    grok.stream([chunk("one"), HANG])
    async with exact_sidecar.stream() as response:
        events = read_events(await response.aread())

    assert (slow.status_code, slow.json()["error"]["code"]) == (504, "upstream_timeout")
    assert events[-1]["error"]["code"] == "upstream_timeout"
    assert "[DONE]" not in events
