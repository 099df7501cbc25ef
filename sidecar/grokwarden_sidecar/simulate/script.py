"""What a call can ask the simulator to do. One vocabulary for both ways of asking.

A test queues scripts at ``POST /_simulate/next``. A person who has only curl, and a proxy in between, writes
``[[simulate: status=503]]`` into the last user message.
"""

import difflib
import json
import re
import shlex
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grokwarden_sidecar.simulate.errors import ApiError, ErrorStyle, safety_block

_MARK: Final = re.compile(r"\[\[\s*simulate:\s*")
_WORDS: Final = re.compile(r"(?P<words>.*?)\]\]", re.DOTALL)
_END: Final = re.compile(r"\s*\]\]")

Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScriptedToolCall(_Strict):
    """A call of a tool. ``arguments`` is a JSON object, or a string that is sent as it is, however broken."""

    name: str
    arguments: str | dict[str, Any] = "{}"

    @property
    def arguments_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, separators=(",", ":"))


class ScriptedUsage(_Strict):
    """Token counts to report instead of the counted ones; the cost follows from them."""

    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Script(_Strict):
    """How the next call is answered. A field that is not set changes nothing."""

    # A failure instead of an answer.
    status: Annotated[int, Field(ge=400, le=599)] | None = Field(None, description="Answer with this error.")
    code: str | None = Field(None, description="The error's code, instead of the usual one.")
    message: str | None = Field(None, description="The error's text, instead of the usual one.")
    style: ErrorStyle = Field(ErrorStyle.NATIVE, description="The error's shape: native or openai.")
    retry_after: Count | None = Field(None, description="Seconds, sent as retry-after with the error.")
    safety: bool = Field(False, description="Answer 403 as the provider's own content filter does.")
    safety_check: str = Field("SAFETY_CHECK_TYPE_BIO", description="The check that `safety` names.")
    ok_error: bool = Field(False, description="Answer 200 with an error in the body, even to a stream request.")
    empty: bool = Field(False, description="Answer 200 with an empty body, or a stream without any event.")
    garbage: bool = Field(False, description="Answer 200 with something that is not JSON.")

    # Pace and breakage of an answer.
    delay_ms: Milliseconds = Field(0, description="Wait before the head of the answer.")
    chunk_delay_ms: Milliseconds = Field(0, description="Wait before each chunk of a stream.")
    chunk_chars: Annotated[int, Field(ge=1)] | None = Field(None, description="Characters per chunk; else one word.")
    cut_after: Count | None = Field(None, description="Close the socket after so many chunks; else after half a body.")
    no_done: bool = Field(False, description="End the stream in good order, but without data: [DONE].")

    # The answer itself.
    model: str | None = Field(None, description="The model that the answer names.")
    content: str | None = Field(None, description="The answer's text.")
    reasoning: str | None = Field(None, description="The reasoning text; empty for none.")
    refusal: str | None = Field(None, description="A refusal in place of the text.")
    tool_calls: tuple[ScriptedToolCall, ...] = Field((), description="Tool calls in place of the text.")
    finish_reason: str | None = Field(None, description="The finish reason, instead of the true one.")
    usage: ScriptedUsage = Field(ScriptedUsage(), description="Token counts to report instead of the counted ones.")

    times: Annotated[int, Field(ge=1, le=100_000)] = Field(1, description="For so many calls (queued scripts only).")

    def error(self) -> ApiError | None:
        """The failure that the script asks for, if any."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.safety:
            return safety_block(self.safety_check)
        if self.status is None:
            return None
        return ApiError(
            status=self.status, code=self.code or "", message=self.message or "", style=self.style, headers=headers
        )


def read_directive(text: str) -> tuple[str, Script | None]:
    """The text without its directive, and the script in it. Only the first directive counts.

    ``key=value`` words are split as a shell would (quotes around a value with spaces); a bare word means ``=true``.
    A JSON object is taken as well, for nested values.

    Raises:
        ApiError: It looks like a directive, but can't be understood; status 400.
    """
    mark = _MARK.search(text)
    if mark is None:
        return text, None
    try:
        content, end = _content(text, mark.end())
        script = Script.model_validate(content)
    except ValidationError as error:
        reasons = (_reason(str(each["loc"][0]) if each["loc"] else "", each["msg"]) for each in error.errors())
        raise _bad_directive("; ".join(reasons)) from error
    except ValueError as error:
        raise _bad_directive(str(error)) from error
    return (text[: mark.start()] + text[end:]).strip(), script


def _content(text: str, start: int) -> tuple[object, int]:
    """The directive's content and where it ends, brackets included."""
    content: object
    if text.startswith("{", start):
        content, end = json.JSONDecoder().raw_decode(text, start)
        close = _END.match(text, end)
    else:
        close = _WORDS.match(text, start)
        content = _words(close["words"]) if close else {}
    if close is None:
        raise ValueError("']]' is missing")
    return content, close.end()


def _reason(key: str, message: str) -> str:
    if not key or key in Script.model_fields:
        return f"{key}: {message}".removeprefix(": ")
    near = difflib.get_close_matches(key, Script.model_fields, n=1)
    return f"{key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _words(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in shlex.split(text))
    return {key: value if equals else "true" for key, equals, value in pairs}


def _bad_directive(reason: str) -> ApiError:
    return ApiError(
        status=400,
        code="simulator-directive",
        message=f"[[simulate: …]] in the last user message: {reason}. Expected key=value words or one JSON object; "
        "the keys are in docs/simulator.md.",
    )
