"""What the provider answers to a request under ``/v1``: a status, headers and pieces of a body. No sockets here."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import msgspec

from grokwarden.catalog import Catalog
from grokwarden_sidecar.simulate.answer import Answer, compose
from grokwarden_sidecar.simulate.errors import ApiError, unknown_model
from grokwarden_sidecar.simulate.request import ChatRequest, read_chat_request, served_model
from grokwarden_sidecar.simulate.script import Script, read_directive
from grokwarden_sidecar.simulate.state import Ledger
from grokwarden_sidecar.simulate.wire import DONE, completion_bytes, events, model_bytes, model_list_bytes

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

_GARBAGE_EVENTS: Final = (b'data: {"id": "broken\n\n', b"data: \xff\xfe\x00 this is no JSON\n\n")
_GARBAGE_PAGE: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_METRICS: Final = {"x-metrics-ttft-ms": "12", "x-metrics-mean-itl-ms": "3", "x-metrics-e2e-ms": "40"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to send. ``length`` is the length that the head announces, ``None`` for a stream."""

    status: int = 200
    content_type: str = JSON
    pieces: Iterable[bytes]
    length: int | None = None
    headers: dict[str, str]
    delay_ms: int = 0
    chunk_delay_ms: int = 0
    is_cut: bool = False


class Provider:
    """The API, apart from HTTP: each method gives a reply or raises an ``ApiError``."""

    def __init__(self, catalog: Catalog, ledger: Ledger) -> None:
        self._catalog = catalog
        self._ledger = ledger

    def chat(self, body: bytes) -> Reply:
        """The reply to ``POST /v1/chat/completions``."""
        request = read_chat_request(body)
        user_text, directive = read_directive(request.last_user_text)
        script = directive or self._ledger.next_script()
        is_stream = bool(request.stream)
        if failure := _failure(script, is_stream=is_stream):
            return failure
        model = served_model(self._catalog, request.model)
        named = self._catalog.resolve(script.model) if script.model else None
        answer = compose(
            request,
            script,
            model=model,
            billed=named.model if named and named.model else model,
            user_text=user_text,
            fingerprint=hashlib.sha256(body).digest(),
        )
        return _stream(request, script, answer) if is_stream else _whole(completion_bytes(answer), script)

    def models(self) -> Reply:
        """The reply to ``GET /v1/models``."""
        script = self._ledger.next_script()
        return _failure(script, is_stream=False) or _whole(model_list_bytes(self._catalog), script)

    def model(self, name: str) -> Reply:
        """The reply to ``GET /v1/models/{id}``; an alias gives the model that serves it."""
        script = self._ledger.next_script()
        if failure := _failure(script, is_stream=False):
            return failure
        resolution = self._catalog.resolve(name)
        if resolution is None or resolution.model is None:
            raise unknown_model(name)
        return _whole(model_bytes(resolution.model), script)


def error_reply(error: ApiError, *, delay_ms: int = 0, status: int | None = None) -> Reply:
    """An error as a reply; ``status`` overrides the error's own."""
    body = msgspec.json.encode(error.body)
    return Reply(
        status=status or error.status, pieces=(body,), length=len(body), headers=error.headers, delay_ms=delay_ms
    )


def _failure(script: Script, *, is_stream: bool) -> Reply | None:
    """What the script wants instead of an answer."""
    if script.ok_error:
        fault = script.error() or ApiError(status=500, code=script.code or "", message=script.message or "")
        return error_reply(fault, delay_ms=script.delay_ms, status=200)
    if error := script.error():
        return error_reply(error, delay_ms=script.delay_ms)
    if not (script.empty or script.garbage):
        return None
    pieces: tuple[bytes, ...] = ()
    if script.garbage:
        pieces = _GARBAGE_EVENTS if is_stream else (_GARBAGE_PAGE,)
    return Reply(
        content_type=EVENT_STREAM if is_stream else JSON,
        pieces=pieces,
        length=None if is_stream else sum(map(len, pieces)),
        headers={},
        delay_ms=script.delay_ms,
        chunk_delay_ms=script.chunk_delay_ms,
    )


def _whole(body: bytes, script: Script) -> Reply:
    is_cut = script.cut_after is not None
    return Reply(
        pieces=(body[: len(body) // 2] if is_cut else body,),
        length=len(body),
        headers=_METRICS,
        delay_ms=script.delay_ms,
        is_cut=is_cut,
    )


def _stream(request: ChatRequest, script: Script, answer: Answer) -> Reply:
    pieces = events(answer, chunk_chars=script.chunk_chars, includes_usage=request.includes_usage)
    if not script.no_done:
        pieces = chain(pieces, (DONE,))
    return Reply(
        content_type=EVENT_STREAM,
        pieces=islice(pieces, script.cut_after),
        headers=_METRICS,
        delay_ms=script.delay_ms,
        chunk_delay_ms=script.chunk_delay_ms,
        is_cut=script.cut_after is not None,
    )
