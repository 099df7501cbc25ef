"""The config stream as an HTTP API: whose request it is, whether that pod may have a stream, and the bytes out.

Identity comes from the token alone. What a request says of itself is which process it is and what that has already, and
both can only cost its own pod. This module refuses to know what a configuration is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from grokwarden.config_stream import ACK_PATH, INSTANCE_HEADER, PING_SECONDS, STREAM_PATH, decode_ack
from grokwarden_operator.cluster.errors import ClusterError, ClusterUnavailableError
from grokwarden_operator.cluster.values import PodIdentity
from grokwarden_operator.listing import PodFact
from grokwarden_operator.stream.bounded_protocol import IS_KNOWN
from grokwarden_operator.stream.frames import Encoding
from grokwarden_operator.stream.hub import StreamHub
from grokwarden_operator.stream.identity import ANSWERS_CACHED_SECONDS, CACHED_SECONDS, Authenticator, Caller
from grokwarden_operator.stream.pod_stream import PodStream, StreamEnd
from grokwarden_operator.stream.refusals import REFUSED, Refusal, RequestRefused, refusal, refusal_of
from grokwarden_operator.stream.request import ClientLeft, header, read_body, read_stream_request

log = structlog.stdlib.get_logger(__name__)

WRITE_SECONDS: Final = 60.0
_FIND_SECONDS: Final = 10.0
_FINISH_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 24 * 3600.0
_PIECE_BYTES: Final = 64 * 1024
_TOLD_SECONDS: Final = 30.0

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handle = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[Exception], Refusal]


class ConfigApi:
    """Serves streams and takes answers.

    Args:
        hub: Where configurations come from and answers go.
        authenticator: Whose token it is.
        find_pod: The pod of that identity as it is now, ``None`` if there is none. Raises ``ClusterError``.
        now: Seconds since the epoch, as in tokens.
        ping_seconds: How long a stream is silent.
        write_seconds: How long a client may take nothing.
    """

    def __init__(
        self,
        hub: StreamHub,
        authenticator: Authenticator,
        find_pod: Callable[[PodIdentity], Awaitable[PodFact | None]],
        *,
        now: Callable[[], float],
        ping_seconds: float = PING_SECONDS,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._find_pod = find_pod
        self._now = now
        self._ping_seconds = ping_seconds
        self._write_seconds = write_seconds
        self._silent_until = 0.0

    def app(self) -> FastAPI:
        """The API's two routes, and nothing else."""
        return FastAPI(
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            redirect_slashes=False,
            routes=[
                Route(STREAM_PATH, _Endpoint("GET", self._stream, self._refusal)),
                Route(ACK_PATH, _Endpoint("POST", self._ack, self._refusal)),
            ],
            exception_handlers={HTTPException: _no_route},
        )

    async def _ack(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A sidecar's answer is taken, or refused."""
        caller = await self._caller(scope, cached_seconds=ANSWERS_CACHED_SECONDS)
        ack = decode_ack(await read_body(scope["headers"], receive))
        instance = header(scope["headers"], INSTANCE_HEADER)
        self._hub.acknowledge(caller.identity.pod_uid, ack, instance=instance)
        await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": []})
        await send({"type": "http.response.body"})

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream is served to its end, or refused."""
        caller = await self._caller(scope)
        asked = read_stream_request(scope["headers"])
        scope["headers"].clear()  # the token is not to be kept for as long as the stream
        await self._make_sure_of(caller.identity)
        uid = caller.identity.pod_uid
        stream = self._hub.open(uid, instance=asked.instance, held=asked.held, encoding=asked.encoding)
        told = log.bind(namespace=caller.identity.namespace, pod=caller.identity.pod_name)
        told.info("stream_opened")
        try:
            await self._serve(stream, self._deadline(caller), receive, send)
        finally:
            stream.end(StreamEnd.SHUT_DOWN)  # unless it ended for another reason before
            self._hub.close(stream)
            told.info("stream_closed", reason=stream.ended)

    def _refusal(self, error: Exception) -> Refusal:
        """What a request is answered that ended so; an API server that does not answer is told to the log as well."""
        now = asyncio.get_running_loop().time()
        if isinstance(error, ClusterError) and now >= self._silent_until:
            self._silent_until = now + _TOLD_SECONDS
            log.warning("request_not_judged", error=str(error), silent_seconds=_TOLD_SECONDS)
        answer = refusal_of(error)
        self._hub.count_refused(answer.reason)
        return answer

    async def _caller(self, scope: Scope, *, cached_seconds: float = CACHED_SECONDS) -> Caller:
        authorization = header(scope["headers"], "authorization").encode("latin-1")
        caller = await self._authenticator.caller(authorization, cached_seconds=cached_seconds)
        scope["state"][IS_KNOWN] = True
        return caller

    def _deadline(self, caller: Caller) -> float:
        """When the token ends, in the loop's time."""
        left = min(caller.expires_at - self._now(), _LONGEST_SECONDS)
        return asyncio.get_running_loop().time() + left

    async def _make_sure_of(self, identity: PodIdentity) -> None:
        """The pod is there, alive, and carries our sidecar."""
        try:
            async with asyncio.timeout(_FIND_SECONDS):
                pod = await self._find_pod(identity)
        except TimeoutError:
            raise ClusterUnavailableError("look-up of a pod", f"no answer within {_FIND_SECONDS:g} s") from None
        is_same = pod is not None and (pod.uid, pod.namespace, pod.name) == (
            identity.pod_uid,
            identity.namespace,
            identity.pod_name,
        )
        if pod is None or not is_same or not pod.is_live:
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                "no_such_pod",
                "the token's pod does not exist, is another one now, or has finished",
            )
        if not pod.has_sidecar:
            raise RequestRefused(
                HTTPStatus.FORBIDDEN, "no_sidecar", "the token's pod does not carry the sidecar as it was injected"
            )

    async def _serve(self, stream: PodStream, deadline: float, receive: Receive, send: Send) -> None:
        """The stream has ended, with the end of the body unless the client is gone or takes nothing."""
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_watch_hang_up(stream, receive))
            try:
                async with stream.lifetime(deadline):
                    await send(_start_of(stream))
                    await self._deliver(stream, send)
            except TimeoutError:
                stream.end(StreamEnd.TOKEN_EXPIRED)  # unless it ended for another reason before
            finally:
                watch.cancel()
        if stream.ended in (StreamEnd.HUNG_UP, StreamEnd.STUCK):
            return
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                await send({"type": "http.response.body"})
        except TimeoutError:
            log.debug("stream_cut")

    async def _deliver(self, stream: PodStream, send: Send) -> None:
        """Everything that the pod is to have is written, the newest each time there is room, for ever."""
        while True:
            for piece in _pieces(await stream.next(self._ping_seconds)):
                await self._write(stream, piece, send)

    async def _write(self, stream: PodStream, piece: bytes | memoryview, send: Send) -> None:
        """The piece is on its way, and there is room for another one."""
        try:
            async with asyncio.timeout(self._write_seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # writes nothing
        except TimeoutError:
            stream.end(StreamEnd.STUCK)
            raise
        self._hub.count_sent(len(piece))


class _Endpoint:
    """A route's raw ASGI application: one method, and every refusal told."""

    def __init__(self, method: str, handle: Handle, refuse: Refuse) -> None:
        self._method = method
        self._handle = handle
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != self._method:
            allow = (b"allow", self._method.encode())
            message = f"expected {self._method}"
            await _answer(refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, allow), send)
            return
        try:
            await self._handle(scope, receive, send)
        except ClientLeft:
            return
        except REFUSED as error:
            await _answer(self._refuse(error), send)


async def _answer(answer: Refusal, send: Send) -> None:
    log.debug("request_refused", status=answer.status, reason=answer.reason)
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})


async def _no_route(_: Request, __: Exception) -> Response:
    answer = refusal(HTTPStatus.NOT_FOUND, "no_route", f"there is {STREAM_PATH} and {ACK_PATH}, and nothing else")
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})


async def _watch_hang_up(stream: PodStream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end(StreamEnd.HUNG_UP)


def _start_of(stream: PodStream) -> dict[str, Any]:
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    if stream.encoding is Encoding.ZSTD:
        headers.append((b"content-encoding", b"zstd"))
    return {"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers}


def _pieces(events: list[bytes]) -> Iterable[bytes | memoryview]:
    """The events in pieces that a connection takes at once: one, if they are small."""
    if sum(len(event) for event in events) <= _PIECE_BYTES:
        return [b"".join(events)]
    views = (memoryview(event) for event in events)
    return (view[start : start + _PIECE_BYTES] for view in views for start in range(0, len(view), _PIECE_BYTES))
