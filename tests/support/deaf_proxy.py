"""Stands between the operator and the API server, and swallows what it is told to swallow.

It ends TLS on both sides, and passes bytes on as they come. What was asked last on a connection tells which it is: the
API server answers a watch on a connection of its own.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from grokwarden_operator.certs.authority import issue_server_certificate, new_authority
from grokwarden_operator.certs.tls import present, server_context

_EXPIRED = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
_GONE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_EXPIRED), _EXPIRED)

Swallows = Callable[[str], bool]
"""Whether what is answered to that target (path and query) is to be swallowed."""


@dataclass(slots=True)
class Connection:
    """One connection through the proxy."""

    target: str = ""
    is_swallowed: bool = False
    is_spoiled: bool = False


@dataclass(slots=True)
class DeafProxy:
    """A proxy that is running.

    Attributes:
        server: Its URL.
        ca: The authority of its certificate, a file.
        swallows: For connections that are made from now on, and with ``deafen`` for those that are open.
        has_expired: A watch was told so since ``expire``.
        asked: Every target that was asked for, in order.
    """

    server: str
    ca: Path
    swallows: Swallows = lambda _: False
    expires: Swallows = lambda _: False
    has_expired: bool = False
    asked: list[str] = field(default_factory=list)
    open: list[Connection] = field(default_factory=list)

    def deafen(self, swallows: Swallows, *, also_later: bool = False) -> int:
        """Nothing more comes out of open connections that were asked that; how many there are. They stay open."""
        found = [connection for connection in self.open if swallows(connection.target)]
        for connection in found:
            connection.is_swallowed = True
        if also_later:
            self.swallows = swallows
        return len(found)

    def spoil(self, spoils: Swallows) -> int:
        """What comes next on open connections that were asked that is no JSON; how many there are."""
        found = [connection for connection in self.open if spoils(connection.target)]
        for connection in found:
            connection.is_spoiled = True
        return len(found)

    def expire(self, expires: Swallows) -> None:
        """The next watch that asks that is told that its version is too old, as after a compaction."""
        self.expires = expires

    def count(self, matches: Swallows) -> int:
        """How often something like that was asked."""
        return sum(matches(target) for target in self.asked)

    def heal(self) -> None:
        """Nothing is swallowed on connections that are made from now on."""
        self.swallows = lambda _: False


@contextlib.asynccontextmanager
async def deaf_proxy(upstream: str, upstream_ca: Path, folder: Path) -> AsyncIterator[DeafProxy]:
    """A proxy to that server, which swallows nothing yet."""
    tls, ca = _server_tls(folder)
    to_upstream = ssl.create_default_context(cafile=upstream_ca)
    where = urlsplit(upstream)
    proxy = DeafProxy(server="", ca=ca)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        proxy.open.append(connection)
        try:
            there, back = await asyncio.open_connection(where.hostname, where.port, ssl=to_upstream)
            await _both_ways(proxy, connection, (reader, writer), (there, back))
        except OSError:
            writer.transport.abort()
        finally:
            proxy.open.remove(connection)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    proxy.server = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()


async def _both_ways(
    proxy: DeafProxy,
    connection: Connection,
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    async def requests() -> None:
        while chunk := await client[0].read(65536):
            head = chunk.split(b"\r\n", 1)[0].split(b" ")
            if len(head) == 3 and head[2] == b"HTTP/1.1":
                connection.target = head[1].decode()
                proxy.asked.append(connection.target)
                connection.is_swallowed = proxy.swallows(connection.target)
                if proxy.expires(connection.target):
                    proxy.expires, proxy.has_expired = lambda _: False, True
                    client[1].write(_GONE)
                    await client[1].drain()
                    return
            server[1].write(chunk)
            await server[1].drain()

    async def answers() -> None:
        while chunk := await server[0].read(65536):
            if connection.is_swallowed:
                continue
            client[1].write(chunk.replace(b'"', b"!") if connection.is_spoiled else chunk)
            await client[1].drain()
        if connection.is_swallowed:
            await asyncio.Event().wait()  # the end got lost along with the rest

    ways = [asyncio.ensure_future(each()) for each in (requests, answers)]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in (client[1], server[1]):
            writer.transport.abort()


def _server_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    now = datetime.now(UTC)
    leaf = issue_server_certificate(new_authority(now), ["127.0.0.1"], now=now)
    ca = folder / "proxy-ca.crt"
    ca.write_bytes(leaf.issuer_pem)
    context = server_context()
    present(context, chain_pem=leaf.chain_pem, key_pem=leaf.key_pem)
    return context, ca
