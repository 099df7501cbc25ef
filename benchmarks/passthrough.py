"""The yardstick: the least that a proxy of the same parts does. It reads nothing, decides nothing and records nothing.

Run with the base URL of a provider; it prints where it serves. For benchmarks alone: it passes every header on.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
import uvloop
from yarl import URL

from grokwarden.edge.addresses import Address, address_of, listen
from grokwarden_sidecar.serving.servers import HttpServer

_NOT_PASSED_ON: Final = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding"})
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


class PassThrough:
    """Raw ASGI."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
        self._base_url = base_url
        self._session = session
        self._tasks = tasks
        self._urls: dict[str, URL] = {}

    async def __call__(self, scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
        body = await _read(receive)
        watch = self._tasks.create_task(_cancel_on_hang_up(receive, asyncio.current_task()))
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name not in _NOT_PASSED_ON
        ]
        try:
            async with self._session.request(
                scope["method"], self._url(scope["path"]), headers=headers, data=body, allow_redirects=False
            ) as reply:
                await _pass_on(reply, send)
        finally:
            watch.cancel()

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base_url + path.removeprefix("/v1"), encoded=True)
        return url


async def _pass_on(reply: aiohttp.ClientResponse, send: _Send) -> None:
    headers = [(name.lower(), value) for name, value in reply.raw_headers if name.lower() not in _NOT_PASSED_ON]
    start = {"type": "http.response.start", "status": reply.status, "headers": headers}
    if reply.content_length is not None:
        data = await reply.read()
        headers.append((b"content-length", b"%d" % len(data)))
        await send(start)
        await send({"type": "http.response.body", "body": data})
        return
    await send(start)
    async for chunk in reply.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _read(receive: _Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


async def _cancel_on_hang_up(receive: _Receive, call: asyncio.Task[None] | None) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if call is not None:
        call.cancel()


async def _serve(base_url: str) -> None:
    listener = listen(Address(host="127.0.0.1", port=0), flag="--listen")
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        ) as session,
        asyncio.TaskGroup() as tasks,
    ):
        server = HttpServer(PassThrough(base_url, session, tasks), listener, drain_seconds=1)
        print(f"serving http://{address_of(listener)}/v1", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
