"""The second half of a call: a provider's answer on its way to the client, judged whole or as it streams."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from grokwarden.bundle import TargetPart
from grokwarden.catalog import Catalog
from grokwarden.engine import AnswerGuard
from grokwarden.exchange.answer import UnreadableAnswer, read_answer
from grokwarden.exchange.model import Exchange
from grokwarden.exchange.sse import EventSplitter, EventTooLongError
from grokwarden_sidecar import responses
from grokwarden_sidecar.call_log import CallLog
from grokwarden_sidecar.connection import ClientConnection
from grokwarden_sidecar.cost import usage_of
from grokwarden_sidecar.headers import client_headers
from grokwarden_sidecar.lifecycle import OnModel, judge_substitution
from grokwarden_sidecar.metrics import Metrics
from grokwarden_sidecar.outcome import outcome_of_error
from grokwarden_sidecar.responses import AnswerIdentity, RawHeaders
from grokwarden_sidecar.streaming import StreamRelay
from grokwarden_sidecar.upstream import UpstreamError, UpstreamReply, UpstreamTimeout

log = structlog.stdlib.get_logger(__name__)

_EVENT_STREAM: Final = "text/event-stream"
_UNREADABLE: Final = "The provider's answer can't be read, so it can't be checked; it was not passed on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A provider's answer whose head has come.

    Attributes:
        reply: Ends in ``release`` or ``abort``, which is this module's to do.
        model_sent: What the provider was asked for.
    """

    reply: UpstreamReply
    target: TargetPart
    model_sent: str


@dataclass(frozen=True, slots=True)
class _Passage:
    """One answer on its way from a provider to a client."""

    call: CallLog
    client: ClientConnection
    exchange: Exchange
    answer: Answer
    headers: RawHeaders
    guard: AnswerGuard | None


class Answerer:
    """Passes answers on."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        catalog: Catalog,
        label: Callable[[str], str],
        clock_ns: Callable[[], int],
        now: Callable[[], float],
        max_answer_bytes: int,
    ) -> None:
        self._metrics = metrics
        self._catalog = catalog
        self._label = label
        self._clock_ns = clock_ns
        self._now = now
        self._max_answer_bytes = max_answer_bytes
        self._warned: set[tuple[str, str, str]] = set()

    async def pass_on(self, call: CallLog, client: ClientConnection, exchange: Exchange, answer: Answer) -> None:
        """The client has the answer, or what a policy made of it; the provider's connection is given back."""
        reply = answer.reply
        call.target, call.model_sent = answer.target, answer.model_sent
        headers = client_headers(reply.headers)
        call.request_id = _header(headers, b"x-request-id") or call.request_id
        assert call.snapshot is not None  # noqa: S101 - for the type checker
        guard = call.snapshot.engine.answer_guard()
        passage = _Passage(call, client, exchange, answer, headers, guard)
        try:
            if exchange.stream and (_header(headers, b"content-type") or "").startswith(_EVENT_STREAM):
                await self._stream(passage)
            else:
                await self._whole(passage)
        finally:
            reply.release()
            if guard is not None:
                call.decisions += guard.decisions

    async def pass_on_unread(self, call: CallLog, client: ClientConnection, reply: UpstreamReply) -> None:
        """The client has an answer in which no policy looks for anything, such as a list of models."""
        headers = client_headers(reply.headers)
        call.request_id = _header(headers, b"x-request-id") or call.request_id
        try:
            data = await self._read(call, client, reply)
        finally:
            reply.release()
        if data is not None:
            call.status = reply.status
            await client.send_whole(call.status, headers, data, request_id=call.request_id)

    async def _read(self, call: CallLog, client: ClientConnection, reply: UpstreamReply) -> bytes | None:
        """A whole body; ``None`` if it did not come, which the client has been told then."""
        started = self._clock_ns()
        try:
            return await reply.read(self._max_answer_bytes)
        except UpstreamError as error:
            call.error_type = outcome_of_error(error).value
            await self._send(call, client, responses.upstream_failed(error))
            return None
        finally:
            call.upstream_ns += self._clock_ns() - started

    async def _whole(self, passage: _Passage) -> None:
        """Read, judge and send an answer in one piece."""
        call, client, answer = passage.call, passage.client, passage.answer
        data = await self._read(call, client, answer.reply)
        if data is None:
            return
        try:
            view = read_answer(data)
        except UnreadableAnswer:
            await self._give_up(call, client, "upstream_invalid_response", _UNREADABLE)
            return
        if view.error or passage.exchange.stream:
            said = responses.read_provider_error(data)
            message = said.message if said else _UNREADABLE
            await self._give_up(call, client, (said and said.code) or "upstream_invalid_response", message)
            return
        self._account(call, answer, view.model, view.usage)
        if (finding := self._substituted(call, answer)) is not None:
            await self._give_up(call, client, "model_substituted", finding)
            return
        block = None
        if passage.guard is not None:
            passage.guard.feed(view.pieces)
            block = passage.guard.finish()
        if block is None:
            call.status = answer.reply.status
            await client.send_whole(call.status, passage.headers, data, request_id=call.request_id)
            return
        choices = sorted({piece.lane[0] for piece in view.pieces} | {index for index, _ in view.finished})
        who = responses.identity_of(data, self._nobody(call, passage.exchange))
        blocked = responses.block_answer(block, call.decision_id, who, choices=choices, usage=view.usage)
        await self._send(call, client, blocked)

    async def _stream(self, passage: _Passage) -> None:
        """Judge and send an answer as it comes, each piece at once."""
        call, client, answer = passage.call, passage.client, passage.answer
        relay = StreamRelay(
            passage.guard,
            decision_id=call.decision_id,
            choices=passage.exchange.n,
            who=self._nobody(call, passage.exchange),
        )
        splitter = EventSplitter()
        call.status = answer.reply.status
        await client.start(call.status, passage.headers, request_id=call.request_id)
        waiting_since = self._clock_ns()
        try:
            async for chunk in answer.reply.chunks():
                arrived = self._clock_ns()
                call.upstream_ns += arrived - waiting_since
                if call.first_chunk_ns is None:
                    call.first_chunk_ns = arrived
                is_first = relay.model is None
                out = relay.feed(splitter.feed(chunk))
                if is_first and relay.model is not None:
                    call.model_served = relay.model
                    if (finding := self._substituted(call, answer)) is not None:
                        out = relay.fail(finding, code="model_substituted")
                waiting_since = self._clock_ns()
                if out:
                    await client.send_piece(out)
                if relay.is_over:
                    break
        except UpstreamError as error:
            message = responses.upstream_failed_message(error)
            code = "upstream_timeout" if isinstance(error, UpstreamTimeout) else "stream_interrupted"
            tail = relay.end(error=message, code=code)
        except EventTooLongError:
            tail = relay.end(error=_UNREADABLE, code="upstream_invalid_response")
        else:
            tail = relay.end()
        if relay.is_over:
            answer.reply.abort()
        if tail:
            await client.send_piece(tail)
        self._account(call, answer, relay.model, relay.usage)
        call.error_type = relay.error_code or ""
        await client.finish()

    def _account(self, call: CallLog, answer: Answer, model: str | None, usage: dict[str, Any] | None) -> None:
        """Note who answered and what it cost."""
        call.model_served = model
        if usage is None:
            return
        used = usage_of(usage, target=answer.target, model=model or answer.model_sent, catalog=self._catalog)
        call.tokens = used.tokens
        if used.cost is not None:
            call.cost_ticks, call.cost_source = used.cost.ticks, used.cost.source.value

    def _substituted(self, call: CallLog, answer: Answer) -> str | None:
        """Count an answer by another model than was asked; the finding, if the target rejects that."""
        verdict = judge_substitution(answer.target, answer.model_sent, call.model_served, self._catalog)
        if not verdict.finding:
            return None
        self._metrics.substituted(self._label(answer.model_sent), self._label(call.model_served or ""))
        if verdict.action is OnModel.REJECT:
            return (
                f"Another model than the one asked for answered, which this target does not allow ({verdict.finding})."
            )
        known = (answer.target.name, answer.model_sent, self._label(call.model_served or ""))
        if verdict.action is OnModel.WARN and known not in self._warned:
            self._warned.add(known)
            log.warning("model_substituted", finding=verdict.finding)
        return None

    async def _give_up(self, call: CallLog, client: ClientConnection, code: str, message: str) -> None:
        call.error_type = code
        await self._send(call, client, responses.refusal(502, message, code=code, type="upstream_error"))

    async def _send(self, call: CallLog, client: ClientConnection, reply: responses.Reply) -> None:
        call.status = reply.status
        await client.send_whole(reply.status, reply.headers, reply.body, request_id=call.request_id)

    def _nobody(self, call: CallLog, exchange: Exchange) -> AnswerIdentity:
        """An identity for an answer of ours, where the provider gave none."""
        return AnswerIdentity(
            id=f"chatcmpl-{call.decision_id}", created=int(self._now()), model=exchange.model or call.model_sent or ""
        )


def _header(headers: RawHeaders, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)
