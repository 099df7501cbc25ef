"""A call along its plan, against real sockets: what is tried, what is not, and what is told."""

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from eventually import eventually
from fake_grok import CUT, HANG, RESET, FakeGrok
from grokwarden.bundle import KeySource, Lifecycle, Retry, Routing
from grokwarden.vocabulary import OnDeviation
from grokwarden_sidecar.calls.breaker import CircuitState
from grokwarden_sidecar.calls.headers import provider_headers
from grokwarden_sidecar.calls.outcome import Outcome
from grokwarden_sidecar.calls.routing import Router, TargetStates
from grokwarden_sidecar.calls.sending import AllFailed, FailureReason, OutboundCall, Sent, send
from grokwarden_sidecar.calls.upstream import ConnectionLost
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from grokwarden_sidecar.configuration.keys import KeyRing
from targets import HandClock, target_of

A, B = "shop/a", "shop/b"
SAFETY = {
    "code": "permission-denied",
    "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
}
WRONG_KEY = {"code": "invalid-argument", "error": "Incorrect API key provided: xa***ry."}


class Notes:
    """What the observer was told."""

    def __init__(self):
        self.requests: list[tuple[str, str]] = []
        self.fallbacks: list[tuple[str, str, str]] = []
        self.circuits: list[tuple[str, str]] = []

    def upstream_request(self, target, outcome):
        self.requests.append((target, str(outcome)))

    def fallback(self, source, destination, reason):
        self.fallbacks.append((source, destination, str(reason)))

    def circuit_state(self, target, state):
        self.circuits.append((target, str(state)))


class Bench:
    """Two fake providers, a router over them, and everything that ``send`` wants."""

    def __init__(self, a: FakeGrok, b: FakeGrok, upstream: AiohttpUpstream):
        self.a, self.b, self.upstream = a, b, upstream
        self.notes = Notes()
        self.clock = HandClock()
        self.states = TargetStates(clock=self.clock)
        self.environment = {"KEY_A": "xai-key-a", "KEY_B": "xai-key-b"}
        self.keys = KeyRing(self.environment, clock=self.clock)
        self.retry = Retry()
        self.fields: dict[str, dict] = {"a": {}, "b": {}}
        self.both = True

    def _target(self, name, grok):
        usual = {"base_url": grok.base_url, "name": f"shop/{name}", "key": KeySource(env=f"KEY_{name.upper()}")}
        return target_of(**usual | self.fields[name])

    async def send(self, *, model="grok-4.3"):
        targets = [self._target("a", self.a), self._target("b", self.b)]
        names = (A, B) if self.both else (A,)
        routing = Routing(strategy="Ordered", targets=names, retry=self.retry)
        router = Router(routing, targets, states=self.states, dice=lambda: 0.0)
        call = OutboundCall(
            method="POST",
            path="/chat/completions",
            headers=provider_headers([(b"authorization", b"Bearer dummy")]),
            model=model,
            body_for=lambda target: f'{{"model":"{target.model or model}"}}'.encode(),
        )
        return await send(call, router, self.upstream, self.keys, self.notes)


@pytest.fixture
async def bench():
    async with AsyncExitStack() as stack:
        a, b = await stack.enter_async_context(FakeGrok()), await stack.enter_async_context(FakeGrok())
        yield Bench(a, b, await stack.enter_async_context(AiohttpUpstream()))


def unused_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/v1"


async def test_the_first_target_gets_its_key_and_its_model(bench):
    """Each target has its own of both; the client's own key goes nowhere."""
    bench.a.reply(json={"id": "1"})

    sent = await bench.send()

    assert isinstance(sent, Sent)
    assert (sent.outcome, sent.target.name, sent.error_body, sent.model) == (Outcome.OK, A, None, "grok-4.3")
    assert await sent.reply.read(1000) == b'{"id":"1"}'
    assert bench.a.requests[0].header("authorization") == "Bearer xai-key-a"
    assert bench.a.requests[0].json() == {"model": "grok-4.3"}
    assert bench.notes.requests == [(A, "ok")]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": 429, "json": {}}, "rate_limited"),
        ({"status": 503, "json": {}}, "server_error"),
        ({"status": 307, "json": {}, "headers": {"location": "http://127.0.0.1:1/"}}, "bad_reply"),
    ],
)
async def test_the_next_target_takes_over(bench, answer, outcome):
    """With its own key and its own model, and counted with the reason."""
    bench.retry = Retry(max_retries=1)
    bench.fields["b"] = {"model": "grok-4.7"}
    bench.a.reply(**answer)
    bench.b.reply(json={"id": "2"})

    sent = await bench.send()

    assert (sent.outcome, sent.target.name, len(sent.attempts)) == (Outcome.OK, B, 2)
    sent.reply.release()
    assert bench.b.requests[0].header("authorization") == "Bearer xai-key-b"
    assert bench.b.requests[0].json() == {"model": "grok-4.7"}
    assert bench.notes.fallbacks == [(A, B, outcome)]
    assert bench.notes.requests == [(A, outcome), (B, "ok")]


async def test_nothing_is_tried_again_unless_the_pack_says_so(bench):
    """Clients retry on their own; two that retry multiply."""
    bench.a.reply(status=503, json={"error": "busy"})

    sent = await bench.send()

    assert (sent.outcome, sent.error_body) == (Outcome.SERVER_ERROR, b'{"error":"busy"}')
    assert (len(bench.a.requests), len(bench.b.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": 403, "json": SAFETY}, Outcome.PROVIDER_SAFETY),
        ({"status": 403, "json": {"code": "permission-denied", "error": "no access"}}, Outcome.CLIENT_ERROR),
        ({"status": 400, "json": WRONG_KEY}, Outcome.CREDENTIALS_REJECTED),
        ({"status": 401, "json": {"error": {"message": "Invalid Authentication"}}}, Outcome.CREDENTIALS_REJECTED),
        ({"status": 400, "json": {"code": "invalid-argument", "error": "bad"}}, Outcome.CLIENT_ERROR),
        ({"status": 404, "json": {"code": "not found", "error": "no such model"}}, Outcome.CLIENT_ERROR),
        ({"status": 410, "json": {"error": "Live search is deprecated"}}, Outcome.CLIENT_ERROR),
        ({"status": 422, "body": b"\xff not json"}, Outcome.CLIENT_ERROR),
    ],
)
async def test_a_verdict_is_final_and_says_nothing_against_the_target(bench, answer, outcome):
    """Asking another provider what the first one refuses would be a way around it; health is another matter."""
    bench.retry = Retry(max_retries=3, retry_on=("Connect", "ServerError", "RateLimited", "Timeout"))
    bench.fields["a"] = {"failures": 1}
    bench.a.reply(**answer)

    sent = await bench.send()

    assert (sent.outcome, len(sent.attempts)) == (outcome, 1)
    assert (len(bench.a.requests), len(bench.b.requests)) == (1, 0)
    assert (bench.notes.circuits, bench.notes.fallbacks) == ([], [])


async def test_a_rejected_key_names_the_place_to_mend(bench):
    """It is our configuration, not the client's request."""
    bench.a.reply(status=400, json=WRONG_KEY)

    sent = await bench.send()

    assert sent.problem == "target shop/a: the provider rejected its key, which is in environment variable KEY_A"


async def test_the_provider_may_forbid_a_retry(bench):
    """``x-should-retry: false`` is its word."""
    bench.retry = Retry(max_retries=2)
    bench.a.reply(status=503, json={}, headers={"x-should-retry": "false"})

    sent = await bench.send()

    assert (sent.outcome, len(sent.attempts)) == (Outcome.SERVER_ERROR, 1)


async def test_a_connection_that_fails_goes_on_to_the_next(bench):
    """Nothing was sent, so nothing is lost."""
    bench.retry = Retry(max_retries=1, retry_on=("Connect",))
    bench.fields["a"] = {"base_url": unused_url()}
    bench.b.reply(json={})

    sent = await bench.send()
    sent.reply.release()

    assert bench.notes.fallbacks == [(A, B, "connect_error")]


@pytest.mark.parametrize(("retry_on", "asked"), [(("Connect", "ServerError", "RateLimited"), 0), (("Timeout",), 1)])
async def test_a_timeout_is_tried_again_only_if_it_is_named(bench, retry_on, asked):
    """The first target may still be at work, and be paid for it."""
    bench.retry = Retry(max_retries=1, retry_on=retry_on)
    bench.fields["a"] = {"first_byte_ms": 100}
    bench.a.raw(HANG)
    bench.b.reply(status=500, json={})

    result = await bench.send()

    assert len(bench.b.requests) == asked
    assert bench.notes.requests[0] == (A, "timeout")
    if not asked:
        assert isinstance(result, AllFailed)
        assert (result.reason, result.target.name) == (FailureReason.TIMEOUT, A)
        assert "timeouts.firstByte" in result.message


async def test_the_same_target_is_tried_again_after_a_pause(bench):
    """With one target there is nowhere else to go."""
    bench.both = False
    bench.retry = Retry(max_retries=1)
    bench.a.reply(status=500, json={})
    bench.a.reply(json={})
    started = asyncio.get_running_loop().time()

    sent = await bench.send()
    sent.reply.release()

    assert (sent.outcome, len(sent.attempts)) == (Outcome.OK, 2)
    assert 0.1 < asyncio.get_running_loop().time() - started < 1
    assert bench.notes.fallbacks == []


async def test_retry_after_is_honoured(bench):
    """Coming back too early makes a rate limit worse."""
    bench.both = False
    bench.retry = Retry(max_retries=1)
    bench.a.reply(status=429, json={}, headers={"retry-after-ms": "400"})
    bench.a.reply(json={})
    started = asyncio.get_running_loop().time()

    sent = await bench.send()
    sent.reply.release()

    assert sent.outcome is Outcome.OK
    assert asyncio.get_running_loop().time() - started >= 0.4


@pytest.mark.parametrize("seconds", ["4", "61", "86400"])
async def test_a_wait_beyond_the_total_is_the_clients_to_decide(bench, seconds):
    """It gets the provider's answer with its retry-after, instead of silence."""
    bench.both = False
    bench.fields["a"] = {"total_ms": 3_000 if seconds == "4" else 999_999}
    bench.retry = Retry(max_retries=1)
    bench.a.reply(status=429, json={}, headers={"retry-after": seconds})

    sent = await asyncio.wait_for(bench.send(), 2)

    assert (sent.outcome, len(bench.a.requests)) == (Outcome.RATE_LIMITED, 1)


async def test_the_attempts_end_where_the_pack_says(bench):
    """Round and round the targets, and then the last answer goes to the client."""
    bench.retry = Retry(max_retries=2)
    bench.a.reply(status=500, json={"n": 1})
    bench.b.reply(status=500, json={"n": 2})
    bench.a.reply(status=502, json={"n": 3})

    sent = await bench.send()

    assert ([one.target for one in sent.attempts], sent.error_body) == ([A, B, A], b'{"n":3}')
    assert bench.notes.fallbacks == [(A, B, "server_error"), (B, A, "server_error")]


@pytest.mark.parametrize("end", [CUT, RESET])
async def test_a_stream_that_breaks_off_is_never_sent_again(bench, end):
    """After the first byte the client has a part of an answer; another one would not fit to it."""
    bench.retry = Retry(max_retries=3)
    bench.fields["a"] = {"failures": 1}
    bench.a.stream([b"data: 1\n\n", end])
    sent = await bench.send()

    with pytest.raises(ConnectionLost):
        await sent.reply.read(1000)

    assert (len(bench.a.requests), len(bench.b.requests)) == (1, 0)
    assert bench.notes.requests == [(A, "bad_reply")]
    assert bench.notes.circuits == [(A, "open")]


async def test_a_circuit_opens_skips_and_closes(bench):
    """The whole way of a target that is down for a while, and each turn is told."""
    bench.fields["a"] = {"failures": 2, "cooldown_ms": 5_000}
    bench.a.reply(status=500, json={}, times=2)
    for _ in range(2):
        await bench.send()
    bench.b.reply(json={})
    (await bench.send()).reply.release()
    bench.clock.advance(5)
    bench.a.reply(json={})
    (await bench.send()).reply.release()

    assert [request for request, _ in bench.notes.requests] == [A, A, B, A]
    assert bench.notes.fallbacks == [(A, B, "circuit_open")]
    assert bench.notes.circuits == [(A, "open"), (A, "half_open"), (A, "closed")]


async def test_with_every_circuit_open_the_client_learns_when_to_come_back(bench):
    """Nothing is sent, and the answer comes at once."""
    bench.fields = {name: {"failures": 1, "cooldown_ms": 4_200} for name in "ab"}
    bench.a.reply(status=500, json={})
    bench.b.reply(status=500, json={})
    await bench.send()
    await bench.send()

    failed = await bench.send()

    assert (failed.reason, failed.retry_after_seconds, failed.attempts) == (FailureReason.CIRCUIT_OPEN, 5, ())
    assert (len(bench.a.requests), len(bench.b.requests)) == (1, 1)


async def test_a_missing_key_is_said_and_nothing_is_sent(bench):
    """A call without its key must not go out, nor to another provider in silence."""
    del bench.environment["KEY_A"]
    bench.retry = Retry(max_retries=1)

    failed = await bench.send()

    assert (failed.reason, failed.target.name) == (FailureReason.KEY_MISSING, A)
    assert "environment variable KEY_A" in failed.message
    assert (bench.a.requests, bench.b.requests) == ([], [])


async def test_a_retired_model_is_refused_before_it_is_sent(bench):
    """The provider would answer with another model, and bill it."""
    bench.fields["a"] = {"model": None, "lifecycle": Lifecycle(on_retired=OnDeviation.REJECT)}

    failed = await bench.send(model="grok-3")

    assert (failed.reason, bench.a.requests) == (FailureReason.MODEL_RETIRED, [])
    assert "grok-3 was retired" in failed.message


async def test_a_retired_model_is_sent_with_a_warning(bench):
    """The default: the finding is there for log and metric."""
    bench.fields["a"] = {"model": None}
    bench.a.reply(json={})

    sent = await bench.send(model="grok-3")
    sent.reply.release()

    assert "grok-3 was retired" in sent.retirement.finding


async def test_a_client_that_leaves_frees_the_probe_and_is_counted(bench):
    """A probe that nobody waits for must not keep the target away from the others."""
    bench.both = False
    bench.fields["a"] = {"failures": 1, "cooldown_ms": 5_000}
    bench.a.reply(status=500, json={})
    await bench.send()
    bench.clock.advance(5)
    bench.a.raw(HANG)
    leaving = asyncio.create_task(bench.send())
    await eventually(lambda: len(bench.a.requests) == 2, timeout_seconds=2)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    bench.a.reply(json={})

    sent = await bench.send()
    sent.reply.release()

    assert [outcome for _, outcome in bench.notes.requests] == ["server_error", "cancelled", "ok"]
    assert bench.notes.circuits[-1] == (A, CircuitState.CLOSED)
