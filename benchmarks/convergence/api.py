"""The API server as the administrator, over HTTP: a kubectl process costs more than what is measured."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from benchmarks.convergence.documents import Object
from benchmarks.convergence.errors import RunError

from grokwarden_operator.cluster.connection import connection_to

_REQUEST: Final = aiohttp.ClientTimeout(total=60)
_WATCH: Final = aiohttp.ClientTimeout(total=None)
_MAX_LINE_BYTES: Final = 8 * 1024 * 1024
_APPLY: Final = "application/apply-patch+yaml"
PACKS: Final = "/apis/grokwarden.io/v1alpha1/namespaces/{}/policypacks"
TARGETS: Final = "/apis/grokwarden.io/v1alpha1/namespaces/{}/providertargets"


class Api:
    """Requests that either succeed or end the run."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def get(self, path: str) -> Object:
        """The object as it is now."""
        return await self._request("GET", path)

    async def create(self, path: str, body: Object) -> Object:
        """The new object."""
        return await self._request("POST", path, body)

    async def apply(self, path: str, body: Object) -> Object:
        """The object after a server-side apply: what ``kubectl apply --server-side`` sends."""
        params = {"fieldManager": "benchmark", "force": "true"}
        return await self._request("PATCH", f"{path}/{body['metadata']['name']}", body, _APPLY, params)

    async def delete(self, path: str) -> None:
        """The object is gone, or about to be."""
        await self._request("DELETE", path)

    async def watch(self, path: str) -> AsyncIterator[Object]:
        """Every event of that collection, first what is there; ends when the API server says so."""
        async with self._session.get(
            self._server + path, params={"watch": "true"}, timeout=_WATCH, read_bufsize=_MAX_LINE_BYTES
        ) as answer:
            if answer.status != 200:
                raise RunError(f"watch {path}: status {answer.status}")
            async for line in answer.content:
                yield json.loads(line)

    async def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        body_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method,
            self._server + path,
            data=data,
            params=params,
            headers={"content-type": body_type},
            timeout=_REQUEST,
        ) as answer:
            found: Object = await answer.json()
            if answer.status >= 300:
                raise RunError(f"{method} {path}: {found.get('message') or answer.status}")
            return found


@asynccontextmanager
async def open_api(kubeconfig: Path) -> AsyncIterator[Api]:
    """The API server of that kubeconfig."""
    connection = await connection_to(kubeconfig)
    async with connection.session() as session:
        yield Api(session, connection.server)
