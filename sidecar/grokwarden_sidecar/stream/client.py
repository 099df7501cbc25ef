"""The wire to the operator: TLS to its own authority, the pod's token, one stream and one connection for acks.

The CA file is read at each connect, the token also at each ack: both are replaced under a running process. Nobody is
trusted but the authority in the file, no redirect is followed, and no proxy of the environment is used: the token goes
to the operator and to nobody else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from grokwarden import __version__
from grokwarden.config_stream import (
    ACK_PATH,
    INSTANCE_HEADER,
    PARTS_HEADER,
    PING_SECONDS,
    STREAM_PATH,
    Ack,
    StreamEvent,
    UnknownEventError,
    encode_ack,
    parts_header,
    read_event,
)
from grokwarden_sidecar.stream.errors import StreamError, refusal_of, told
from grokwarden_sidecar.stream.frames import FrameReader, StreamBrokenError
from grokwarden_sidecar.stream.pod_files import token_in, trust_in

SILENCE_SECONDS: Final = 3 * PING_SECONDS
_CONNECT_SECONDS: Final = 10.0
_HEAD_SECONDS: Final = 20.0
_ACK_SECONDS: Final = 10.0
_KEEPALIVE_SECONDS: Final = 24 * 3600.0  # the ack connection stays as long as the operator leaves it open
_READ_BUFFER_BYTES: Final = 256 * 1024
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=None)

Event = tuple[StreamEvent, str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Where the operator is, and what proves it and us.

    Attributes:
        url: ``https://HOST:PORT``.
        instance: A random word, another one for each process.
    """

    url: str
    ca_file: Path
    token_file: Path
    instance: str


class StreamClient:
    """Opens streams, one after the other."""

    def __init__(
        self,
        operator: Operator,
        *,
        on_token: Callable[[str], None],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """Nothing is opened or read yet.

        Args:
            operator: The one to ask.
            on_token: Gets each token that is read; the names in it may be of use.
            silence_seconds: A stream that says nothing for so long is given up.
        """
        self._operator = operator
        self._on_token = on_token
        self._silence_seconds = silence_seconds
        self._headers = {
            "user-agent": f"grokwarden/{__version__}",
            "accept-encoding": "identity",
            INSTANCE_HEADER: operator.instance,
        }

    @property
    def url(self) -> str:
        return self._operator.url + STREAM_PATH

    @asynccontextmanager
    async def connect(self, parts: Iterable[str]) -> AsyncIterator["ConfigStream"]:
        """An open stream; it and its ack connection are closed at the end.

        Args:
            parts: The digests that need not be sent.

        Raises:
            StreamError: There is none; the text says why.
        """
        authorization = await self.authorization()
        trust = await asyncio.to_thread(trust_in, self._operator.ca_file)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS, ssl=trust)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BUFFER_BYTES,
            headers=self._headers,
        ) as session:
            response = await self._open(session, authorization, parts)
            try:
                yield ConfigStream(self, session, response)
            finally:
                response.close()

    async def _open(
        self, session: aiohttp.ClientSession, authorization: dict[str, str], parts: Iterable[str]
    ) -> aiohttp.ClientResponse:
        headers = {
            "accept": "text/event-stream",
            "accept-encoding": "zstd",
            PARTS_HEADER: parts_header(parts),
        }
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                response = await session.get(self.url, headers=headers | authorization, allow_redirects=False)
                if response.status != 200:
                    raise await refusal_of(response, authorization)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StreamError(told(error)) from None  # its text could quote what was sent
        return response

    async def authorization(self) -> dict[str, str]:
        """The header that says who asks, with the token as the file has it now.

        Raises:
            StreamError: There is no token.
        """
        token = await asyncio.to_thread(token_in, self._operator.token_file)
        self._on_token(token)
        return {"authorization": f"Bearer {token}"}

    @property
    def ack_url(self) -> str:
        return self._operator.url + ACK_PATH

    @property
    def silence_seconds(self) -> float:
        return self._silence_seconds


class ConfigStream:
    """One stream, for as long as it lasts."""

    def __init__(self, client: StreamClient, session: aiohttp.ClientSession, response: aiohttp.ClientResponse) -> None:
        """A stream whose head has come.

        Raises:
            StreamError: It is encoded in a way that was not asked for.
        """
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in {"zstd", "identity"}:
            raise StreamError("the stream is encoded in a way that was not asked for")
        self._client = client
        self._session = session
        self._content = response.content
        self._frames = FrameReader(is_compressed=encoding == "zstd")

    async def events(self) -> AsyncIterator[Event]:
        """Every event of a type that is known, until the stream ends.

        Raises:
            StreamError: It ended: always.
        """
        while True:
            for event in await self._next():
                try:
                    yield read_event(event)
                except UnknownEventError:
                    continue

    async def _next(self) -> list[bytes]:
        """At least one event; a part of one is no sign of life."""
        seconds = self._client.silence_seconds
        try:
            async with asyncio.timeout(seconds):
                while True:
                    chunk = await self._content.readany()
                    if not chunk:
                        raise StreamError("the operator ended the stream")
                    if events := self._frames.feed(chunk):
                        return events
        except TimeoutError:
            raise StreamError(f"the stream was silent for {seconds:g} s") from None
        except StreamBrokenError as error:
            raise StreamError(f"the stream is broken: {error}") from None
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            raise StreamError(told(error)) from None

    async def open_ack_connection(self) -> None:
        """There is a connection for the next ack; no matter what is answered on it now.

        Raises:
            StreamError: There is none.
        """
        await self._send("HEAD", b"", {})

    async def post_ack(self, ack: Ack) -> None:
        """The operator has the ack.

        Raises:
            StreamError: It has not, or does not take it.
        """
        headers = {"content-type": "application/json"} | await self._client.authorization()
        status = await self._send("POST", encode_ack(ack), headers)
        if not 200 <= status < 300:
            raise StreamError(f"the operator refused an ack with status {status}")

    async def _send(self, method: str, body: bytes, headers: dict[str, str]) -> int:
        if self._session.closed:
            raise StreamError("the stream has ended")
        try:
            async with asyncio.timeout(_ACK_SECONDS):
                url = self._client.ack_url
                async with self._session.request(
                    method, url, data=body or None, headers=headers, allow_redirects=False
                ) as response:
                    await response.read()
                    return response.status
        except TimeoutError:
            raise StreamError(f"no answer to an ack within {_ACK_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError, RuntimeError) as error:  # the last says that the session was closed
            raise StreamError(told(error)) from None
