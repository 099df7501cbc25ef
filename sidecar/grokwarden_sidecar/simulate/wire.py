"""The provider's JSON: a whole completion, and the events of a stream. ``UNSET`` fields are absent, not null."""

import hashlib
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from grokwarden.catalog import Catalog, Model
from grokwarden_sidecar.simulate.answer import Answer, Choice, Tally, ToolCall, words_of

CREATED: Final = 1_790_000_000
"""``created`` of every answer: a constant, so that equal requests get equal bytes."""

DONE: Final = b"data: [DONE]\n\n"


class _FunctionCall(msgspec.Struct):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct):
    id: str
    function: _FunctionCall
    type: str = "function"
    index: int | UnsetType = UNSET


class _Message(msgspec.Struct):
    role: str
    content: str | None
    reasoning_content: str | UnsetType = UNSET
    refusal: str | None = None
    tool_calls: list[_ToolCall] | UnsetType = UNSET


class _Delta(msgspec.Struct):
    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: list[_ToolCall] | UnsetType = UNSET


class _WholeChoice(msgspec.Struct):
    index: int
    message: _Message
    finish_reason: str


class _ChunkChoice(msgspec.Struct):
    index: int
    delta: _Delta
    finish_reason: str | UnsetType = UNSET


class _PromptDetails(msgspec.Struct):
    text_tokens: int
    cached_tokens: int
    audio_tokens: int = 0
    image_tokens: int = 0


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _PromptDetails
    completion_tokens_details: _CompletionDetails
    cost_in_usd_ticks: int
    num_sources_used: int = 0


class _Completion(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: list[_WholeChoice] | list[_ChunkChoice]
    system_fingerprint: str
    service_tier: str = "default"
    usage: _Usage | UnsetType = UNSET


class _ModelEntry(msgspec.Struct):
    id: str
    created: int = CREATED
    object: str = "model"
    owned_by: str = "xai"


class _ModelList(msgspec.Struct):
    data: list[_ModelEntry]
    object: str = "list"


def completion_bytes(answer: Answer) -> bytes:
    """The body of an answer that is not streamed."""
    choices = [
        _WholeChoice(index=index, message=_message(choice), finish_reason=choice.finish_reason)
        for index, choice in enumerate(answer.choices)
    ]
    return msgspec.json.encode(_envelope(answer, "chat.completion", choices, usage=_usage(answer.tally)))


def events(answer: Answer, *, chunk_chars: int | None, includes_usage: bool) -> Iterator[bytes]:
    """The stream's events without ``[DONE]``: the choices take turns; each tool call is one event.

    Args:
        answer: What to say.
        chunk_chars: Characters per event; ``None`` for one word per event.
        includes_usage: Whether the last event carries the usage.
    """
    turns = [_chunk_choices(index, choice, chunk_chars) for index, choice in enumerate(answer.choices)]
    for taken in zip_longest(*turns):
        for choice in taken:
            if choice is not None:
                yield _event(answer, [choice])
    if includes_usage:
        yield _event(answer, [], usage=_usage(answer.tally))


def model_list_bytes(catalog: Catalog) -> bytes:
    """The body of ``GET /v1/models``: every served model, without aliases and retired names."""
    return msgspec.json.encode(_ModelList(data=[_ModelEntry(id=model.id) for model in catalog.models]))


def model_bytes(model: Model) -> bytes:
    """The body of ``GET /v1/models/{id}``."""
    return msgspec.json.encode(_ModelEntry(id=model.id))


def _chunk_choices(index: int, choice: Choice, chunk_chars: int | None) -> list[_ChunkChoice]:
    """The choice in pieces, then its end. The first piece names the role, and is there even if nothing is said."""
    deltas = [_Delta(reasoning_content=piece) for piece in _pieces(choice.reasoning, chunk_chars)]
    deltas += [_Delta(content=piece) for piece in _pieces(choice.content or "", chunk_chars)]
    deltas += [_Delta(refusal=piece) for piece in _pieces(choice.refusal or "", chunk_chars)]
    deltas += [_Delta(tool_calls=[_tool_call(call, place)]) for place, call in enumerate(choice.tool_calls)]
    deltas = deltas or [_Delta(content="")]
    deltas[0].role = "assistant"
    last = _ChunkChoice(index=index, delta=_Delta(), finish_reason=choice.finish_reason)
    return [*(_ChunkChoice(index=index, delta=delta) for delta in deltas), last]


def _pieces(text: str, chunk_chars: int | None) -> list[str]:
    if chunk_chars is None:
        return words_of(text)
    return [text[start : start + chunk_chars] for start in range(0, len(text), chunk_chars)]


def _event(answer: Answer, choices: list[_ChunkChoice], *, usage: _Usage | UnsetType = UNSET) -> bytes:
    document = _envelope(answer, "chat.completion.chunk", choices, usage=usage)
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def _envelope(
    answer: Answer, kind: str, choices: list[_WholeChoice] | list[_ChunkChoice], *, usage: _Usage | UnsetType
) -> _Completion:
    return _Completion(
        id=answer.id,
        object=kind,
        created=CREATED,
        model=answer.model,
        choices=choices,
        system_fingerprint="fp_" + hashlib.sha256(answer.model.encode()).hexdigest()[:10],
        usage=usage,
    )


def _message(choice: Choice) -> _Message:
    return _Message(
        role="assistant",
        content=choice.content,
        reasoning_content=choice.reasoning or UNSET,
        refusal=choice.refusal,
        tool_calls=[_tool_call(call, UNSET) for call in choice.tool_calls] or UNSET,
    )


def _tool_call(call: ToolCall, index: int | UnsetType) -> _ToolCall:
    return _ToolCall(id=call.id, function=_FunctionCall(name=call.name, arguments=call.arguments), index=index)


def _usage(tally: Tally) -> _Usage:
    return _Usage(
        prompt_tokens=tally.prompt,
        completion_tokens=tally.completion,
        total_tokens=tally.total,
        prompt_tokens_details=_PromptDetails(text_tokens=tally.prompt, cached_tokens=tally.cached),
        completion_tokens_details=_CompletionDetails(reasoning_tokens=tally.reasoning),
        cost_in_usd_ticks=tally.cost_ticks,
    )
