"""How a request to the config stream is refused: JSON with a word for programs and a sentence for people.

The one place where what went wrong becomes a status code. Nothing that a request held is in an answer.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from grokwarden.config_stream import MalformedMessageError
from grokwarden.errors import GrokwardenError
from grokwarden_operator.cluster.errors import ClusterError
from grokwarden_operator.stream.acks import AckProblem, AckRefused
from grokwarden_operator.stream.hub import TooManyStreams
from grokwarden_operator.stream.identity import TokenRefused, TooManyReviews

RETRY_AFTER_SECONDS: Final = 5

RawHeaders = tuple[tuple[bytes, bytes], ...]


class RequestRefused(GrokwardenError):
    """A request that can't be served as it is."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)


_PLAIN: Final[dict[type[Exception], tuple[HTTPStatus, str]]] = {
    TokenRefused: (HTTPStatus.UNAUTHORIZED, "invalid_token"),
    TooManyReviews: (HTTPStatus.SERVICE_UNAVAILABLE, "too_many_reviews"),
    TooManyStreams: (HTTPStatus.SERVICE_UNAVAILABLE, "too_many_streams"),
}
_HEADERS: Final[dict[HTTPStatus, RawHeaders]] = {
    HTTPStatus.UNAUTHORIZED: ((b"www-authenticate", b"Bearer"),),
    HTTPStatus.SERVICE_UNAVAILABLE: ((b"retry-after", str(RETRY_AFTER_SECONDS).encode()),),
}
REFUSED: Final[tuple[type[Exception], ...]] = (
    AckRefused,
    ClusterError,
    MalformedMessageError,
    RequestRefused,
    *_PLAIN,
)
"""Whatever ``refusal_of`` has an answer for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in one piece."""

    status: int
    reason: str
    headers: RawHeaders
    body: bytes


def refusal(status: HTTPStatus, reason: str, message: str, *headers: tuple[bytes, bytes]) -> Refusal:
    """An answer that says what is wrong."""
    body = msgspec.json.encode({"reason": reason, "message": message})
    fixed = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    return Refusal(status.value, reason, (*headers, *_HEADERS.get(status, ()), *fixed), body)


def refusal_of(error: Exception) -> Refusal:
    """The answer to a request that ended in one of ``REFUSED``."""
    if isinstance(error, RequestRefused):
        return refusal(error.status, error.reason, str(error))
    if isinstance(error, AckRefused):
        is_wrong = error.problem is AckProblem.OTHER_PACKS
        return refusal(HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.CONFLICT, error.problem, str(error))
    if isinstance(error, MalformedMessageError):
        return refusal(HTTPStatus.BAD_REQUEST, "malformed_ack", f"{error}; nothing was changed")
    if isinstance(error, ClusterError):  # its text is for the operator's log
        message = "the API server gave no answer on this token or pod; ask again later"
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "cluster_unavailable", message)
    status, reason = _PLAIN[type(error)]
    return refusal(status, reason, str(error))
