"""Answers of chat completions, whole or in chunks, as texts by lane.

A lane is one text that a client will assemble: a choice's content, its reasoning, the arguments of one tool call. The
chunks of a stream extend lanes; a whole answer is each lane in one piece; so both are judged by the same function.
"""

import re
from typing import Any, Final

import jiter
import msgspec

from grokwarden.exchange.model import Field, Role, Slot
from grokwarden.vocabulary import Phase

Lane = tuple[int, str]
"""Choice and name of a lane, such as ``(0, "content")`` or ``(1, "tool_calls/0/function/arguments")``."""

_FIELDS: Final = {"content": Field.CONTENT, "reasoning_content": Field.REASONING, "refusal": Field.REFUSAL}
_MESSAGES: Final = ("delta", "message", "text")
_CHOICE: Final = frozenset({*_MESSAGES, "index", "finish_reason", "logprobs"})
_CALL: Final = frozenset({"id", "type", "index", "function", "name", "arguments"})
_READ: Final = frozenset({"choices", "error"})
_LABEL: Final = re.compile(r"[\w.:/+=-]{0,128}", re.ASCII)  # one word, which nobody judges
_LABELS: Final = frozenset({"id", "object", "model", "system_fingerprint", "service_tier", "obfuscation"})
_FINISH: Final = frozenset({"", "stop", "length", "tool_calls", "function_call", "content_filter", "end_turn"})


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Some text of a lane, in the order in which it arrived."""

    lane: Lane
    slot: Slot
    text: str


def aside_piece(text: str) -> Piece:
    """What an event of a stream says beside its data, as a text of its own."""
    return Piece((0, "#asides"), Slot(Role.ASSISTANT, Field.CONTENT, Phase.RESPONSE), text + " ")


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


class _Frame(msgspec.Struct):
    model: str | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_FRAME: Final = msgspec.json.Decoder(_Frame)


def read_frame(data: bytes) -> AnswerView:
    """Who answered, what was used, and whether it is an error; for answers in whose texts nobody looks for anything.

    Raises:
        UnreadableAnswer: No JSON object, or fields of other types than the API's.
    """
    try:
        frame = _FRAME.decode(data)
    except msgspec.DecodeError as error:
        raise UnreadableAnswer("not an answer") from error
    return AnswerView((), (), False, frame.model, frame.usage, bool(frame.error))


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
    reader = _Reader()
    for position, choice in enumerate(choices):
        if type(choice) is not dict:
            raise UnreadableAnswer("a choice is not an object")
        reader.choice(choice, position)
    for key, value in doc.items():
        if key in _READ or value is None or type(value) is int:
            continue
        if key == "usage":
            reader.tokens(value, (0, key))
        elif key not in _LABELS or type(value) is not str or _LABEL.fullmatch(value) is None:
            reader.sweep(value, (0, key), Field.CONTENT)
    model, usage = doc.get("model"), doc.get("usage")
    return AnswerView(
        tuple(reader.pieces),
        tuple(reader.finished),
        reader.has_tool_calls,
        model if type(model) is str else None,
        usage if type(usage) is dict else None,
        bool(doc.get("error")),
    )


class _Reader:
    """Collects the pieces of one document."""

    __slots__ = ("finished", "has_tool_calls", "pieces")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.finished: list[tuple[int, str]] = []
        self.has_tool_calls = False

    def choice(self, choice: dict[str, Any], position: int) -> None:
        index = choice.get("index", position)
        if type(index) is not int:
            raise UnreadableAnswer("a choice's index is not a whole number")
        for key in _MESSAGES:
            message = choice.get(key)
            if type(message) is dict:
                self._message(message, index)
            elif message is not None:
                self.sweep(message, (index, "content"), Field.CONTENT)
        reason = choice.get("finish_reason")
        if type(reason) is str and reason:
            self.finished.append((index, reason))
        if reason is not None and (type(reason) is not str or reason not in _FINISH):
            self.sweep(reason, (index, "finish_reason"), Field.CONTENT)
        if choice.get("logprobs"):
            self.tokens(choice["logprobs"], (index, "logprobs"))
        if not _CHOICE.issuperset(choice):
            for key in choice.keys() - _CHOICE:
                self.sweep({key: choice[key]}, (index, "choice"), Field.CONTENT)

    def _message(self, message: dict[str, Any], index: int) -> None:
        for key, value in message.items():
            if value is None or (key == "role" and value == "assistant"):
                continue
            if key in {"tool_calls", "function_call"}:
                self.has_tool_calls = bool(value) or self.has_tool_calls
                self._tool_calls(value, (index, key))
            elif key in _FIELDS:
                self._text(value, (index, key), _FIELDS[key])
            else:
                self.sweep({key: value}, (index, "message"), Field.CONTENT)

    def _text(self, value: object, lane: Lane, field: Field) -> None:
        """A text, or a list of parts whose texts are one."""
        parts = value if type(value) is list else [value]
        for part in parts:
            if type(part) is dict and type(part.get("text")) is str:
                self.sweep(part["text"], lane, field)
                self.sweep({k: v for k, v in part.items() if k not in {"text", "type"}}, (lane[0], "part"), field)
            else:
                self.sweep(part, lane, field)

    def _tool_calls(self, calls: object, lane: Lane) -> None:
        many = calls if type(calls) is list else [calls]
        for position, call in enumerate(many):
            number = call.get("index", position) if type(call) is dict else position
            if type(number) is not int:
                raise UnreadableAnswer("a tool call's index is not a whole number")
            self.sweep(call, (lane[0], f"{lane[1]}/{number}"), Field.TOOL_ARGUMENTS)

    def tokens(self, value: object, lane: Lane) -> None:
        """Every string, one after the other, as one text for each field: tokens spell texts of their own."""
        if type(value) is str:
            self.sweep(value, lane, Field.CONTENT)
        elif type(value) is dict:
            for key, inner in value.items():
                self.tokens(inner, (lane[0], f"{lane[1]}/{key}"))
        elif type(value) is list:
            for inner in value:
                self.tokens(inner, lane)

    def sweep(self, value: object, lane: Lane, field: Field) -> None:
        """Every string in ``value`` as a piece of the lane that its place names, keys of objects too."""
        if type(value) is str:
            if value:
                phase = Phase.TOOL_ARGUMENTS if field is Field.TOOL_ARGUMENTS else Phase.RESPONSE
                self.pieces.append(Piece(lane, Slot(Role.ASSISTANT, field, phase, 0, lane[0]), value))
        elif type(value) is dict:
            for key, inner in value.items():
                if key not in _CALL:
                    self.sweep(key, (lane[0], f"{lane[1]}/#keys"), field)
                self.sweep(inner, (lane[0], f"{lane[1]}/{key}"), field)
        elif type(value) is list:
            for number, inner in enumerate(value):
                self.sweep(inner, (lane[0], f"{lane[1]}/{number}"), field)
