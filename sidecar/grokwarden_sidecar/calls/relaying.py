"""A streamed answer, chunk by chunk: ``streaming`` says what the client gets, this module reads, sends and accounts."""

import asyncio
from collections.abc import Callable
from typing import Final

from grokwarden.exchange.sse import EventSplitter, EventTooLongError
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.accounting import Accountant, Passage, bounded_name
from grokwarden_sidecar.calls.responses import RawHeaders
from grokwarden_sidecar.calls.streaming import StreamRelay, StreamState
from grokwarden_sidecar.calls.upstream import UpstreamError, UpstreamReply, UpstreamTimeout
from grokwarden_sidecar.metrics import Metrics

_USAGE_SECONDS: Final = 2.0
_END_SECONDS: Final = 0.05
_TOO_LONG: Final = "The provider sent an event without end; the stream was stopped."


async def relay_stream(passage: Passage, accountant: Accountant, metrics: Metrics, clock_ns: Callable[[], int]) -> None:
    """The client has the stream to its end, or to where a policy or a failure ended it."""
    await _Relaying(passage, accountant, metrics, clock_ns).run()


class _Relaying:
    def __init__(self, passage: Passage, accountant: Accountant, metrics: Metrics, clock_ns: Callable[[], int]) -> None:
        self._passage = passage
        self._accountant = accountant
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._held_since: int | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._relay = StreamRelay(
            passage.guard,
            decision_id=passage.call.decision_id,
            choices=passage.exchange.n,
            who=passage.identity,
        )

    async def run(self) -> None:
        call, client, reply = self._passage.call, self._passage.client, self._passage.answer.reply
        call.status = reply.status
        headers = [*responses.SSE_HEADERS, *_without_kind(self._passage.headers)]
        await client.start(call.status, headers, request_id=call.request_id)
        try:
            tail = await self._pass_chunks()
        finally:
            if self._patience is not None:
                self._patience.cancel()
        if tail:
            await client.send_piece(tail)
        self._accountant.account(call, self._passage.answer, self._relay.model, self._relay.usage)
        call.error_type = "content_filter" if self._relay.block else self._relay.error_code or ""
        await client.finish()
        if self._relay.state is StreamState.COMPLETE:
            await _await_end(reply)

    async def _pass_chunks(self) -> bytes:
        """Every chunk that counts has been passed on; what the client gets in the end."""
        call, client, reply, relay = self._passage.call, self._passage.client, self._passage.answer.reply, self._relay
        splitter = EventSplitter()
        waiting_since = self._clock_ns()
        try:
            async for chunk in reply.chunks():
                arrived = self._clock_ns()
                call.upstream_ns += arrived - waiting_since
                if call.first_chunk_ns is None:
                    call.first_chunk_ns = arrived
                out = self._take(splitter.feed(chunk))
                waiting_since = self._clock_ns()
                if out:
                    await client.send_piece(out)
                if relay.state is not StreamState.OPEN and not self._waits_for_usage(reply):
                    return b""
        except UpstreamError as error:
            message = responses.upstream_failed_message(error)
            code = "upstream_timeout" if isinstance(error, UpstreamTimeout) else "stream_interrupted"
            return relay.end(error=message, code=code)
        except EventTooLongError:
            return relay.end(error=_TOO_LONG, code="upstream_invalid_response")
        return relay.end()

    def _waits_for_usage(self, reply: UpstreamReply) -> bool:
        """A stream that was cut at its end still tells what it used; it is not waited for long."""
        if self._relay.state is not StreamState.DRAINING:
            return False
        if self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(_USAGE_SECONDS, reply.abort)
        return True

    def _take(self, events: list[bytes]) -> bytes:
        """What the client gets for these events."""
        relay = self._relay
        out = self._take_unnamed(events) if relay.model is None else relay.feed(events)
        guard = self._passage.guard
        if guard is not None and relay.is_holding is not (self._held_since is not None):
            self._measure_hold(guard.holders)
        return out

    def _take_unnamed(self, events: list[bytes]) -> bytes:
        """The same while it is not known which model answers."""
        relay, call = self._relay, self._passage.call
        out = relay.feed(events)
        if relay.model is not None:
            call.model_served = bounded_name(relay.model)
            if (finding := self._accountant.reject_substitute(call, self._passage.answer)) is not None:
                return relay.fail(finding, code="model_substituted")
        return out

    def _measure_hold(self, holders: tuple[tuple[str, str], ...]) -> None:
        """Delivery has begun to wait, or waits no more."""
        now = self._clock_ns()
        if self._held_since is None:
            self._held_since = now
        else:
            self._metrics.held_back(holders, (now - self._held_since) / 1e9)
            self._held_since = None


async def _await_end(reply: UpstreamReply) -> None:
    """The connection can serve again if its end comes at once, as it does from a provider that ends with ``[DONE]``."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            async for _ in reply.chunks():
                break
    except (TimeoutError, UpstreamError):
        return


def _without_kind(headers: RawHeaders) -> RawHeaders:
    """Without ``content-type``, which says how to decode what follows and is ours to say."""
    return [(name, value) for name, value in headers if name not in {b"content-type", b"cache-control"}]
