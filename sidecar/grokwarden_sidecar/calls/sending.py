"""One call to a provider: the first target that answers, within what the pack's routing allows.

A call goes on to another target, or to the same one again, only before the first byte of an answer, only for the
causes that the pack names, and never after a provider's own verdict on the content. What is tried, and what came of it,
is told to the observer; why there is no answer is a value too.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from grokwarden.bundle import TargetPart
from grokwarden.vocabulary import OnDeviation
from grokwarden_sidecar.calls.breaker import Admission, CircuitState
from grokwarden_sidecar.calls.headers import header_of, retry_after_seconds, with_key
from grokwarden_sidecar.calls.lifecycle import ModelVerdict, judge_retirement
from grokwarden_sidecar.calls.outcome import Outcome, outcome_of_error, outcome_of_reply
from grokwarden_sidecar.calls.routing import Router, TargetState
from grokwarden_sidecar.calls.upstream import Upstream, UpstreamError, UpstreamReply
from grokwarden_sidecar.configuration.keys import Key, TargetKeyError, TargetKeys, place_of_key

ERROR_BODY_LIMIT_BYTES: Final = 1024 * 1024
_FIRST_BACKOFF_SECONDS: Final = 0.25
_MAX_BACKOFF_SECONDS: Final = 8.0
_MAX_WAIT_SECONDS: Final = 60.0  # a client that waits longer than this for a mere retry is better told


class OutboundCall(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent, whoever gets it.

    Attributes:
        path: Below the base URL of any target, such as ``/chat/completions``.
        headers: Of ``provider_headers``; the key is added for each target.
        model: The call's own model; ``None`` where it has none.
        body_for: The bytes for one target, whose ``model`` may replace the call's.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    model: str | None
    body_for: Callable[[TargetPart], bytes]


class RoutingObserver(Protocol):
    """Counts, for the metrics of the same names."""

    def upstream_request(self, target: str, outcome: Outcome) -> None: ...

    def fallback(self, source: str, destination: str, reason: str) -> None: ...

    def circuit_state(self, target: str, state: CircuitState) -> None: ...


class Attempt(msgspec.Struct, frozen=True):
    """One call to one target. ``status`` is ``None`` where no answer came."""

    target: str
    outcome: Outcome
    status: int | None
    message: str = ""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to pass on: a success, or the error of the last attempt.

    Attributes:
        reply: For ``ok`` its body has not been read, and whoever has this must release or abort it.
        error_body: The whole body of an answer that is no success; ``None`` for ``ok``.
        model: What the target was asked for, for ``judge_substitution``.
        retirement: The verdict on that model: its ``finding`` is worth a warning.
        first_byte_seconds: From sending to the head of this answer.
        attempts: All that were made, this one last. After more than one, the client is told not to try again.
        problem: For ``credentials_rejected``, what a person has to mend; it names the target and the key's place.
        key: What was sent; the target's may be another one by now.
    """

    target: TargetPart
    reply: UpstreamReply
    outcome: Outcome
    error_body: bytes | None
    model: str | None
    retirement: ModelVerdict
    first_byte_seconds: float
    attempts: tuple[Attempt, ...]
    problem: str = ""
    key: Key | None = None


class FailureReason(StrEnum):
    """Why there is no answer to pass on."""

    CIRCUIT_OPEN = "circuit_open"
    CONNECT_ERROR = "connect_error"
    TIMEOUT = "timeout"
    BAD_REPLY = "bad_reply"
    KEY_MISSING = "key_missing"
    MODEL_RETIRED = "model_retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllFailed:
    """No answer. ``message`` holds no secret; ``target`` is the last one tried, or the one that stood in the way."""

    reason: FailureReason
    message: str
    target: TargetPart | None = None
    retry_after_seconds: int | None = None
    attempts: tuple[Attempt, ...] = ()


_Result = Sent | AllFailed


async def send(
    call: OutboundCall, router: Router, upstream: Upstream, keys: TargetKeys, observer: RoutingObserver
) -> Sent | AllFailed:
    """Send a call along the router's plan until there is an answer, or nothing is left to try."""
    plan = router.plan(call.model)
    if not plan.candidates:
        seconds = max(1, math.ceil(plan.retry_after_seconds))
        return AllFailed(
            reason=FailureReason.CIRCUIT_OPEN,
            message=f"every target has failed too often lately; the next call is let through in {seconds} s",
            retry_after_seconds=seconds,
        )
    if plan.skipped is not None:
        observer.fallback(plan.skipped.target.name, plan.candidates[0].target.name, FailureReason.CIRCUIT_OPEN)
    return await _Sending(call, router, upstream, keys, observer).run(plan.candidates)


class _Sending:
    """The attempts of one call."""

    __slots__ = ("_attempts", "_call", "_keys", "_loop", "_observer", "_router", "_tried", "_upstream")

    def __init__(
        self, call: OutboundCall, router: Router, upstream: Upstream, keys: TargetKeys, observer: RoutingObserver
    ) -> None:
        self._call = call
        self._router = router
        self._upstream = upstream
        self._keys = keys
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._attempts: list[Attempt] = []
        self._tried: dict[str, _Tried] = {}

    async def run(self, candidates: tuple[TargetState, ...]) -> _Result:
        state = candidates[0]
        result = await self._attempt(state)
        for number in range(1, self._router.max_attempts):
            if not self._may_go_on(result):
                break
            following = candidates[number % len(candidates)]
            if not await self._wait_for(following, number):
                break
            if following is not state:
                self._observer.fallback(state.target.name, following.target.name, self._attempts[-1].outcome)
            retried = await self._attempt(following)
            if isinstance(retried, AllFailed) and retried.reason in _UNTRIED:
                break
            state, result = following, retried
        return result

    def _may_go_on(self, result: _Result) -> bool:
        if not self._attempts or not self._router.may_retry(self._attempts[-1].outcome):
            return False
        return not (isinstance(result, Sent) and header_of(result.reply.headers, b"x-should-retry") == b"false")

    async def _wait_for(self, state: TargetState, number: int) -> bool:
        """Wait until a target may be tried again, if it was tried; false if that would take too long."""
        tried = self._tried.get(state.target.name)
        if tried is None:
            return True
        backoff = min(_MAX_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** (number - 1))
        now = self._loop.time()
        wait = max(backoff * (0.5 + self._router.dice() / 2), tried.not_before - now)
        if wait > min(_MAX_WAIT_SECONDS, tried.deadline - now):
            return False
        await asyncio.sleep(wait)
        return True

    async def _attempt(self, state: TargetState) -> _Result:
        target = state.target
        model = target.model or self._call.model
        retirement = judge_retirement(target, model, self._router.catalog)
        if retirement.action is OnDeviation.REJECT:
            return self._failed(FailureReason.MODEL_RETIRED, target, retirement.finding)
        try:
            key = self._keys.key_of(target)
        except TargetKeyError as error:
            return self._failed(FailureReason.KEY_MISSING, target, str(error))
        body = self._call.body_for(target)
        admission = state.breaker.admit()
        if admission is Admission.REFUSED:  # another call became the probe meanwhile
            return self._failed(FailureReason.CIRCUIT_OPEN, target, f"target {target.name}: its circuit is open")
        self._tell_circuit(state)
        started = self._loop.time()
        tried = self._tried.setdefault(target.name, _Tried(started + target.timeouts.total_ms / 1000))
        one = _Try(state, admission, model, retirement, started, key)
        try:
            reply, error_body = await self._exchange(target, key, body, tried.deadline)
        except UpstreamError as error:
            outcome = outcome_of_error(error)
            self._settle(state, admission, outcome)
            self._attempts.append(Attempt(target.name, outcome, None, str(error)))
            return self._failed(FailureReason(outcome), target, str(error))
        except BaseException:
            state.breaker.abandoned(admission)
            self._observer.upstream_request(target.name, Outcome.CANCELLED)
            raise
        if reply.status >= 400:
            tried.not_before = self._loop.time() + retry_after_seconds(reply.headers)
        return self._answered(one, reply, error_body)

    async def _exchange(
        self, target: TargetPart, key: Key | None, body: bytes, deadline: float
    ) -> tuple[UpstreamReply, bytes | None]:
        """The answer, and its whole body if it is an error."""
        headers = with_key(self._call.headers, key)
        reply = await self._upstream.open(target, self._call.method, self._call.path, headers, body, deadline=deadline)
        if reply.status < 300:
            return reply, None
        try:
            return reply, await reply.read(ERROR_BODY_LIMIT_BYTES)
        finally:
            reply.release()

    def _answered(self, one: "_Try", reply: UpstreamReply, error_body: bytes | None) -> _Result:
        state, target = one.state, one.state.target
        seconds = self._loop.time() - one.started
        outcome = outcome_of_reply(reply.status, error_body or b"")
        self._attempts.append(Attempt(target.name, outcome, reply.status))
        if outcome is Outcome.OK:
            state.latency.observe(seconds)
            state.breaker.succeeded(one.admission)
            self._tell_circuit(state)
            reply.when_ended(lambda error: self._ended(state, error))
        else:
            self._settle(state, one.admission, outcome)
        if outcome is Outcome.BAD_REPLY:
            what = f"target {target.name}: redirects (status {reply.status}) instead of answering; check its baseURL"
            return self._failed(FailureReason.BAD_REPLY, target, what)
        return Sent(
            target=target,
            reply=reply,
            outcome=outcome,
            error_body=error_body,
            model=one.model,
            retirement=one.retirement,
            first_byte_seconds=seconds,
            attempts=tuple(self._attempts),
            problem=_key_problem(target) if outcome is Outcome.CREDENTIALS_REJECTED else "",
            key=one.key,
        )

    def _ended(self, state: TargetState, error: UpstreamError | None) -> None:
        """A successful answer came to its end, was given up by us, or broke off."""
        self._settle(state, Admission.ADMITTED, Outcome.OK if error is None else outcome_of_error(error))

    def _settle(self, state: TargetState, admission: Admission, outcome: Outcome) -> None:
        if outcome.is_failure:
            state.breaker.failed(admission)
        else:
            state.breaker.succeeded(admission)
        self._observer.upstream_request(state.target.name, outcome)
        self._tell_circuit(state)

    def _tell_circuit(self, state: TargetState) -> None:
        circuit = state.breaker.state
        if circuit is not state.told:
            state.told = circuit
            self._observer.circuit_state(state.target.name, circuit)

    def _failed(self, reason: FailureReason, target: TargetPart, message: str) -> AllFailed:
        return AllFailed(reason=reason, message=message, target=target, attempts=tuple(self._attempts))


class _Tried(msgspec.Struct):
    """A target that was tried: ``timeouts.total`` holds for all attempts at it together, and the waits between them."""

    deadline: float
    not_before: float = 0.0


class _Try(msgspec.Struct, frozen=True):
    """An attempt that was let through."""

    state: TargetState
    admission: Admission
    model: str | None
    retirement: ModelVerdict
    started: float
    key: Key | None


_UNTRIED: Final = frozenset({FailureReason.CIRCUIT_OPEN, FailureReason.KEY_MISSING, FailureReason.MODEL_RETIRED})


def _key_problem(target: TargetPart) -> str:
    if target.key is None:
        return f"target {target.name}: the provider wants a key, and the target names none (secretKeyRef)"
    return f"target {target.name}: the provider rejected its key, which is in {place_of_key(target.key)}"
