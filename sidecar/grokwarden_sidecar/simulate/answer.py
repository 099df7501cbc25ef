"""What the simulated model says: a function of the request and the script alone, so that a test can rely on it.

The rules are documented in ``docs/simulator.md``; change them together.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final

from grokwarden.catalog import Model
from grokwarden_sidecar.simulate.request import ChatRequest, Function, Message, NamedChoice
from grokwarden_sidecar.simulate.sample import sample_of
from grokwarden_sidecar.simulate.script import Script

_QUOTE_CHARS: Final = 400
_WORD: Final = re.compile(r"\s*\S+|\s+$")
_NAME_PART: Final = re.compile(r"[A-Za-z][a-z]*")
_SHORTEST_NAME_PART: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool; ``arguments`` is the text that is sent, JSON unless a script broke it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer: reasoning, then either a text, a refusal or tool calls."""

    reasoning: str = ""
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Tokens as chat completions count them: ``completion`` excludes ``reasoning``; a token is a word."""

    prompt: int
    cached: int
    completion: int
    reasoning: int
    cost_ticks: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion + self.reasoning


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that an answer says, before it takes the shape of a body or a stream."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    tally: Tally


def words_of(text: str) -> list[str]:
    """The text in tokens: each is a word with the white space before it. Joined, they are the text again."""
    return _WORD.findall(text)


def compose(
    request: ChatRequest, script: Script, *, model: Model, billed: Model, user_text: str, fingerprint: bytes
) -> Answer:
    """The answer to a request.

    Args:
        request: What was asked.
        script: What a test or a person wants to be different.
        model: The model that answers.
        billed: The model whose prices apply.
        user_text: The last user message without its directive.
        fingerprint: A digest of the request; ids are made from it.
    """
    count = request.n or 1
    choices = tuple(
        _choice(request, script, model=model, user_text=user_text, index=index, fingerprint=fingerprint)
        for index in range(count)
    )
    return Answer(
        id=_uuid(fingerprint),
        model=script.model or model.id,
        choices=choices,
        tally=_tally(request, script, choices, billed),
    )


def _choice(
    request: ChatRequest, script: Script, *, model: Model, user_text: str, index: int, fingerprint: bytes
) -> Choice:
    reasoning = script.reasoning
    if reasoning is None:
        reasoning = _default_reasoning(user_text) if model.reasons else ""
    if script.refusal is not None:
        return Choice(reasoning=reasoning, refusal=script.refusal, finish_reason=script.finish_reason or "stop")
    if calls := _tool_calls(request, script, user_text, index, fingerprint):
        finish_reason = script.finish_reason or "tool_calls"
        return Choice(reasoning=reasoning, tool_calls=calls, finish_reason=finish_reason)
    content = _text(request, user_text, index) if script.content is None else script.content
    words = words_of(content)
    finish_reason = "stop"
    if request.token_limit is not None and len(words) > request.token_limit:
        content, finish_reason = "".join(words[: request.token_limit]), "length"
    return Choice(reasoning=reasoning, content=content, finish_reason=script.finish_reason or finish_reason)


def _default_reasoning(user_text: str) -> str:
    return f"The user wrote {len(words_of(user_text))} words. I will answer as I always do."


def _text(request: ChatRequest, user_text: str, index: int) -> str:
    format_type = request.response_format.type if request.response_format else "text"
    if format_type == "json_schema" and request.response_format and request.response_format.json_schema:
        return json.dumps(sample_of(request.response_format.json_schema.schema or {}, text=user_text))
    if format_type == "json_object":
        return json.dumps({"answer": _quoted(user_text)})
    last = request.messages[-1]
    if last.role in {"tool", "function"}:
        text = f"The tool answered: {_quoted(last.text)}"
    else:
        text = f"Hello from the simulated Grok. You wrote: {_quoted(user_text)}"
    return text if index == 0 else f"{text} (choice {index + 1})"


def _quoted(text: str) -> str:
    return text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS] + "…"


def _tool_calls(
    request: ChatRequest, script: Script, user_text: str, index: int, fingerprint: bytes
) -> tuple[ToolCall, ...]:
    if script.tool_calls:
        wanted = [(call.name, call.arguments_text) for call in script.tool_calls]
    elif script.content is not None:
        wanted = []
    else:
        wanted = [
            (function.name, json.dumps(sample_of(function.parameters or {"type": "object"}, text=user_text)))
            for function in _functions_asked_for(request, user_text)
        ]
    return tuple(
        ToolCall(id=f"call_{_number(fingerprint, index, position)}", name=name, arguments=arguments)
        for position, (name, arguments) in enumerate(wanted)
    )


def _functions_asked_for(request: ChatRequest, user_text: str) -> tuple[Function, ...]:
    """The declared functions that the model calls; none after a tool's answer, so that a loop ends."""
    functions, choice = request.functions, request.tool_choice
    if not functions or choice == "none" or _answers_a_call(request.messages[-1]):
        return ()
    if isinstance(choice, NamedChoice):
        return tuple(function for function in functions if function.name == choice.function.name)[:1]
    asked = tuple(function for function in functions if _is_named(function.name, user_text))
    if choice == "required" or "tool" in user_text.lower():
        asked = asked or functions[:1]
    return asked[:1] if request.parallel_tool_calls is False else asked


def _answers_a_call(message: Message) -> bool:
    return message.role in {"tool", "function"}


def _is_named(name: str, text: str) -> bool:
    """Whether the text holds the name, or a longer word of it: ``get_weather`` by "weather"."""
    text = text.lower()
    parts = (part.lower() for part in _NAME_PART.findall(name))
    return name.lower() in text or any(len(part) >= _SHORTEST_NAME_PART and part in text for part in parts)


def _tally(request: ChatRequest, script: Script, choices: tuple[Choice, ...], billed: Model) -> Tally:
    said = script.usage
    prompt = _first(said.prompt_tokens, sum(len(words_of(message.text)) for message in request.messages))
    cached = min(_first(said.cached_tokens, 0), prompt)
    completion = _first(said.completion_tokens, sum(_completion_tokens(choice) for choice in choices))
    reasoning = _first(said.reasoning_tokens, sum(len(words_of(choice.reasoning)) for choice in choices))
    cost = 0
    if billed.prices:
        output = completion + reasoning
        cost = billed.prices.cost_ticks(prompt_tokens=prompt, cached_tokens=cached, output_tokens=output)
    return Tally(prompt=prompt, cached=cached, completion=completion, reasoning=reasoning, cost_ticks=cost)


def _completion_tokens(choice: Choice) -> int:
    texts = [choice.content or "", choice.refusal or ""]
    texts += [f"{call.name} {call.arguments}" for call in choice.tool_calls]
    return sum(len(words_of(text)) for text in texts)


def _first(scripted: int | None, counted: int) -> int:
    return counted if scripted is None else scripted


def _uuid(fingerprint: bytes) -> str:
    text = fingerprint.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _number(fingerprint: bytes, choice: int, position: int) -> str:
    """Eight digits, as the provider's tool call ids have."""
    digest = hashlib.sha256(fingerprint + bytes((choice % 256, position % 256))).digest()
    return f"{int.from_bytes(digest[:4], 'big') % 10**8:08d}"
