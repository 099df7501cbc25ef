"""Which headers cross the sidecar. Two allow-lists, one for each direction; what is not listed stops here.

The client's own credentials (``authorization``, ``x-api-key``, ``cookie``) and its ``x-policy-*`` never leave; cookies
of the provider never come in. ``host`` and ``content-length`` are made by whoever writes the message, never copied.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from grokwarden_sidecar.configuration.keys import Key

RawHeaders = Iterable[tuple[bytes, bytes]]
"""As ASGI and the upstream client give them: names in any order, repeated ones included."""

_TO_PROVIDER: Final[Mapping[bytes, str]] = {
    name.encode(): name
    for name in (
        "accept",
        "content-type",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-client-request-id",
        "x-grok-conv-id",
        "xai-sdk-language",
        "xai-sdk-version",
    )
}
_DEFAULTS: Final[Mapping[str, str]] = {
    "accept": "*/*",
    "user-agent": "grokwarden",
    "accept-encoding": "identity",  # compressed text can't be scanned
}

_TO_CLIENT: Final = frozenset(
    {
        b"cache-control",
        b"content-type",
        b"openai-model",
        b"openai-processing-ms",
        b"openai-version",
        b"retry-after",
        b"retry-after-ms",
        b"traceparent",
        b"tracestate",
        b"x-data-retention",
        b"x-request-id",
        b"x-should-retry",
        b"x-zero-data-retention",
    }
)
_TO_CLIENT_PREFIXES: Final = (b"x-ratelimit-", b"x-metrics-")


def provider_headers(client: RawHeaders) -> dict[str, str]:
    """What of a client's headers goes to any provider, without a key; the first of repeated ones.

    Args:
        client: Names in lower case, as ASGI has them. A value that is not printable ASCII is dropped with its name.
    """
    headers = dict(_DEFAULTS)
    seen = set[str]()
    for raw_name, raw_value in client:
        name = _TO_PROVIDER.get(raw_name)
        if name is None or name in seen or not raw_value.isascii():
            continue
        value = raw_value.decode("ascii")
        if value.isprintable():
            headers[name] = value
            seen.add(name)
    return headers


def with_key(headers: Mapping[str, str], key: Key | None) -> dict[str, str]:
    """The same headers with the key of one target; without one where the target has none."""
    return {**headers, "authorization": key.authorization} if key else {**headers}


def client_headers(provider: RawHeaders) -> list[tuple[bytes, bytes]]:
    """What of a provider's headers the client gets, names in lower case, in their order."""
    return [
        (name, value)
        for raw_name, value in provider
        if (name := raw_name.lower()) in _TO_CLIENT or name.startswith(_TO_CLIENT_PREFIXES)
    ]


def header_of(headers: RawHeaders, wanted: bytes) -> bytes | None:
    """The first value of a header, whose name is given in lower case."""
    return next((value.strip() for name, value in headers if name.lower() == wanted), None)


def retry_after_seconds(provider: Iterable[tuple[bytes, bytes]]) -> float:
    """How long a provider asks to wait; 0 if it asks for nothing that can be understood.

    A date counts from the answer's own date, so that it is no matter whose clock is wrong.
    """
    headers = tuple(provider)
    try:
        if milliseconds := header_of(headers, b"retry-after-ms"):
            return _wait(float(milliseconds) / 1000)
        value = header_of(headers, b"retry-after") or b"0"
        if value[:1].isdigit():
            return _wait(float(value))
        later, now = (
            parsedate_to_datetime(text.decode("ascii")) for text in (value, header_of(headers, b"date") or b"")
        )
        return _wait((later - now).total_seconds())
    except (ValueError, TypeError):  # no number, no date, or dates with and without a zone
        return 0.0


def _date(value: bytes) -> datetime:
    return parsedate_to_datetime(value.decode("ascii"))


def _wait(seconds: float) -> float:
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
