"""The provider's error shapes: its native one, and the OpenAI one that some gateways in front of it use."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class ErrorStyle(StrEnum):
    """Which JSON shape an error has."""

    NATIVE = "native"
    OPENAI = "openai"


# The slugs 400, 403 and the prose of 404 are known from recordings; the others are the usual gRPC names, assumed.
_NATIVE_CODES: Final = {
    400: "invalid-argument",
    401: "unauthenticated",
    403: "permission-denied",
    404: "Some requested entity was not found",
    405: "unimplemented",
    408: "deadline-exceeded",
    409: "aborted",
    422: "invalid-argument",
    429: "resource-exhausted",
    500: "internal",
    503: "unavailable",
    504: "deadline-exceeded",
}
_OPENAI_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_MESSAGES: Final = {
    429: "Too many requests, or the team has used its available credits.",
    500: "The service had an internal error.",
    503: "The service is currently unable to handle the request.",
}


@dataclass(kw_only=True, eq=False)  # not frozen: Python itself sets an exception's traceback
class ApiError(Exception):
    """A request that the provider answers with an error.

    Attributes:
        code: The native ``code``; empty for the one that belongs to the status, ``None`` for a body without one.
        headers: Sent besides the usual ones.
        has_request_id: The real API sends no ``x-request-id`` with a wrong key.
    """

    status: int
    message: str = ""
    code: str | None = ""
    style: ErrorStyle = ErrorStyle.NATIVE
    headers: dict[str, str] = field(default_factory=dict)
    has_request_id: bool = True

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"

    @property
    def body(self) -> dict[str, object]:
        """The JSON document to send."""
        message = self.message or _MESSAGES.get(self.status, f"Simulated error with status {self.status}.")
        if self.style is ErrorStyle.OPENAI:
            kind = _OPENAI_TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
            return {"error": {"message": message, "type": kind, "param": None, "code": self.code or None}}
        if self.code is None:
            return {"error": message}
        return {"code": self.code or _NATIVE_CODES.get(self.status, "unknown"), "error": message}


def wrong_key() -> ApiError:
    """The one error that comes without a request id."""
    return ApiError(
        status=400,
        message="Incorrect API key provided. You can obtain an API key from https://console.x.ai.",
        has_request_id=False,
    )


def unknown_route(path: str) -> ApiError:
    """No such path, or another method than it takes."""
    return ApiError(status=404, message=f"The requested resource {path} was not found.")


def unknown_model(name: str) -> ApiError:
    """A name that is neither served, nor an alias, nor retired with a replacement."""
    return ApiError(status=404, message=f"The model {name} does not exist or your team does not have access to it.")


def not_json(reason: str) -> ApiError:
    """The body can't be parsed."""
    return ApiError(status=400, message=f"Failed to parse the request body as JSON: {reason}")


def not_a_request(reason: str) -> ApiError:
    """A field is missing, mistyped or out of bounds."""
    return ApiError(status=422, message=f"Failed to deserialize the JSON body into the target type: {reason}")


def live_search_is_gone() -> ApiError:
    """``search_parameters`` was withdrawn; its body has no ``code``."""
    return ApiError(
        status=410, code=None, message="Live search is deprecated. Please switch to the server-side search tools."
    )


def safety_block(check: str) -> ApiError:
    """The provider's own content filter: its code is that of a missing permission, only the text differs."""
    return ApiError(
        status=403,
        message=f"Content violates usage guidelines. This request was refused. Failed check: {check}",
    )
