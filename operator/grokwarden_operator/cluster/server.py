"""One request to the API server, and what became of it: bounded in time, and every failure one of ``cluster_errors``.

What a caller may well be told (it is gone, it has changed) is a value. An error's text never holds what a Secret or a
token holds.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from grokwarden_operator.cluster.connection import Connection
from grokwarden_operator.cluster.errors import (
    ClusterError,
    ClusterForbiddenError,
    ClusterNamespaceError,
    ClusterRejectedError,
    ClusterUnavailableError,
)
from grokwarden_operator.cluster.shallow_json import shallow

FIELD_MANAGER: Final = "grokwarden-operator"
_APPLY: Final = {"fieldManager": FIELD_MANAGER, "force": "true"}
_CALM_STATUSES: Final = frozenset({404, 409, 410})
_RETRIABLE: Final = frozenset({401, 408, 429})
"""401: a new token may be there the next time."""
_SILENT_PATHS: Final = ("/secrets", "/tokenreviews")
_WHY_CHARACTERS: Final = 300
_MAX_LINE_BYTES: Final = 8 * 1024 * 1024


class BodyType(StrEnum):
    """How a body is to be understood."""

    JSON = "application/json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the API server may take.

    Attributes:
        connect_seconds: To take a connection.
        request_seconds: For a request as a whole.
        list_seconds: For one page of a list.
    """

    connect_seconds: float = 5.0
    request_seconds: float = 15.0
    list_seconds: float = 60.0


DEFAULT_TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a success, or 404, 409 or 410."""

    status: int
    content: dict[str, Any]

    @property
    def is_success(self) -> bool:
        return self.status < 300


class ApiServer:
    """The API server, as far as HTTP goes."""

    def __init__(self, connection: Connection, timeouts: Timeouts) -> None:
        self._session = connection.session()
        self._server = connection.server
        self.timeouts = timeouts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        body_type: BodyType = BodyType.JSON,
        timeout_seconds: float | None = None,
    ) -> Reply:
        """The answer.

        Raises:
            ClusterUnavailableError: There was none, or one that asks to come again.
            ClusterForbiddenError: The service account may not do that.
            ClusterRejectedError: The request is wrong.
        """
        timeout = aiohttp.ClientTimeout(
            total=timeout_seconds or self.timeouts.request_seconds, sock_connect=self.timeouts.connect_seconds
        )
        async with self._opened(method, path, params=params, body=body, body_type=body_type, timeout=timeout) as answer:
            return Reply(answer.status, _decoded(await answer.read(), f"{method} {path}"))

    async def apply(self, path: str, body: Mapping[str, Any]) -> Reply:
        """What is there says that, by server-side apply; raises as ``request`` does."""
        return await self.request("PATCH", path, params=_APPLY, body=body, body_type=BodyType.APPLY)

    @asynccontextmanager
    async def watch(
        self, path: str, *, params: Mapping[str, str], silent_seconds: float
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The events of a watch, until it ends or nothing is heard for so long; raises as ``request`` does."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.timeouts.connect_seconds, sock_read=silent_seconds
        )
        async with self._opened("GET", path, params=params, timeout=timeout) as answer:
            if answer.status in _CALM_STATUSES:
                raise ClusterUnavailableError(f"watch {path}", f"answered with status {answer.status}")
            async with aclosing(_events(answer, path)) as events:
                yield events

    @asynccontextmanager
    async def _opened(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
        body: Mapping[str, Any] | None = None,
        body_type: BodyType = BodyType.JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        what = f"{method} {path}"
        try:
            async with self._session.request(
                method,
                self._server + path,
                params=params,
                data=None if body is None else msgspec.json.encode(body),
                headers={"Accept": "application/json", "Content-Type": body_type.value},
                timeout=timeout,
                allow_redirects=False,
                read_bufsize=_MAX_LINE_BYTES,
            ) as answer:
                if answer.status >= 300 and answer.status not in _CALM_STATUSES:
                    raise _refusal(answer, await answer.read(), what)
                yield answer
        except TimeoutError as error:
            raise ClusterUnavailableError(what, "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ClusterUnavailableError(what, f"no connection ({type(error).__name__})") from error


async def _events(answer: aiohttp.ClientResponse, path: str) -> AsyncGenerator[dict[str, Any], None]:
    async for line in answer.content:
        if line.strip():
            yield _decoded(line, f"watch {path}")


def _refusal(answer: aiohttp.ClientResponse, body: bytes, what: str) -> ClusterError:
    status = _status(body)
    why = f"status {answer.status}"
    if not any(part in what for part in _SILENT_PATHS):
        why = str(status.get("message") or why)[:_WHY_CHARACTERS]
    if answer.status == 403:
        causes = (status.get("details") or {}).get("causes") or ()
        is_ending = any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
        return ClusterNamespaceError(what) if is_ending else ClusterForbiddenError(what, why)
    if answer.status in _RETRIABLE or answer.status >= 500:
        return ClusterUnavailableError(what, why, retry_after_seconds=_seconds(answer.headers.get("Retry-After", "")))
    return ClusterRejectedError(what, why)


def _status(body: bytes) -> dict[str, Any]:
    """The Status object that comes with a refusal; empty if something else came."""
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return status if isinstance(status, dict) else {}


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _decoded(body: bytes, what: str) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(shallow(body))
    except msgspec.DecodeError as error:
        raise ClusterUnavailableError(what, "the answer is no JSON") from error
    if not isinstance(content, dict):
        raise ClusterUnavailableError(what, "the answer is no object")
    return content
