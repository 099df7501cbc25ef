"""What the outside may know of the operator: metrics, whether it lives, whether it serves. Nothing else is here.

| path | 200 | else |
|---|---|---|
| ``/metrics`` | always | |
| ``/healthz`` | ``ok`` | 500, a reason per line: only a new process can help |
| ``/readyz`` | ``ready``, then a remark per line | 503, a reason per line: it can't serve sidecars now |

An API server that is away is a remark and no reason: streams are served from memory, and were the operator not ready,
sidecars could not reach it exactly when they depend on what it remembers.
"""

from collections.abc import Callable, Sequence
from typing import Final

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from grokwarden_operator.metrics import CONTENT_TYPE

Sentences = Callable[[], Sequence[str]]
"""What there is to say now, a sentence each; nothing if all is well."""

_PATHS: Final = ("/metrics", "/healthz", "/readyz")


def probe_app(
    *,
    metrics: Callable[[], bytes],
    troubles: Sentences,
    unready: Sentences,
    remarks: Sentences,
) -> FastAPI:
    """The application of the metrics and probes port.

    Args:
        metrics: All of them, in the text format.
        troubles: Why this process should be ended and started anew.
        unready: Why sidecars can't be served now: no list read yet, no certificate, not listening, draining.
        remarks: What is degraded and yet no reason for either.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(HTTPException, _refuse)

    @app.get("/metrics")
    async def show_metrics() -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE)

    @app.get("/healthz")
    async def show_health() -> Response:
        found = troubles()
        return PlainTextResponse(_lines(found or ["ok"]), status_code=500 if found else 200)

    @app.get("/readyz")
    async def show_readiness() -> Response:
        found = unready()
        return PlainTextResponse(_lines([*(found or ["ready"]), *remarks()]), status_code=503 if found else 200)

    return app


def _lines(sentences: Sequence[str]) -> str:
    return "".join(f"{' '.join(sentence.split())}\n" for sentence in sentences)


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = "only GET is answered here" if status == 405 else f"there are only {', '.join(_PATHS)}"
    return PlainTextResponse(_lines([text]), status_code=status)
