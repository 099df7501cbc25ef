"""The data plane's ASGI application: which route a request is for, and that every one of them is accounted for.

Raw ASGI: a framework's route would cost as much as the rest of a call. Routes are compared as the bytes on the wire, so
that no spelling of a path reaches a handler that its check did not see.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from grokwarden.edge.logs import place_of
from grokwarden.vocabulary import Endpoint
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.call_log import CLIENT_LEFT, CallLedger, CallLog, Refusal
from grokwarden_sidecar.calls.connection import ClientConnection
from grokwarden_sidecar.calls.responses import Reply
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[CallLog, ClientConnection], Awaitable[None]]

_CHAT: Final = b"/v1/chat/completions"
_MODEL: Final = re.compile(rb"/v1/models(?:/[A-Za-z0-9][A-Za-z0-9._:-]{0,127})?")
_ENDPOINT_DENIED: Final = "endpoint_denied"
_SHOWN_PATH_CHARACTERS: Final = 100


class DataPlane:
    """Routes each request, and closes its account whatever happens to it."""

    def __init__(
        self,
        *,
        store: BundleStore,
        ledger: CallLedger,
        metrics: Metrics,
        audit_failure: Callable[[], str | None],
        chat: Handler,
        models: Handler,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._metrics = metrics
        self._audit_failure = audit_failure
        self._chat = chat
        self._models = models
        self._tasks = tasks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw = bytes(scope.get("raw_path") or scope["path"].encode())
        path = raw[3:] if raw.startswith(b"/v1/v1/") else raw
        endpoint, handler, methods = self._route(path)
        call = self._ledger.open(endpoint, self._store.current)
        client = ClientConnection(scope, receive, send, path=path, tasks=self._tasks)
        try:
            await self._serve(call, client, handler, methods)
        except asyncio.CancelledError:
            if not client.has_left:
                raise
            client.absorb_cancellation()
            call.status, call.error_type = CLIENT_LEFT, "client_disconnected"
        except Exception as error:  # noqa: BLE001 - the last boundary: the client gets an error, never a hang-up
            log.error("call_failed", decision_id=call.decision_id, error=type(error).__name__, at=place_of(error))
            call.error_type = "internal_error"
            if not client.has_started:
                reply = responses.refusal(
                    500,
                    "grokwarden failed on this call; nothing was answered.",
                    code="internal_error",
                    type="server_error",
                )
                await self._answer(call, client, reply)
        finally:
            client.close()
            self._ledger.close(call)

    def _route(self, path: bytes) -> tuple[str, Handler | None, tuple[str, ...]]:
        if path == _CHAT:
            return Endpoint.CHAT_COMPLETIONS.value, self._chat, ("POST",)
        if _MODEL.fullmatch(path):
            return Endpoint.MODELS.value, self._models, ("GET",)
        return "Unknown", None, ()

    async def _serve(
        self, call: CallLog, client: ClientConnection, handler: Handler | None, methods: tuple[str, ...]
    ) -> None:
        refused = self._refuse(call, client, handler, methods)
        if refused is not None:
            reason, reply = refused
            call.error_type = reason
            call.refusal = Refusal.PACK if reason == _ENDPOINT_DENIED else Refusal.PROXY
            self._metrics.refused(reason)
            await self._answer(call, client, reply)
            return
        assert handler is not None  # noqa: S101 - for the type checker; _refuse answers unknown routes
        await handler(call, client)

    def _refuse(
        self, call: CallLog, client: ClientConnection, handler: Handler | None, methods: tuple[str, ...]
    ) -> tuple[str, Reply] | None:
        """Why this request goes nowhere, and what its client is told."""
        method = client.method
        if handler is None:
            message = (
                f"Unknown endpoint: {method} {_shown(client.path)}. This proxy governs POST /v1/chat/completions, "
                "GET /v1/models and GET /v1/models/{id}; every other route is refused."
            )
            return "unknown_endpoint", responses.refusal(404, message, code="unknown_endpoint")
        if method not in methods:
            allow = ", ".join(methods)
            message = f"{method} is not allowed on {_shown(client.path)}; use {allow}."
            headers = [(b"allow", allow.encode())]
            return "method_not_allowed", responses.refusal(405, message, code="method_not_allowed", headers=headers)
        if client.header(b"origin") is not None:
            message = "Calls from web pages are refused: any page could spend the key. Call from an application."
            return "browser_origin", responses.refusal(403, message, code="browser_origin")
        return self._unavailable(call) or _denied(call)

    def _unavailable(self, call: CallLog) -> tuple[str, Reply] | None:
        """Why no call at all is answered now."""
        if call.snapshot is None:
            message = "No policy is in force yet, so no call is answered. Ask again shortly."
            if self._store.is_ungoverned:
                message = "No policy pack governs this pod, so no call is answered. One has to select it."
            reply = responses.refusal(503, message, code="policy_unavailable", type="server_error")
            return "policy_unavailable", reply
        if self._audit_failure() is not None:
            message = "The audit log can't be written at the moment, so no call is answered. Ask again shortly."
            reply = responses.refusal(503, message, code="audit_unavailable", type="server_error")
            return "audit_unavailable", reply
        return None

    async def _answer(self, call: CallLog, client: ClientConnection, reply: Reply) -> None:
        call.status = reply.status
        await client.send_whole(reply.status, reply.headers, reply.body, request_id=call.request_id)


def _denied(call: CallLog) -> tuple[str, Reply] | None:
    """The pack that leaves this endpoint out."""
    pack = call.engine.pack_denying(call.endpoint)
    if pack is None:
        return None
    message = f"Endpoint {call.endpoint} is not allowed by policy pack {pack}."
    return _ENDPOINT_DENIED, responses.refusal(403, message, code="endpoint_not_allowed")


def _shown(path: bytes) -> str:
    """A path as an error may name it: printable ASCII and short."""
    text = "".join(chr(byte) if 0x21 <= byte <= 0x7E else "?" for byte in path[:_SHOWN_PATH_CHARACTERS])
    return f"{text}…" if len(path) > _SHOWN_PATH_CHARACTERS else text
