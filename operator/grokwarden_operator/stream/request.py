"""What a request says beside who is asking: which process it is, what that has, and what it can read."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from grokwarden.config_stream import INSTANCE_HEADER, MAX_ACK_BYTES, PARTS_HEADER, read_parts_header
from grokwarden_operator.stream.frames import Encoding
from grokwarden_operator.stream.refusals import RequestRefused

_INSTANCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNACCEPTABLE: Final = re.compile(r"q=0(\.0*)?")

Headers = Iterable[tuple[bytes, bytes]]


class ClientLeft(Exception):
    """The client hung up before its request was complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """How a stream is asked for."""

    instance: str
    held: frozenset[str]
    encoding: Encoding


def header(headers: Headers, name: str) -> str:
    """The header's values, joined as one; empty if there is none."""
    wanted = name.encode()
    return ",".join(value.decode("latin-1") for key, value in headers if key == wanted)


def read_stream_request(headers: Headers) -> StreamRequest:
    """How a stream is asked for.

    Raises:
        RequestRefused: It does not say which process it is for.
    """
    headers = tuple(headers)
    return StreamRequest(
        instance=read_instance(headers),
        held=read_parts_header(header(headers, PARTS_HEADER)),
        encoding=Encoding.ZSTD if _accepts_zstd(header(headers, "accept-encoding")) else Encoding.PLAIN,
    )


def read_instance(headers: Headers) -> str:
    """The process that is asking.

    Raises:
        RequestRefused: It does not say, or in more than one word.
    """
    instance = header(headers, INSTANCE_HEADER)
    if not _INSTANCE.fullmatch(instance):
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST,
            "no_instance",
            f"header {INSTANCE_HEADER}: expected one random word of at most 64 letters, digits, '.', '_' and '-', "
            "another one for each process",
        )
    return instance


async def read_body(headers: Headers, receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    """The whole body.

    Raises:
        RequestRefused: It is longer than an answer may be; the rest was not kept.
        ClientLeft: It did not come.
    """
    length = header(headers, "content-length")
    if length.isascii() and length.isdigit() and int(length) > MAX_ACK_BYTES:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_ACK_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return b"".join(pieces)
    raise ClientLeft


def _too_large() -> RequestRefused:
    return RequestRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"the body has more than {MAX_ACK_BYTES} bytes"
    )


def _accepts_zstd(accept_encoding: str) -> bool:
    for offer in accept_encoding.split(","):
        coding, *parameters = (word.strip().lower() for word in offer.split(";"))
        if coding == Encoding.ZSTD:
            return not any(_UNACCEPTABLE.fullmatch(parameter.replace(" ", "")) for parameter in parameters)
    return False
