"""A call, from its bytes to the provider's answer: read this module top to bottom, then ``answering``.

One snapshot governs the whole call. Nothing is sent to a provider before every request-phase step has spoken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import structlog

from grokwarden.bundle import TargetPart
from grokwarden.engine.decision import Block
from grokwarden.exchange.body import MalformedCall, apply_edits, replace_field
from grokwarden.exchange.chat import parse_chat
from grokwarden.exchange.model import Exchange, Opaque, Path
from grokwarden.vocabulary import BlockStyle, OnDeviation
from grokwarden_sidecar.aside import apart
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.accounting import Answer, make_identity
from grokwarden_sidecar.calls.answering import Answerer
from grokwarden_sidecar.calls.call_log import CallLog, Refusal
from grokwarden_sidecar.calls.connection import BodyTooLarge, ClientConnection
from grokwarden_sidecar.calls.headers import client_headers, provider_headers
from grokwarden_sidecar.calls.responses import Reply
from grokwarden_sidecar.calls.sending import AllFailed, OutboundCall, RoutingObserver, Sent, send
from grokwarden_sidecar.calls.upstream import Upstream
from grokwarden_sidecar.configuration.bundle_store import Snapshot
from grokwarden_sidecar.configuration.keys import TargetKeys
from grokwarden_sidecar.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)

_JSON: Final = b"application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that gets no answer of a provider.

    Attributes:
        reason: The label of ``requests_refused_total``; empty where the provider refused it.
        by: Whose word it is; ``None`` where a provider failed or refused.
    """

    reason: str
    reply: Reply
    by: Refusal | None = None


class Dispatcher:
    """Sends a call along the snapshot's routing, and puts what came of it in the call's account."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        keys: TargetKeys,
        observer: RoutingObserver,
        clock_ns: Callable[[], int],
    ) -> None:
        self._upstream = upstream
        self._keys = keys
        self._observer = observer
        self._clock_ns = clock_ns
        self._warned: set[str] = set()

    async def dispatch(self, call: CallLog, outbound: OutboundCall) -> Sent | Refused:
        """A provider's good answer, or what the client is told instead."""
        router = call.governing.router
        if router is None:
            message = "No policy pack says where calls go: none has a routing."
            return Refused(
                reason="no_route", reply=responses.refusal(503, message, code="no_route", type="server_error")
            )
        if router.leads_nowhere:
            message = "No target of the policy packs' routing can be used now; the packs' status says why."
            return Refused(
                reason="no_target", reply=responses.refusal(503, message, code="no_target", type="server_error")
            )
        started = self._clock_ns()
        result = await send(outbound, router, self._upstream, self._keys, self._observer)
        call.upstream_ns += self._clock_ns() - started
        if isinstance(result, AllFailed):
            call.target = result.target
            call.error_type = result.reason.value
            return Refused(reason=result.reason.value, reply=responses.all_failed(result))
        call.target, call.model_sent = result.target, result.model
        if result.retirement.action is OnDeviation.WARN and result.retirement.finding not in self._warned:
            self._warned.add(result.retirement.finding)
            log.warning("model_retired", finding=result.retirement.finding)
        if result.error_body is None:
            return result
        call.error_type = result.outcome.value
        if result.problem:
            log.error("provider_rejected_key", problem=result.problem)
        headers = client_headers(result.reply.headers)
        reply = responses.provider_refused(result, headers)
        key = result.key
        if key is not None and key.secret in reply.body:
            reply = msgspec.structs.replace(reply, body=reply.body.replace(key.secret, b"[key]"))
        return Refused(reason="", reply=reply)


class ChatProxy:
    """Handles ``POST /v1/chat/completions``."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        answerer: Answerer,
        metrics: Metrics,
        now: Callable[[], float],
        max_body_bytes: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._answerer = answerer
        self._metrics = metrics
        self._now = now
        self._max_body_bytes = max_body_bytes

    async def handle(self, call: CallLog, client: ClientConnection) -> None:
        """The client has an answer, a refusal or a policy's block."""
        exchange = await self._read(client)
        if isinstance(exchange, Refused):
            await self._refuse(call, client, exchange)
            return
        call.stream, call.model_requested = exchange.stream, exchange.model
        engine = call.engine
        verdict = await apart(len(exchange.body), engine.judge_request, exchange)
        call.decisions += verdict.decisions
        if verdict.block is not None:
            await self._block(call, client, exchange, verdict.block)
            return
        if (unread := engine.refused_opaque(exchange)) is not None:
            await self._refuse(call, client, _unscannable(*unread))
            return
        for opaque in verdict.unscanned:
            self._metrics.unscanned(call.endpoint, opaque.reason)
        if exchange.model is None and not _every_target_names_a_model(call.governing):
            await self._refuse(call, client, _malformed("`model` is required.", param="model"))
            return
        client.watch()
        body = exchange.body
        if verdict.edits:
            body = await apart(len(body), partial(apply_edits, body), verdict.edits)
        sent = await self._dispatcher.dispatch(call, _outbound(client, exchange, body))
        if isinstance(sent, Refused):
            await self._refuse(call, client, sent)
            return
        answer = Answer(reply=sent.reply, target=sent.target, model_sent=sent.model or "")
        await self._answerer.pass_on(call, client, exchange, answer)

    async def _read(self, client: ClientConnection) -> Exchange | Refused:
        """The call, or why it can't be read the same way by everybody."""
        encoding = client.header(b"content-encoding")
        if encoding is not None and encoding.lower() != b"identity":
            message = "The body must not be compressed: it could not be checked. Send it without content-encoding."
            return _unsupported("compressed_body", message)
        kind = client.header(b"content-type")
        if kind is not None and not kind.lower().startswith(_JSON):
            return _unsupported("content_type", "The body must be JSON: send content-type: application/json.")
        try:
            body = await client.read_body(self._max_body_bytes)
            return await apart(len(body), parse_chat, body)
        except BodyTooLarge:
            message = f"The body is larger than {self._max_body_bytes} bytes, the most that this proxy checks."
            return Refused(
                reason="body_too_large", reply=responses.refusal(413, message, code="body_too_large"), by=Refusal.PROXY
            )
        except MalformedCall as error:
            return _malformed(str(error), param=error.param)

    async def _block(self, call: CallLog, client: ClientConnection, exchange: Exchange, block: Block) -> None:
        """Tell the client of a block in the request phase, the way the pack wants it told."""
        call.error_type = "content_filter"
        if block.response.style is BlockStyle.ERROR:
            await self._answer(call, client, responses.block_error(block, call.decision_id))
            return
        who = make_identity(call, exchange, self._now)
        choices = range(exchange.n)
        if not exchange.stream:
            reply = responses.block_answer(block, call.decision_id, who, choices=choices, usage=None)
        else:
            events = responses.block_events(block, call.decision_id, who, choices=choices, usage=None)
            reply = Reply(status=200, headers=[*responses.SSE_HEADERS, *responses.policy_headers(block)], body=events)
        await self._answer(call, client, reply)

    async def _refuse(self, call: CallLog, client: ClientConnection, refused: Refused) -> None:
        call.refusal = refused.by
        if refused.reason:
            call.error_type = refused.reason
            self._metrics.refused(refused.reason)
        await self._answer(call, client, refused.reply)

    async def _answer(self, call: CallLog, client: ClientConnection, reply: Reply) -> None:
        call.status = reply.status
        await client.send_whole(reply.status, reply.headers, reply.body, request_id=call.request_id)


class ModelsProxy:
    """Handles ``GET /v1/models`` and ``GET /v1/models/{id}``: catalogue data, passed on as it is."""

    def __init__(self, *, dispatcher: Dispatcher, answerer: Answerer, metrics: Metrics) -> None:
        self._dispatcher = dispatcher
        self._answerer = answerer
        self._metrics = metrics

    async def handle(self, call: CallLog, client: ClientConnection) -> None:
        """The client has the provider's answer or its error."""
        client.watch()
        outbound = OutboundCall(
            method="GET",
            path=client.path.decode("ascii").removeprefix("/v1"),
            headers=provider_headers(client.headers),
            model=None,
            body_for=lambda _: b"",
        )
        sent = await self._dispatcher.dispatch(call, outbound)
        call.model_sent = None
        if not isinstance(sent, Refused):
            await self._answerer.pass_on_unread(call, client, sent.reply)
            return
        if sent.reason:
            self._metrics.refused(sent.reason)
        call.status = sent.reply.status
        await client.send_whole(sent.reply.status, sent.reply.headers, sent.reply.body, request_id=call.request_id)


def _every_target_names_a_model(snapshot: Snapshot) -> bool:
    return all(target.model is not None for target in snapshot.bundle.targets)


def _outbound(client: ClientConnection, exchange: Exchange, body: bytes) -> OutboundCall:
    """The call as it leaves: edited by the policies, and for each target with that target's model."""

    def body_for(target: TargetPart) -> bytes:
        if target.model is None or target.model == exchange.model:
            return body
        return replace_field(body, "model", target.model)

    headers: Mapping[str, str] = {**provider_headers(client.headers), "content-type": "application/json"}
    return OutboundCall(
        method="POST", path="/chat/completions", headers=headers, model=exchange.model, body_for=body_for
    )


def _malformed(message: str, *, param: str | None) -> Refused:
    reply = responses.refusal(400, message, code="invalid_request", param=param)
    return Refused(reason="malformed", reply=reply, by=Refusal.PROXY)


def _unsupported(reason: str, message: str) -> Refused:
    reply = responses.refusal(415, message, code="unsupported_media_type")
    return Refused(reason=reason, reply=reply, by=Refusal.PROXY)


def _unscannable(pack: str, opaque: Opaque) -> Refused:
    param = _param(opaque.path)
    message = f"Policy pack {pack} refuses what no policy can read (onUnscannable: Block): {opaque.reason} at {param}."
    reply = responses.refusal(400, message, code="unscannable_content", param=param)
    return Refused(reason="unscannable", reply=reply, by=Refusal.PACK)


def _param(path: Path) -> str:
    """A place in the body in the notation of OpenAI's errors; our readers made it, not the client."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.lstrip(".")
