"""What a provider sends: whole answers and events, as bytes that a test can compare."""

import json
from typing import Any, Final

DONE: Final = b"data: [DONE]\n\n"
USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, "cost_in_usd_ticks": 212500}


def answer(content: str | None = "Fine.", *, model: str = "grok-4.3", **message: Any) -> dict[str, Any]:
    """A completion with one choice; further fields of its message as keywords."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content} | message,
        "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [choice],
        "usage": USAGE,
    }


def chunk(content: str | None = None, *, index: int = 0, finish: str | None = None, **delta: Any) -> bytes:
    """One event of a stream; further fields of its delta as keywords."""
    said = ({} if content is None else {"content": content}) | delta
    return event({"choices": [{"index": index, "delta": said, "finish_reason": finish}]})


def event(fields: dict[str, Any], *, model: str = "grok-4.3") -> bytes:
    """An event with these fields behind those that all chunks share."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": model}
    return b"data: " + json.dumps(head | fields).encode() + b"\n\n"


def usage_event() -> bytes:
    """The last event but one of a stream that reports its usage."""
    return event({"choices": [], "usage": USAGE})


def tool_call(arguments: str, *, name: str = "run", index: int = 0) -> dict[str, Any]:
    """A whole tool call, as the provider streams it in one chunk."""
    return {
        "index": index,
        "id": f"call-{index}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def read_events(stream: bytes) -> list[Any]:
    """The JSON of each event of a stream; ``[DONE]`` as it is."""
    data = (part.removeprefix(b"data: ") for part in stream.split(b"\n\n") if part)
    return [part.decode() if part == b"[DONE]" else json.loads(part) for part in data]


def text_of(events: list[Any], *, index: int = 0) -> str:
    """What a client assembles for one choice."""
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        if isinstance(event, dict)
        for choice in event.get("choices", ())
        if choice["index"] == index
    )
