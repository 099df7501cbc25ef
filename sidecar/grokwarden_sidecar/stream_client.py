"""The wire to the operator: TLS to its own authority, the pod's token, one stream and one connection for acks.

The CA file is read at each connect, the token also at each ack: both are replaced under a running process. Nobody is
trusted but the authority in the file, no redirect is followed, and no proxy of the environment is used: the token goes
to the operator and to nobody else.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

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
from grokwarden.errors import GrokwardenError
from grokwarden_sidecar.stream_frames import FrameReader, StreamBrokenError

SILENCE_SECONDS: Final = 3 * PING_SECONDS
_CONNECT_SECONDS: Final = 10.0
_HEAD_SECONDS: Final = 20.0
_ACK_SECONDS: Final = 10.0
_KEEPALIVE_SECONDS: Final = 24 * 3600.0  # the ack connection stays as long as the operator leaves it open
_READ_BUFFER_BYTES: Final = 256 * 1024
_MAX_FILE_BYTES: Final = 1024 * 1024
_MAX_REFUSAL_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 300
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=None)

Event = tuple[StreamEvent, str, bytes]


class StreamError(GrokwardenError):
    """There is no stream, or no more of it. The text holds neither token nor key.

    Attributes:
        retry_after_seconds: What the operator asks for, as it says it.
    """

    def __init__(self, what: str, *, retry_after_seconds: float = 0.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what)


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
        trust = await asyncio.to_thread(_trust_in, self._operator.ca_file)
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
                    raise await _refusal(response, authorization)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StreamError(_told(error)) from None  # its text could quote what was sent
        return response

    async def authorization(self) -> dict[str, str]:
        """The header that says who asks, with the token as the file has it now.

        Raises:
            StreamError: There is no token.
        """
        token = await asyncio.to_thread(_token_in, self._operator.token_file)
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
            raise StreamError(_told(error)) from None

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
            raise StreamError(_told(error)) from None


def _trust_in(path: Path) -> ssl.SSLContext:
    """Trusts the authorities in this file alone."""
    text = _text_in(path, "CA file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise StreamError(f"CA file {path}: holds no PEM certificate that can be read") from None
    return context


def _token_in(path: Path) -> str:
    token = _text_in(path, "token file").strip()
    if not token or not all("!" <= character <= "~" for character in token):
        raise StreamError(f"token file {path}: holds no token")
    return token


def _text_in(path: Path, what: str) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise StreamError(f"{what} {path}: can't be read ({error.strerror})") from None
    except ValueError:
        raise StreamError(f"{what} {path}: is no text") from None


class _Said(msgspec.Struct):
    reason: str = ""
    message: str = ""


async def _refusal(response: aiohttp.ClientResponse, authorization: dict[str, str]) -> StreamError:
    """Why the operator refuses, in its own words as far as a log may have them."""
    try:
        said = msgspec.json.decode(await response.content.read(_MAX_REFUSAL_BYTES), type=_Said)
    except msgspec.DecodeError:
        said = _Said()
    text = "".join(character if " " <= character <= "~" else " " for character in f"{said.reason}: {said.message}")
    if not said.reason or authorization["authorization"].removeprefix("Bearer ") in text:
        text = "it does not say why"
    retry_after = response.headers.get("retry-after", "")
    response.close()
    return StreamError(
        f"the operator refused the stream with status {response.status} ({text[:_SHOWN_CHARACTERS]})",
        retry_after_seconds=float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0,
    )


def _told(error: Exception) -> str:
    """What went wrong, without a text that could quote what was sent or received."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            return f"the certificate of {error.host}:{error.port} was refused ({reason})"
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or type(error.os_error).__name__
            return f"no connection to {error.host}:{error.port} ({reason})"
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientResponseError():
            return "what came is no HTTP answer"
        case _:
            return f"the connection ended ({type(error).__name__})"
