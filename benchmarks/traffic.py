"""What goes over the wire in a benchmark: a request of 2 KB, an answer of 1 KB, and a stream of events of 300 bytes.

Ordinary prose that no built-in rule objects to, in the shape in which xAI sends it: what is measured is the usual case.
"""

import json
from typing import Final

MODEL: Final = "grok-4.3"
SYSTEM_PROMPT: Final = "You are a helpful assistant."
CHUNKS: Final = 100
PATH: Final = "/v1/chat/completions"

SENTENCES: Final = (
    "The delivery arrived on Tuesday, two days later than the confirmation had promised.",
    "Our customer asks whether the invoice can be split over the two cost centres of her department.",
    "She has already spoken with the warehouse, which found the second parcel behind the returns desk.",
    "Please summarise the conversation so far and list what is still open, with a date for each point.",
    "The contract says that replacements are free of charge within thirty days of delivery.",
    "In the attached notes the serial numbers are in the third column, sorted by location.",
    "Nobody has answered the question about the warranty of the older model yet.",
    "If something is unclear, say which document you would need in order to decide.",
    "Last year a similar case took four weeks because the form was sent to the wrong office.",
    "Write in plain language, since the summary goes to people who were not part of the thread.",
)
_PROMPT_BYTES: Final = 1_800
_ANSWER_BYTES: Final = 640
_WORDS: Final = " ".join(SENTENCES).split()


def prompt(number: int = 0) -> str:
    """A prompt of the usual size; another number gives another order of sentences."""
    text, index = "", number
    while len(text) < _PROMPT_BYTES:
        text += SENTENCES[(index * (1 + 2 * (number % 3)) + number // len(SENTENCES)) % len(SENTENCES)] + " "
        index += 1
    return text[:_PROMPT_BYTES]


def request_body(*, stream: bool, text: str | None = None) -> bytes:
    """The body of a call with this prompt, or the usual one."""
    body = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": f"{SYSTEM_PROMPT} You work for the help desk."},
            {"role": "user", "content": prompt() if text is None else text},
        ],
        "temperature": 0.2,
        "stream": stream,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def request_bytes(port: int, *, stream: bool) -> bytes:
    """A whole HTTP request as the OpenAI SDK words it."""
    body = request_body(stream=stream)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.0.0\r\nX-Stainless-Lang: python\r\n"
        "X-Stainless-Runtime: CPython\r\nX-Stainless-Retry-Count: 0\r\nAuthorization: Bearer none\r\n"
        f"Accept-Encoding: gzip, deflate\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _head(kind: str, extra: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 18:53:00 GMT\r\ncontent-type: {kind}\r\n"
        "x-request-id: 5f0c9b1e-7a44-4c1d-9e53-0c3e1c7f2a10\r\nx-zero-data-retention: false\r\n"
        f"cache-control: no-cache\r\nx-ratelimit-remaining-requests: 479\r\nserver: cloudflare\r\n{extra}\r\n\r\n"
    ).encode()


_COMMON: Final = {"id": "8b6e1c5a-3b0a-4f6e-a4a8-2f2c6c1d9e77", "created": 1795287180, "model": MODEL}
_USAGE: Final = {
    "prompt_tokens": 424,
    "completion_tokens": 138,
    "total_tokens": 562,
    "prompt_tokens_details": {"text_tokens": 424, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    "cost_in_usd_ticks": 7_156_000,
}


def answer_bytes() -> bytes:
    """A whole HTTP answer in one piece."""
    message = {"role": "assistant", "content": prompt(3)[:_ANSWER_BYTES], "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    document = {
        **_COMMON,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _USAGE,
        "system_fingerprint": "fp_156d35dcaa",
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    return _head("application/json", f"content-length: {len(body)}") + body


def _event(delta: dict[str, str], finish_reason: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    document = {
        **_COMMON,
        "object": "chat.completion.chunk",
        "choices": [choice],
        "system_fingerprint": "fp_156d35dcaa",
        **more,
    }
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _framed(event: bytes) -> bytes:
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


def stream_head() -> bytes:
    """The head of a streamed answer."""
    return _head("text/event-stream", "transfer-encoding: chunked")


def stream_events() -> tuple[bytes, ...]:
    """The events of a streamed answer, a few words each; the last ones carry the usage and the end."""
    texts = (" ".join(_WORDS[(3 * number + i) % len(_WORDS)] for i in range(3)) for number in range(CHUNKS - 2))
    events = [_event({"content": f"{text} ", "role": "assistant"}) for text in texts]
    return (*events, _event({}, "stop", usage=_USAGE), b"data: [DONE]\n\n")


def stream_pieces() -> tuple[bytes, ...]:
    """The same, each in the chunk of HTTP that it leaves in."""
    events = [_framed(event) for event in stream_events()]
    return (*events[:-1], events[-1] + b"0\r\n\r\n")
