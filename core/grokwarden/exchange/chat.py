"""Chat completions: a request's body as an ``Exchange``.

Every string of the body that the provider may show to a model becomes a segment; what can't be read becomes ``Opaque``.
A field that is not known here is not skipped: its strings count as the user's text.
"""

from typing import Any, Final

from grokwarden.exchange.body import MalformedCall, decode_strict
from grokwarden.exchange.model import Exchange, Field, Opaque, Path, Role, Segment, Slot
from grokwarden.vocabulary import Endpoint, Phase

MAX_CHOICES: Final = 128
MAX_MODEL_CHARACTERS: Final = 256  # records and warnings name it

_ROLES: Final = {role.value: role for role in Role if role is not Role.DEFINITION}
_READ_ELSEWHERE: Final = frozenset(
    {"model", "messages", "tools", "functions", "response_format", "stream", "n", "deferred"}
)
_NUMBERS: Final = frozenset(
    {
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty"),
        *("seed", "logprobs", "top_logprobs", "parallel_tool_calls", "store"),
    }
)
_NUMBER_TYPES: Final = (int, float, bool)
_OPAQUE_SETTINGS: Final = {
    "search_parameters": "server_side_tool",
    "web_search_options": "server_side_tool",
    "previous_response_id": "opaque_history",
    "audio": "audio",
}
_OPAQUE_PARTS: Final = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "file",
    "input_file": "file",
    "text_file": "file",
    "video_url": "video",
}
_PAYLOADS: Final = frozenset(_OPAQUE_PARTS)
_TEXT_PARTS: Final = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_PLAIN_MESSAGE: Final = frozenset({"role", "content"})
_MESSAGE_KEYS: Final = frozenset(
    {"role", "content", "name", "tool_calls", "function_call", "tool_call_id", "reasoning_content", "refusal"}
)
_TEXT_KEYS: Final = (
    ("reasoning_content", Field.REASONING),
    ("refusal", Field.REFUSAL),
    ("name", Field.TOOL_NAME),
    ("tool_call_id", Field.TOOL_NAME),
)
_OPAQUE_MESSAGE_KEYS: Final = {
    "audio": "audio",
    "encrypted_content": "opaque_history",
    "reasoning_details": "opaque_history",
}


def parse_chat(body: bytes) -> Exchange:
    """The call in ``body``, a chat-completions request.

    Raises:
        MalformedCall: It can't be read strictly, or its fields are not of the types that the API gives them.
    """
    doc = decode_strict(body)
    reader = _Reader()
    model = doc.get("model")
    if model is not None and (type(model) is not str or not 1 <= len(model) <= MAX_MODEL_CHARACTERS):
        raise MalformedCall(f"`model` must be a string of 1 to {MAX_MODEL_CHARACTERS} characters.", param="model")
    stream = doc.get("stream")
    if stream is not None and type(stream) is not bool:
        raise MalformedCall("`stream` must be true or false.", param="stream")
    n = doc.get("n")
    if n is None:
        n = 1
    elif type(n) is not int or not 1 <= n <= MAX_CHOICES:
        raise MalformedCall(f"`n` must be an integer from 1 to {MAX_CHOICES}.", param="n")
    if doc.get("deferred"):
        raise MalformedCall(
            "`deferred` is not supported: its answer would be fetched without being checked.", param="deferred"
        )
    reader.messages(doc.get("messages"))
    reader.definitions(doc)
    reader.settings(doc)
    return Exchange(
        endpoint=Endpoint.CHAT_COMPLETIONS,
        body=body,
        doc=doc,
        model=model,
        stream=bool(stream),
        n=n,
        segments=tuple(reader.segments),
        opaque=tuple(reader.opaque),
    )


class _Reader:
    """Collects the segments of one request, in the order of the body."""

    __slots__ = ("opaque", "segments")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.opaque: list[Opaque] = []

    def messages(self, messages: object) -> None:
        if type(messages) is not list or not messages:
            raise MalformedCall("`messages` must be a non-empty list.", param="messages")
        for index, message in enumerate(messages):
            if type(message) is not dict:
                raise MalformedCall(f"`messages[{index}]` must be an object.", param=f"messages[{index}]")
            self._message(index, message)

    def _message(self, index: int, message: dict[str, Any]) -> None:
        name = message.get("role")
        role = _ROLES.get(name) if type(name) is str else None
        if role is None:
            known = ", ".join(_ROLES)
            raise MalformedCall(f"`messages[{index}].role` must be one of {known}.", param=f"messages[{index}].role")
        is_result = role is Role.TOOL or role is Role.FUNCTION
        field = Field.TOOL_RESULT if is_result else Field.CONTENT
        phase = Phase.TOOL_RESULT if is_result else Phase.REQUEST
        path: Path = ("messages", index)
        content = message.get("content")
        if type(content) is str:
            self.segments.append(Segment(Slot(role, field, phase, index), content, (*path, "content")))
        elif type(content) is list:
            self._parts(index, content, role, field, phase)
        elif content is not None:
            name = f"messages[{index}].content"
            raise MalformedCall(f"`{name}` must be a string or a list of parts.", param=name)
        if not _PLAIN_MESSAGE.issuperset(message):
            self._rest_of_message(index, message, role, phase)

    def _rest_of_message(self, index: int, message: dict[str, Any], role: Role, phase: Phase) -> None:
        path: Path = ("messages", index)
        for key, field in _TEXT_KEYS:
            if message.get(key) is not None:
                self.sweep(message[key], Slot(role, field, phase, index), (*path, key))
        for key in ("tool_calls", "function_call"):
            if message.get(key) is not None:
                self._tool_calls(index, message[key], (*path, key), role)
        slot = Slot(role, Field.CONTENT, phase, index)
        for key in message.keys() - _MESSAGE_KEYS:
            if (reason := _OPAQUE_MESSAGE_KEYS.get(key)) is None:
                self.segments.append(Segment(slot, key, path, fixed=True))
                self.sweep(message[key], slot, (*path, key))
            elif message[key] is not None:
                self.opaque.append(Opaque((*path, key), reason))

    def _parts(self, index: int, parts: list[Any], role: Role, field: Field, phase: Phase) -> None:
        """First the texts, which a provider joins, then what stands beside them."""
        for number, part in enumerate(parts):
            slot = Slot(role, field, phase, index, part=number)
            path: Path = ("messages", index, "content", number)
            if type(part) is str:
                self.segments.append(Segment(slot, part, path))
                continue
            kind = part.get("type") if type(part) is dict else None
            if type(kind) is not str:
                name = f"messages[{index}].content[{number}]"
                raise MalformedCall(f"`{name}` must be an object with a `type`.", param=name)
            text_key = _TEXT_PARTS.get(kind)
            if text_key is None:
                self.opaque.append(Opaque(path, _OPAQUE_PARTS.get(kind, "unknown_part")))
            elif type(part.get(text_key)) is str:
                self.segments.append(Segment(slot, part[text_key], (*path, text_key)))
            else:
                name = f"messages[{index}].content[{number}].{text_key}"
                raise MalformedCall(f"`{name}` must be a string.", param=name)
        for number, part in enumerate(parts):
            if type(part) is dict and (len(part) > 2 or part["type"] not in _TEXT_PARTS):
                self._beside(part, Slot(role, field, phase, index), ("messages", index, "content", number))

    def _beside(self, part: dict[str, Any], slot: Slot, path: Path) -> None:
        """What a part says beside its text; of a picture, a sound or a file, all but the thing itself."""
        kind = part["type"]
        for key, value in part.items():
            if key in {"type", _TEXT_PARTS.get(kind)} or (kind in _OPAQUE_PARTS and key in _PAYLOADS):
                continue
            self.segments.append(Segment(slot, key, path, fixed=True))
            self.sweep(value, slot, (*path, key))

    def _tool_calls(self, index: int, calls: object, path: Path, role: Role) -> None:
        many = calls if type(calls) is list else [calls]
        for number, call in enumerate(many):
            place = (*path, number) if type(calls) is list else path
            self.sweep(call, Slot(role, Field.TOOL_ARGUMENTS, Phase.TOOL_ARGUMENTS, index), place)

    def definitions(self, doc: dict[str, Any]) -> None:
        """What the application tells the model about tools and the answer's form."""
        slot = Slot(Role.DEFINITION, Field.INSTRUCTIONS, Phase.REQUEST)
        tools = doc.get("tools")
        if tools is not None:
            if type(tools) is not list:
                raise MalformedCall("`tools` must be a list.", param="tools")
            for number, tool in enumerate(tools):
                if type(tool) is not dict or type(tool.get("type")) is not str:
                    raise MalformedCall(f"`tools[{number}]` must be an object with a `type`.", param=f"tools[{number}]")
                self.sweep(tool, slot, ("tools", number))
                if tool["type"] != "function":
                    self.opaque.append(Opaque(("tools", number), "server_side_tool"))
        for key in ("functions", "response_format"):
            if doc.get(key) is not None:
                self.sweep(doc[key], slot, (key,))

    def settings(self, doc: dict[str, Any]) -> None:
        """Everything else at the top: what it says counts as the user's text, unless it is a number."""
        slot = Slot(Role.USER, Field.CONTENT, Phase.REQUEST)
        for key, value in doc.items():
            if key in _READ_ELSEWHERE or value is None or (key in _NUMBERS and isinstance(value, _NUMBER_TYPES)):
                continue
            if (reason := _OPAQUE_SETTINGS.get(key)) is not None:
                self.opaque.append(Opaque((key,), reason))
            self.segments.append(Segment(slot, key, (), fixed=True))
            self.sweep(value, slot, (key,))

    def sweep(self, value: object, slot: Slot, path: Path) -> None:
        """Every string in ``value``, keys of objects too."""
        if type(value) is str:
            self.segments.append(Segment(slot, value, path))
        elif type(value) is dict:
            for key, inner in value.items():
                self.segments.append(Segment(slot, key, path, fixed=True))
                self.sweep(inner, slot, (*path, key))
        elif type(value) is list:
            for number, inner in enumerate(value):
                self.sweep(inner, slot, (*path, number))
