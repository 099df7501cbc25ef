"""The simulator's HTTP: the provider's routes under ``/v1``, and the control routes under ``/_simulate``."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from grokwarden.catalog import load_catalog
from grokwarden_sidecar.simulate.errors import ApiError, unknown_route, wrong_key
from grokwarden_sidecar.simulate.provider import Provider, Reply, error_reply
from grokwarden_sidecar.simulate.replies import Pace, ScriptedResponse
from grokwarden_sidecar.simulate.script import Script
from grokwarden_sidecar.simulate.state import Call, CallState, Ledger, Queued

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """How the simulator behaves.

    Attributes:
        key: The only key that is accepted; ``None`` accepts any, but not none at all.
    """

    key: str | None = None


def create_app(settings: SimulatorSettings | None = None) -> FastAPI:
    """An ASGI application that answers as the provider does. Nothing is shared between two of them."""
    return build_app(settings or SimulatorSettings(), Ledger(), Pace())


def build_app(settings: SimulatorSettings, ledger: Ledger, pace: Pace) -> FastAPI:
    """The application on a ledger and a pace that the caller keeps hold of."""
    app = FastAPI(title="grokwarden simulate", docs_url=None, redoc_url=None, openapi_url="/_simulate/openapi.json")
    _add_provider_routes(app, settings, ledger, pace)
    _add_control_routes(app, ledger)

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:  # noqa: ARG001 - the framework's signature
        refusal = unknown_route(request.url.path)
        return JSONResponse(refusal.body, status_code=refusal.status)

    return app


def _add_provider_routes(app: FastAPI, settings: SimulatorSettings, ledger: Ledger, pace: Pace) -> None:
    provider = Provider(load_catalog(), ledger)

    async def answer(request: Request, reply_to: Callable[[bytes], Reply]) -> Response:
        body = await request.body()
        call = _call(request, body)
        number = ledger.record(call)
        headers = _provider_headers(number)
        try:
            _check_key(request, settings.key)
            reply = reply_to(body)
        except ApiError as error:
            reply = error_reply(error)
            if not error.has_request_id:
                del headers["x-request-id"]
        call.status = reply.status
        return _response(reply, headers, call, pace)

    @app.post("/v1/chat/completions", include_in_schema=False)
    async def chat(request: Request) -> Response:
        return await answer(request, provider.chat)

    @app.get("/v1/models", include_in_schema=False)
    async def models(request: Request) -> Response:
        return await answer(request, lambda _: provider.models())

    @app.get("/v1/models/{name:path}", include_in_schema=False)
    async def model(request: Request, name: str) -> Response:
        return await answer(request, lambda _: provider.model(name))

    @app.api_route("/v1/{path:path}", methods=_METHODS, include_in_schema=False)
    async def other(request: Request) -> Response:
        def refuse(_: bytes) -> Reply:
            raise unknown_route(request.url.path)

        return await answer(request, refuse)


def _add_control_routes(app: FastAPI, ledger: Ledger) -> None:
    @app.post("/_simulate/next")
    async def queue_scripts(scripts: Script | list[Script]) -> Queued:
        """Queue what the next calls are to get."""
        ledger.queue([scripts] if isinstance(scripts, Script) else scripts)
        return Queued(waiting=ledger.waiting)

    @app.get("/_simulate/calls")
    async def list_calls() -> list[Call]:
        """The calls that came in, oldest first."""
        return list(ledger.calls)

    @app.delete("/_simulate", status_code=204)
    async def clear() -> None:
        """Forget the calls and the queued scripts."""
        ledger.clear()


def _call(request: Request, body: bytes) -> Call:
    return Call(
        method=request.method,
        path=request.url.path,
        query=request.url.query,
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
        body=body.decode(errors="replace"),
    )


def _check_key(request: Request, key: str | None) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given or (key is not None and given != key):
        raise wrong_key()


def _provider_headers(number: int) -> dict[str, str]:
    """What the real API sends with every answer. The ids follow from the number of the call."""
    trace = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "x-request-id": f"{trace[:8]}-{trace[8:12]}-{trace[12:16]}-{trace[16:20]}-{trace[20:32]}",
        "x-ratelimit-limit-requests": "480",
        "x-ratelimit-remaining-requests": "480",  # always the limit: the real one is no gauge either
        "x-ratelimit-limit-tokens": "4000000",
        "x-ratelimit-remaining-tokens": "4000000",
        "x-zero-data-retention": "false",
        "x-data-retention": "general",
        "traceparent": f"00-{trace[:32]}-{trace[32:48]}-00",
        "set-cookie": f"__cf_bm={trace[:43]}; HttpOnly; Secure; Path=/; Domain=x.ai",
        "server": "cloudflare",
    }


def _response(reply: Reply, headers: dict[str, str], call: Call, pace: Pace) -> Response:
    def note_end(stayed: bool) -> None:
        call.state = CallState.ANSWERED if stayed else CallState.ABANDONED

    sent = {"content-type": reply.content_type} | headers | reply.headers
    if reply.length is not None:
        sent["content-length"] = str(reply.length)
    return ScriptedResponse(
        reply.pieces,
        pace=pace,
        status_code=reply.status,
        headers=sent,
        delay_ms=reply.delay_ms,
        chunk_delay_ms=reply.chunk_delay_ms,
        is_cut=reply.is_cut,
        on_end=note_end,
    )
