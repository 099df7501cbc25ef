"""Reading a chat request as the provider does: unknown fields pass, missing and mistyped ones are a 422."""

from typing import Any

import msgspec

from grokwarden.catalog import Catalog, Model, ModelKind
from grokwarden_sidecar.simulate.errors import (
    live_search_is_gone,
    not_a_request,
    not_json,
    unknown_model,
)

JsonSchema = dict[str, Any]


class _Part(msgspec.Struct, frozen=True):
    type: str
    text: str = ""


class Message(msgspec.Struct, frozen=True):
    """``content`` may be missing, as with an assistant message that holds tool calls."""

    role: str
    content: str | tuple[_Part, ...] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """Its text, parts joined by a line break."""
        if isinstance(self.content, tuple):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class Function(msgspec.Struct, frozen=True):
    """A function that the application offers as a tool."""

    name: str
    parameters: JsonSchema | None = None


class _Tool(msgspec.Struct, frozen=True):
    type: str
    function: Function | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class NamedChoice(msgspec.Struct, frozen=True):
    """The value of ``tool_choice`` that demands one function."""

    function: _Named


class _Schema(msgspec.Struct, frozen=True):
    schema: JsonSchema | None = None


class _ResponseFormat(msgspec.Struct, frozen=True):
    type: str
    json_schema: _Schema | None = None


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """The fields of a chat request that change the answer."""

    model: str
    messages: tuple[Message, ...]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    tools: tuple[_Tool, ...] | None = None
    tool_choice: str | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    search_parameters: dict[str, Any] | None = None

    @property
    def functions(self) -> tuple[Function, ...]:
        return tuple(tool.function for tool in self.tools or () if tool.function)

    @property
    def last_user_text(self) -> str:
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def includes_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def token_limit(self) -> int | None:
        """Bounds the answer's text alone, neither reasoning nor tool calls."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


def read_chat_request(body: bytes) -> ChatRequest:
    """The request in ``body``.

    Raises:
        ApiError: 400 for what is no JSON; 422 for a missing, mistyped or empty field; 410 for live search.
    """
    try:
        request = msgspec.json.decode(body, type=ChatRequest)
    except msgspec.ValidationError as error:
        raise not_a_request(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(str(error)) from error
    if not request.messages:
        raise not_a_request("messages: expected at least one message")
    if request.n is not None and not 1 <= request.n <= 128:
        raise not_a_request("n: expected a number from 1 to 128")
    if request.search_parameters is not None:
        raise live_search_is_gone()
    return request


def served_model(catalog: Catalog, name: str) -> Model:
    """The model that answers for a name, retired names and aliases included.

    Raises:
        ApiError: 404; the name is unknown, or is not one of a text model.
    """
    resolution = catalog.resolve(name)
    if resolution is None or resolution.model is None or resolution.model.kind is not ModelKind.TEXT:
        raise unknown_model(name)
    return resolution.model
