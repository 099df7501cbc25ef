"""The second half of a call: a provider's answer on its way to the client. Streams go on in ``relaying``."""

from collections.abc import Callable
from typing import Final

from grokwarden.exchange.answer import UnreadableAnswer, read_answer, read_frame
from grokwarden.exchange.model import Exchange
from grokwarden_sidecar.aside import apart
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.accounting import Accountant, Answer, Passage
from grokwarden_sidecar.calls.call_log import CallLog
from grokwarden_sidecar.calls.connection import ClientConnection
from grokwarden_sidecar.calls.headers import client_headers
from grokwarden_sidecar.calls.outcome import outcome_of_error
from grokwarden_sidecar.calls.relaying import relay_stream
from grokwarden_sidecar.calls.responses import RawHeaders, Reply
from grokwarden_sidecar.calls.upstream import UpstreamError, UpstreamReply
from grokwarden_sidecar.metrics import Metrics

_EVENT_STREAM: Final = "text/event-stream"
_UNREADABLE: Final = "The provider's answer can't be read, so it can't be checked; it was not passed on."


class Answerer:
    """Passes answers on."""

    def __init__(
        self,
        *,
        accountant: Accountant,
        metrics: Metrics,
        clock_ns: Callable[[], int],
        now: Callable[[], float],
        max_answer_bytes: int,
    ) -> None:
        self._accountant = accountant
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._now = now
        self._max_answer_bytes = max_answer_bytes

    async def pass_on(self, call: CallLog, client: ClientConnection, exchange: Exchange, answer: Answer) -> None:
        """The client has the answer, or what a policy made of it; the provider's connection is given back."""
        headers = client_headers(answer.reply.headers)
        call.request_id = _header(headers, b"x-request-id") or call.request_id
        guard = call.engine.answer_guard()
        passage = Passage(call, client, exchange, answer, headers, guard, self._now)
        try:
            if exchange.stream and _is_event_stream(headers):
                await relay_stream(passage, self._accountant, self._metrics, self._clock_ns)
            else:
                await self._whole(passage)
        finally:
            answer.reply.release()
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
            await client.send_whole(call.status, responses.as_json(headers), data, request_id=call.request_id)

    async def _whole(self, passage: Passage) -> None:
        """Read, judge and send an answer in one piece."""
        call, answer, guard = passage.call, passage.answer, passage.guard
        data = await self._read(call, passage.client, answer.reply)
        if data is None:
            return
        try:
            view = read_frame(data) if guard is None else await apart(len(data), read_answer, data)
        except UnreadableAnswer:
            await self._give_up(passage, "upstream_invalid_response", _UNREADABLE)
            return
        if view.error or passage.exchange.stream:
            said = responses.read_provider_error(data)
            message = said.message if said else _UNREADABLE
            await self._give_up(passage, "upstream_error" if said else "upstream_invalid_response", message, said)
            return
        self._accountant.account(call, answer, view.model, view.usage)
        if (finding := self._accountant.reject_substitute(call, answer)) is not None:
            await self._give_up(passage, "model_substituted", finding)
            return
        block = None
        if guard is not None:
            block = await apart(len(data), guard.judge_whole, view.pieces)
        if block is None:
            call.status = answer.reply.status
            headers = responses.as_json(passage.headers)
            await passage.client.send_whole(call.status, headers, data, request_id=call.request_id)
            return
        choices = sorted({piece.lane[0] for piece in view.pieces} | {index for index, _ in view.finished})
        who = responses.identity_of(data, passage.identity)
        blocked = responses.block_answer(block, call.decision_id, who, choices=choices, usage=view.usage)
        call.error_type = "content_filter"
        await _send(call, passage.client, blocked)

    async def _read(self, call: CallLog, client: ClientConnection, reply: UpstreamReply) -> bytes | None:
        """A whole body; ``None`` if it did not come, which the client has been told then."""
        started = self._clock_ns()
        try:
            return await reply.read(self._max_answer_bytes)
        except UpstreamError as error:
            call.error_type = outcome_of_error(error).value
            await _send(call, client, responses.upstream_failed(error))
            return None
        finally:
            call.upstream_ns += self._clock_ns() - started

    async def _give_up(
        self, passage: Passage, reason: str, message: str, said: responses.ProviderError | None = None
    ) -> None:
        """Answer with an error; the code is the provider's own, if it gave one, but no label is made of that."""
        passage.call.error_type = reason
        code = (said and said.code) or reason
        await _send(passage.call, passage.client, responses.refusal(502, message, code=code, type="upstream_error"))


async def _send(call: CallLog, client: ClientConnection, reply: Reply) -> None:
    call.status = reply.status
    await client.send_whole(reply.status, reply.headers, reply.body, request_id=call.request_id)


def _is_event_stream(headers: RawHeaders) -> bool:
    kind = _header(headers, b"content-type") or ""
    return kind.partition(";")[0].strip().lower() == _EVENT_STREAM


def _header(headers: RawHeaders, name: bytes) -> str | None:
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None
