"""Answers of chat completions, whole or in chunks, as texts by lane.

A lane is one text that a client will assemble: a choice's content, its reasoning, the arguments of one tool call. The
chunks of a stream extend lanes; a whole answer is each lane in one piece; so both are judged by the same function.
"""

from typing import Any, Final

import jiter
import msgspec

from grokwarden.exchange.model import Field, Role, Slot
from grokwarden.vocabulary import Phase

Lane = tuple[int, str]
"""Choice and name of a lane, such as ``(0, "content")`` or ``(1, "tool_calls/0/function/arguments")``."""

_FIELDS: Final = {"content": Field.CONTENT, "reasoning_content": Field.REASONING, "refusal": Field.REFUSAL}
_TOP: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "obfuscation"}
)


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Some text of a lane, in the order in which it arrived."""

    lane: Lane
    slot: Slot
    text: str


class AnswerView(msgspec.Struct, frozen=True, gc=False):
    """What one JSON document of an answer says.

    Attributes:
        pieces: Every text in it.
        finished: The choices that it ends, with their ``finish_reason``.
        has_tool_calls: It carries (a part of) a tool call.
        error: It is the provider's error, not an answer.
    """

    pieces: tuple[Piece, ...]
    finished: tuple[tuple[int, str], ...]
    has_tool_calls: bool
    model: str | None
    usage: dict[str, Any] | None
    error: bool


class UnreadableAnswer(ValueError):
    """The provider's bytes are no answer that can be checked."""


def read_answer(data: bytes) -> AnswerView:
    """A whole answer or one chunk of a stream.

    Raises:
        UnreadableAnswer: No JSON object, duplicate keys, or fields of other types than the API's.
    """
    try:
        doc = jiter.from_json(data, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        raise UnreadableAnswer("not valid JSON") from error
    if type(doc) is not dict:
        raise UnreadableAnswer("not a JSON object")
    choices = doc.get("choices")
    if choices is None:
        choices = ()
    elif type(choices) is not list:
        raise UnreadableAnswer("`choices` is not a list")
    pieces: list[Piece] = []
    finished: list[tuple[int, str]] = []
    has_tool_calls = False
    for position, choice in enumerate(choices):
        if type(choice) is not dict:
            raise UnreadableAnswer("a choice is not an object")
        index = choice.get("index", position)
        if type(index) is not int:
            raise UnreadableAnswer("a choice's index is not a number")
        reason = choice.get("finish_reason")
        if type(reason) is str and reason:
            finished.append((index, reason))
        has_tool_calls = _read_choice(choice, index, pieces) or has_tool_calls
    if not _TOP.issuperset(doc):
        for key in doc.keys() - _TOP:
            if key != "error":
                _sweep(doc[key], (0, key), Field.CONTENT, pieces)
    model, usage = doc.get("model"), doc.get("usage")
    return AnswerView(
        tuple(pieces),
        tuple(finished),
        has_tool_calls,
        model if type(model) is str else None,
        usage if type(usage) is dict else None,
        bool(doc.get("error")),
    )


def _read_choice(choice: dict[str, Any], index: int, pieces: list[Piece]) -> bool:
    message = choice.get("delta")
    if message is None:
        message = choice.get("message")
    if message is None:
        message = {"content": choice["text"]} if "text" in choice else {}
    if type(message) is not dict:
        raise UnreadableAnswer("a choice's message is not an object")
    has_tool_calls = False
    for key, value in message.items():
        if value is None or (key == "role" and value == "assistant"):
            continue
        if key in {"tool_calls", "function_call"}:
            has_tool_calls = bool(value) or has_tool_calls
            _read_tool_calls(value, (index, key), pieces)
        else:
            _sweep(value, (index, key), _FIELDS.get(key, Field.CONTENT), pieces)
    if choice.get("logprobs"):
        _read_logprobs(choice["logprobs"], index, pieces)
    return has_tool_calls


def _read_tool_calls(calls: object, lane: Lane, pieces: list[Piece]) -> None:
    many = calls if type(calls) is list else [calls]
    for position, call in enumerate(many):
        number = call.get("index", position) if type(call) is dict else position
        _sweep(call, (lane[0], f"{lane[1]}/{number}"), Field.TOOL_ARGUMENTS, pieces)


def _read_logprobs(logprobs: object, index: int, pieces: list[Piece]) -> None:
    """The chosen tokens only repeat the text; the alternatives are texts of their own, but no answer."""
    if type(logprobs) is not dict:
        raise UnreadableAnswer("`logprobs` is not an object")
    for key in logprobs.keys() - {"content", "refusal"}:
        _sweep(logprobs[key], (index, f"logprobs/{key}"), Field.CONTENT, pieces)


def _sweep(value: object, lane: Lane, field: Field, pieces: list[Piece]) -> None:
    """Every string in ``value`` as a piece of the lane that its place names."""
    if type(value) is str:
        if value:
            phase = Phase.TOOL_ARGUMENTS if field is Field.TOOL_ARGUMENTS else Phase.RESPONSE
            pieces.append(Piece(lane, Slot(Role.ASSISTANT, field, phase, 0, lane[0]), value))
    elif type(value) is dict:
        for key, inner in value.items():
            _sweep(inner, (lane[0], f"{lane[1]}/{key}"), field, pieces)
    elif type(value) is list:
        for number, inner in enumerate(value):
            _sweep(inner, (lane[0], f"{lane[1]}/{number}"), field, pieces)
