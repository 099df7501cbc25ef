"""Everything that a client may be told by the sidecar itself. No other module writes a body of its own.

Every refusal is OpenAI-shaped, so that each SDK raises its typed error, and carries ``x-should-retry: false`` unless
trying again can help. The call's text is never part of one.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from grokwarden.engine.decision import Block
from grokwarden.vocabulary import Phase
from grokwarden_sidecar.calls.outcome import Outcome
from grokwarden_sidecar.calls.sending import AllFailed, FailureReason, Sent
from grokwarden_sidecar.calls.upstream import UpstreamError, UpstreamTimeout

RawHeaders = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode
_JSON: Final = (b"content-type", b"application/json")
_NO_RETRY: Final = (b"x-should-retry", b"false")
_BLOCKED: Final = (b"x-policy-decision", b"block")
_PHASES: Final = {
    Phase.REQUEST: "request",
    Phase.RESPONSE: "response",
    Phase.TOOL_ARGUMENTS: "tool_arguments",
    Phase.TOOL_RESULT: "tool_result",
}
_FAILURE_STATUS: Final = {
    FailureReason.CIRCUIT_OPEN: 503,
    FailureReason.TIMEOUT: 504,
    FailureReason.KEY_MISSING: 503,
}
SSE_HEADERS: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
SSE_DONE: Final = b"data: [DONE]\n\n"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer of ours; ``x-request-id`` and ``content-length`` are added when it is sent."""

    status: int
    headers: RawHeaders
    body: bytes


class AnswerIdentity(msgspec.Struct, kw_only=True):
    """What a made-up answer or chunk has in common with the provider's own."""

    id: str
    created: int
    model: str


def as_json(headers: RawHeaders) -> RawHeaders:
    """A provider's headers with our own ``content-type``: how a body is decoded is not the provider's to say."""
    return [_JSON, *(header for header in headers if header[0] != b"content-type")]


class _Head(msgspec.Struct):
    id: str | None = None
    created: int | None = None
    model: str | None = None


def identity_of(data: bytes, default: AnswerIdentity) -> AnswerIdentity:
    """The identity in a provider's answer or chunk, completed from ``default``."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError:
        return default
    return AnswerIdentity(
        id=head.id or default.id, created=head.created or default.created, model=head.model or default.model
    )


def refusal(
    status: int,
    message: str,
    *,
    code: str,
    type: str = "invalid_request_error",  # noqa: A002 - the field's name in the API
    param: str | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
    retry: bool = False,
) -> Reply:
    """A call that is not answered, for a reason that is no policy's."""
    error = {"message": message, "type": type, "param": param, "code": code}
    fixed = [_JSON] if retry else [_JSON, _NO_RETRY]
    return Reply(status=status, headers=[*fixed, *headers], body=_encode({"error": error}))


def block_message(block: Block) -> str:
    """What the caller reads: the pack author's message, or the policy's and rule's names."""
    decision, response = block.decision, block.response
    message = response.message or f"Blocked by policy {decision.policy} (rule {decision.rule})."
    return f"{message} Contact: {response.contact}" if response.contact else message


def policy_object(block: Block, decision_id: str) -> dict[str, Any]:
    """The ``policy`` member of every body that tells of a block."""
    decision = block.decision
    return {
        "name": decision.policy,
        "pack": decision.pack,
        "step": decision.step,
        "rule": decision.rule,
        "phase": _PHASES[decision.phase],
        "decision_id": decision_id,
    }


def policy_headers(block: Block) -> RawHeaders:
    """Headers that tell of a block."""
    rule = f"{block.decision.policy}/{block.decision.rule}"
    return [_NO_RETRY, _BLOCKED, (b"x-policy-rule", rule.encode("ascii", "replace"))]


def block_error(block: Block, decision_id: str) -> Reply:
    """HTTP 400, which no client retries and which litellm, pydantic-ai and the OpenAI SDKs type."""
    return Reply(status=400, headers=[_JSON, *policy_headers(block)], body=_encode(error_body(block, decision_id)))


def error_body(block: Block, decision_id: str) -> dict[str, Any]:
    """The body of ``block_error``."""
    error = {
        "message": block_message(block),
        "type": "invalid_request_error",
        "param": "messages",
        "code": "content_filter",
        "innererror": {"code": "content_policy_violation", "content_filter_result": {}},
        "policy": policy_object(block, decision_id),
    }
    return {"error": error}


def block_answer(
    block: Block, decision_id: str, who: AnswerIdentity, *, choices: Sequence[int], usage: dict[str, Any] | None
) -> Reply:
    """A 200 whose every choice is a refusal with ``finish_reason: content_filter``; real usage is kept."""
    message = {"role": "assistant", "content": None, "refusal": block_message(block)}
    body: dict[str, Any] = {
        "id": who.id,
        "object": "chat.completion",
        "created": who.created,
        "model": who.model,
        "choices": [{"index": i, "message": message, "finish_reason": "content_filter"} for i in choices],
        "usage": usage or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "policy": policy_object(block, decision_id),
    }
    return Reply(status=200, headers=[_JSON, *policy_headers(block)], body=_encode(body))


def block_events(
    block: Block, decision_id: str, who: AnswerIdentity, *, choices: Sequence[int], usage: dict[str, Any] | None
) -> bytes:
    """The end of a stream that a policy cut: a last chunk for each open choice, usage if known, and ``[DONE]``."""
    policy = policy_object(block, decision_id)
    chunk = {"id": who.id, "object": "chat.completion.chunk", "created": who.created, "model": who.model}
    delta = {"refusal": block_message(block)}
    events = [
        sse({**chunk, "choices": [{"index": i, "delta": delta, "finish_reason": "content_filter"}], "policy": policy})
        for i in choices
    ]
    if usage is not None:
        events.append(sse({**chunk, "choices": [], "usage": usage}))
    return b"".join([*events, SSE_DONE])


def error_event(message: str, *, code: str, type: str = "upstream_error") -> bytes:  # noqa: A002 - the API's name
    """The end of a stream that failed. Every SDK raises on it; ``[DONE]`` never follows."""
    return sse({"error": {"message": message, "type": type, "param": None, "code": code}})


class ProviderError(msgspec.Struct, frozen=True):
    """A provider's error in one shape, whichever of the two it had: xAI's own or OpenAI's."""

    message: str
    code: str | None
    type: str


def read_provider_error(data: bytes) -> ProviderError | None:
    """The error in a provider's JSON, ``None`` if there is none.

    xAI's native form is ``{"code": "…", "error": "<text>"}``, in which both OpenAI SDKs find neither code nor message.
    """
    try:
        doc = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return None
    error = doc.get("error") if isinstance(doc, dict) else None
    if not error:
        return None
    inner = error if isinstance(error, dict) else {"message": error, "code": doc.get("code")}
    message, code, kind = inner.get("message"), inner.get("code"), inner.get("type")
    return ProviderError(
        message=message if isinstance(message, str) else "The provider answered with an error.",
        code=code if isinstance(code, str) else None,
        type=kind if isinstance(kind, str) else "upstream_error",
    )


def upstream_failed(error: UpstreamError) -> Reply:
    """No answer, or no whole one: 504 where time ran out, else 502. Whether to try again is the client's to say."""
    is_timeout = isinstance(error, UpstreamTimeout)
    code = "upstream_timeout" if is_timeout else "upstream_unavailable"
    message = upstream_failed_message(error)
    return refusal(504 if is_timeout else 502, message, code=code, type="upstream_error", retry=True)


def all_failed(failure: AllFailed) -> Reply:
    """No target answered. After attempts of ours the client need not try again; before any, that is its choice."""
    reason = failure.reason
    headers: RawHeaders = []
    if failure.retry_after_seconds is not None:
        headers.append((b"retry-after", str(failure.retry_after_seconds).encode()))
    if reason is FailureReason.MODEL_RETIRED:
        return refusal(400, _sentence(failure.message), code="model_retired", param="model")
    status = _FAILURE_STATUS.get(reason, 502)
    is_first = len(failure.attempts) <= 1 and reason is not FailureReason.KEY_MISSING
    return refusal(
        status,
        _sentence(failure.message),
        code=f"upstream_{reason.value}",
        type="upstream_error",
        headers=headers,
        retry=is_first,
    )


def provider_refused(sent: Sent, headers: RawHeaders) -> Reply:
    """A provider's error in OpenAI's shape, with its status, since both SDKs lose the text of xAI's own shape."""
    if sent.outcome is Outcome.CREDENTIALS_REJECTED:
        message = f"{_sentence(sent.problem)} This is the proxy's configuration to mend, not the application's."
        return refusal(502, message, code="provider_credentials_rejected", type="upstream_error")
    error = read_provider_error(sent.error_body or b"")
    if error is None:
        error = ProviderError("The provider answered with an error that can't be read.", None, "upstream_error")
    is_safety = sent.outcome is Outcome.PROVIDER_SAFETY
    code = "provider_safety" if is_safety else error.code or f"provider_{sent.outcome.value}"
    kept = [(name, value) for name, value in headers if name not in {b"content-type", b"x-should-retry"}]
    retry = not is_safety and len(sent.attempts) == 1
    upstream_said = [(name, value) for name, value in headers if name == b"x-should-retry"] if retry else []
    kind = error.type if error.type != "upstream_error" or sent.reply.status >= 500 else "invalid_request_error"
    return refusal(sent.reply.status, error.message, code=code, type=kind, headers=[*kept, *upstream_said], retry=retry)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def upstream_failed_message(error: UpstreamError) -> str:
    """What a client reads when a provider fails; the error's text holds neither keys nor texts of the call."""
    return f"The provider did not answer: {error}."


def provider_error_event(data: bytes) -> bytes:
    """A provider's error inside a stream, in the form that every SDK raises on."""
    error = read_provider_error(data) or ProviderError("The provider answered with an error.", None, "upstream_error")
    return error_event(error.message, code=error.code or "upstream_error", type=error.type)


def sse(value: dict[str, Any]) -> bytes:
    """One event."""
    return b"data: " + _encode(value) + b"\n\n"
