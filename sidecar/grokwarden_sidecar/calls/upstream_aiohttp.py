"""``Upstream`` by aiohttp, with everything switched off that a proxy must not have.

No redirects are followed, nothing is decompressed, no cookie is kept, no variable of the environment is read, no
connection waits for another. A connection whose answer was not read to its end, or that got bytes that nobody asked
for, is never used again.
"""

import asyncio
import io
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from yarl import URL

from grokwarden.bundle import TargetPart
from grokwarden_sidecar.calls.deadlines import Deadlines
from grokwarden_sidecar.calls.upstream import BadReply, ConnectFailed, ConnectionLost, UpstreamError

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_KEEPALIVE_SECONDS: Final = 15.0  # a guess: shorter than what any provider's edge keeps, so that it rarely closes first
_READ_BUFFER_BYTES: Final = 64 * 1024
_COPIED_BODY_BYTES: Final = 512 * 1024  # larger bodies are written in pieces, so that they don't hold up the loop
_CACHED_PATHS: Final = 64
_PATH: Final = re.compile(r"/(?!/)[!-~]*")
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)

_current: ContextVar[Deadlines | None] = ContextVar("deadlines of the call that is being sent", default=None)


class AiohttpUpstream:
    """One pool of connections for all targets. Made inside a running loop; ``async with`` closes it."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BUFFER_BYTES,
        )
        self._routes: dict[str, _Route] = {}
        self._trust: dict[str, ssl.SSLContext] = {}
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Every connection is closed."""
        await self._session.close()

    async def check_trust(self, target: TargetPart) -> None:
        """The target's own certificates, if it has any, can be read; what was made of them is kept for ``prepare``.

        Raises:
            ConnectFailed: Its ``caBundle`` holds no certificates.
        """
        if target.ca_bundle:
            self._trust[target.ca_bundle] = await self._trusted(target, target.ca_bundle)

    async def prepare(self, targets: Iterable[TargetPart]) -> None:
        """What is slow to make for these targets is made, off the loop; what no target needs any more is dropped.

        Raises:
            ConnectFailed: A target's ``caBundle`` holds no certificates; nothing is changed.
        """
        targets = tuple(targets)
        trust: dict[str, ssl.SSLContext] = {}
        for target in targets:
            if target.ca_bundle:
                trust[target.ca_bundle] = await self._trusted(target, target.ca_bundle)
        self._trust = trust
        names = {target.name for target in targets}
        self._routes = {name: route for name, route in self._routes.items() if name in names}

    async def open(
        self,
        target: TargetPart,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        deadline: float | None = None,
    ) -> "AiohttpReply":
        """See ``Upstream.open``."""
        route = self._routes.get(target.name)
        if route is None or route.target is not target:
            route = await self._route(target)
        deadlines = Deadlines(self._loop, target, deadline)
        token = _current.set(deadlines)
        try:
            response = await self._session.request(
                method,
                route.url(path),
                headers=headers,
                data=_payload(body),
                allow_redirects=False,
                ssl=route.trust,
                proxy=route.proxy,
            )
        except asyncio.CancelledError:
            deadlines.cancelled()
            raise
        except (aiohttp.ClientError, OSError) as error:
            deadlines.stop()
            raise _translate(target.name, error) from None  # aiohttp's texts quote URLs and bytes of the reply
        except BaseException:
            deadlines.stop()
            raise
        finally:
            _current.reset(token)
        return AiohttpReply(target.name, response, deadlines)

    async def _route(self, target: TargetPart) -> "_Route":
        trust: ssl.SSLContext | bool = True
        if target.ca_bundle:
            trust = self._trust[target.ca_bundle] = await self._trusted(target, target.ca_bundle)
        route = self._routes[target.name] = _Route(target, trust)
        return route

    async def _trusted(self, target: TargetPart, ca_bundle: str) -> ssl.SSLContext:
        if context := self._trust.get(ca_bundle):
            return context
        return await asyncio.to_thread(_trust_of, target.name, ca_bundle)


class AiohttpReply:
    """See ``UpstreamReply``."""

    __slots__ = ("_content", "_deadlines", "_on_end", "_response", "_target", "headers", "status")

    def __init__(self, target: str, response: aiohttp.ClientResponse, deadlines: Deadlines) -> None:
        """A reply whose head has come.

        Raises:
            BadReply: It switches protocols, or is encoded though ``identity`` was asked for.
        """
        self._target = target
        self._response = response
        self._content = response.content
        self._deadlines = deadlines
        self._on_end: Callable[[UpstreamError | None], None] | None = None
        self.status = response.status
        self.headers = response.raw_headers
        deadlines.body(self._close)
        if self.status < 200:
            raise self._refused(f"answered {self.status}, which was not asked for")
        encoding = response.headers.get("content-encoding")
        if encoding is not None and encoding.lower() != "identity":
            raise self._refused("sent an encoded body, though accept-encoding says identity")

    async def read(self, limit_bytes: int) -> bytes:
        """See ``UpstreamReply.read``."""
        pieces = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit_bytes:
                raise self._refused(f"sent more than {limit_bytes} bytes")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunks(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._deadlines.waiting()
        try:
            data = await self._content.readany()
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            raise self._failed(self._deadlines.expired or _translate(self._target, error)) from None
        self._deadlines.not_waiting()
        if data:
            return data
        self.release()
        raise StopAsyncIteration

    def when_ended(self, callback: Callable[[UpstreamError | None], None]) -> None:
        """See ``UpstreamReply.when_ended``."""
        self._on_end = callback

    def abort(self) -> None:
        """See ``UpstreamReply.abort``."""
        self._close()
        self._ended(None)

    def release(self) -> None:
        """See ``UpstreamReply.release``: aiohttp has the connection back from the last byte of the answer on."""
        self.abort()

    def _close(self) -> None:
        self._deadlines.stop()
        if self._response.closed:
            return
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # close() would first send what is left of a large request
        self._response.close()

    def _ended(self, error: UpstreamError | None) -> None:
        if callback := self._on_end:
            self._on_end = None
            callback(error)

    def _failed(self, error: UpstreamError) -> UpstreamError:
        self._close()
        self._ended(error)
        return error

    def _refused(self, what: str) -> UpstreamError:
        return self._failed(BadReply(self._target, f"{what}; the answer was not used"))


class _Connector(aiohttp.TCPConnector):
    """Tells the call when it has a connection, and gives it none that already holds an answer."""

    async def connect(
        self,
        req: "ClientRequest",
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> "Connection":
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or not protocol.should_close:
                break
            connection.close()  # bytes came while it was idle: they would be taken for the answer to this call
        if deadlines := _current.get():
            deadlines.connected()
        return connection


class _Route:
    """What is the same for every call to a target."""

    __slots__ = ("_base", "_urls", "proxy", "target", "trust")

    def __init__(self, target: TargetPart, trust: ssl.SSLContext | bool) -> None:
        self.target = target
        self.trust = trust
        self.proxy = URL(target.proxy_url) if target.proxy_url else None
        self._base = target.base_url.rstrip("/")
        self._urls: dict[str, URL] = {}

    def url(self, path: str) -> URL:
        """The URL as it goes on the wire, nothing in it quoted anew.

        Raises:
            ValueError: The path could not have come from a route of ours.
        """
        if url := self._urls.get(path):
            return url
        if not _PATH.fullmatch(path) or "#" in path or "/../" in f"{path.partition('?')[0]}/":
            raise ValueError("a path of the provider's API was expected: ASCII, from a slash on, without '..'")
        url = URL(self._base + path, encoded=True)
        if len(self._urls) < _CACHED_PATHS:
            self._urls[path] = url
        return url


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    if len(body) > _COPIED_BODY_BYTES:
        return io.BytesIO(body)
    return body or None


def _trust_of(target: str, ca_bundle: str) -> ssl.SSLContext:
    """The system's certificates and the target's own."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_verify_locations(cadata=ca_bundle)
    except (ssl.SSLError, ValueError) as error:
        raise ConnectFailed(target, "its caBundle holds no PEM certificate that can be read") from error
    return context


def _translate(target: str, error: Exception) -> UpstreamError:
    """Our error for one of aiohttp's, without its text where that quotes what was sent or received."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            return ConnectFailed(target, f"the certificate of {error.host} was refused ({reason})")
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or type(error.os_error).__name__
            return ConnectFailed(target, f"no connection to {error.host}:{error.port} ({reason})")
        case aiohttp.ClientHttpProxyError():
            return ConnectFailed(target, f"the proxy refused the connection (status {error.status})")
        case aiohttp.ClientResponseError() | aiohttp.http.HttpProcessingError():
            return BadReply(target, "what came is no HTTP answer")
        case aiohttp.InvalidURL():
            return ConnectFailed(target, "its base URL has no host")
        case _:
            return ConnectionLost(target, f"the connection ended before the answer did ({type(error).__name__})")
