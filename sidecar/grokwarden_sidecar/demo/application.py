"""The application of the demo: the OpenAI SDK as anybody uses it, and what it made of each call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.chat import ChatCompletionMessageParam

MODEL = "grok-4.3"
Message = ChatCompletionMessageParam


def system(text: str) -> Message:
    """A system message."""
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    """A user message."""
    return {"role": "user", "content": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A call as the application saw it.

    Attributes:
        outcome: The finish reason of an answer; type, status and code of an error.
        policy: Policy, step and rule that a block named; empty without one.
        chunks: How many a stream had.
    """

    outcome: str
    request_id: str
    text: str = ""
    policy: str = ""
    chunks: int = 0


class Application:
    """Calls Grok at a base URL. It holds a key of its own, which is not the provider's."""

    def __init__(self, base_url: str, key: str) -> None:
        self.key = key
        self.calls = 0
        http = openai.DefaultHttpxClient(trust_env=False)  # a proxy of the caller's shell has no business on loopback
        self._client = openai.OpenAI(base_url=base_url, api_key=key, http_client=http)

    def ask(self, *messages: Message) -> Reply:
        """A chat completion in one piece."""
        return self._call(lambda: self._completed(messages))

    def stream(self, *messages: Message) -> Reply:
        """A chat completion as a stream, read to its end."""
        return self._call(lambda: self._streamed(messages))

    def embed(self, text: str) -> Reply:
        """A call of an endpoint that is not governed."""
        return self._call(lambda: self._embedded(text))

    def close(self) -> None:
        """Its connections are closed."""
        self._client.close()

    def _call(self, call: Callable[[], Reply]) -> Reply:
        self.calls += 1
        try:
            return call()
        except openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            return Reply(
                outcome=f"{type(error).__name__} {error.status_code} {error.code}",
                request_id=error.request_id or "",
                policy=_named(body.get("policy")),
            )

    def _completed(self, messages: Iterable[Message]) -> Reply:
        answer = self._client.chat.completions.create(model=MODEL, messages=messages)
        choice = answer.choices[0]
        return Reply(
            outcome=f"finish_reason {choice.finish_reason}",
            request_id=answer._request_id or "",  # noqa: SLF001 - public all the same, as the SDK's documentation says
            text=choice.message.content or "",
        )

    def _streamed(self, messages: Iterable[Message]) -> Reply:
        outcome, policy, pieces, chunks = "no finish_reason", "", [], 0
        with self._client.chat.completions.create(model=MODEL, messages=messages, stream=True) as stream:
            for chunk in stream:
                chunks += 1
                policy = _named((chunk.model_extra or {}).get("policy")) or policy
                for choice in chunk.choices:
                    pieces.append(choice.delta.content or "")
                    outcome = f"finish_reason {choice.finish_reason}" if choice.finish_reason else outcome
            request_id = stream.response.headers.get("x-request-id", "")
        return Reply(outcome=outcome, request_id=request_id, text="".join(pieces), policy=policy, chunks=chunks)

    def _embedded(self, text: str) -> Reply:
        self._client.embeddings.create(model="any", input=text)
        return Reply(outcome="answered", request_id="")


def _named(policy: Any) -> str:  # noqa: ANN401 - JSON of an answer
    """Policy, rule and step of a block, in a line."""
    if not isinstance(policy, dict):
        return ""
    return f"{policy.get('name')}, rule {policy.get('rule')}, step {policy.get('step')}"
