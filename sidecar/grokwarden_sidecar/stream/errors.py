"""Why there is no stream: in words for a log, which hold neither what was sent nor what was received."""

from typing import Final

import aiohttp
import msgspec

from grokwarden.errors import GrokwardenError

_MAX_REFUSAL_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 300


class StreamError(GrokwardenError):
    """There is no stream, or no more of it. The text holds neither token nor key.

    Attributes:
        retry_after_seconds: What the operator asks for, as it says it.
    """

    def __init__(self, what: str, *, retry_after_seconds: float = 0.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what)


class _Said(msgspec.Struct):
    reason: str = ""
    message: str = ""


async def refusal_of(response: aiohttp.ClientResponse, authorization: dict[str, str]) -> StreamError:
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


def told(error: Exception) -> str:
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
