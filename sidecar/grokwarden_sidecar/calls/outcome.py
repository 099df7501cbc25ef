"""What came of one call to one target, in the words of metrics, retries and circuits."""

from enum import StrEnum
from typing import Final

import msgspec

from grokwarden_sidecar.calls.upstream import ConnectFailed, UpstreamError, UpstreamTimeout


class Outcome(StrEnum):
    """How an attempt ended. The values are the label ``outcome`` of ``upstream_requests_total``."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECT_ERROR = "connect_error"
    BAD_REPLY = "bad_reply"
    PROVIDER_SAFETY = "provider_safety"
    CREDENTIALS_REJECTED = "credentials_rejected"
    CLIENT_ERROR = "client_error"
    CANCELLED = "cancelled"

    @property
    def is_failure(self) -> bool:
        """Whether it speaks against the target's health. A limit, a verdict or a mistake of ours does not."""
        return self in _FAILURES


_FAILURES: Final = frozenset({Outcome.SERVER_ERROR, Outcome.TIMEOUT, Outcome.CONNECT_ERROR, Outcome.BAD_REPLY})
_SAFETY_MARKS: Final = ("Content violates usage guidelines", "Failed check: SAFETY_CHECK")
_KEY_MARK: Final = "Incorrect API key"


def outcome_of_reply(status: int, body: bytes) -> Outcome:
    """What an answer means.

    Args:
        status: 200 or more.
        body: The whole body of an error; not looked at for a success.

    Source: xAI answers a wrong key with 400, and its own verdict on content with a 403 that only its text tells from a
    missing permission.
    """
    if status < 300:
        return Outcome.OK
    if status < 400:
        return Outcome.BAD_REPLY  # an API that redirects is a wrong base URL; following it would send the key along
    if status >= 500:
        return Outcome.SERVER_ERROR
    return Outcome.RATE_LIMITED if status == 429 else _refusal(status, body)


def outcome_of_error(error: UpstreamError) -> Outcome:
    """What it means that there is no answer, or only a part of one."""
    match error:
        case ConnectFailed():
            return Outcome.CONNECT_ERROR
        case UpstreamTimeout():
            return Outcome.TIMEOUT
        case _:
            return Outcome.BAD_REPLY


def _refusal(status: int, body: bytes) -> Outcome:
    """What a 4xx means, which xAI's status alone does not say."""
    if status == 401 or (status == 400 and _KEY_MARK in _error_text(body)):
        return Outcome.CREDENTIALS_REJECTED
    if status == 403 and any(mark in _error_text(body) for mark in _SAFETY_MARKS):
        return Outcome.PROVIDER_SAFETY
    return Outcome.CLIENT_ERROR


class _ErrorObject(msgspec.Struct):
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: str | _ErrorObject = ""


def _error_text(body: bytes) -> str:
    """The message of an error in xAI's form (``error`` is a text) or OpenAI's (an object); empty for anything else."""
    try:
        error = msgspec.json.decode(body, type=_ErrorBody).error
    except msgspec.DecodeError:
        return ""
    return error if isinstance(error, str) else error.message
