"""The tests that a pack carries: what a call looks like, and what the pack's chain has to decide."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, StringConstraints, WithJsonSchema

from grokwarden.api.fields import ApiModel, Label
from grokwarden.api.rules import Breach, Raw, Reason, Rule, rule
from grokwarden.vocabulary import Action, Phase

Text = Annotated[str, StringConstraints(max_length=65536)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=253)]

FREE_OBJECT: Final[dict[str, Any]] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_PLAIN: Final = ("user", "system", "assistant", "model")


def _body_stands_alone(raw: Raw) -> Iterator[Breach]:
    if raw.get("body") is None:
        return
    for member in _PLAIN:
        if raw.get(member) is not None:
            yield Breach(path=(member,), message="may not be given beside body, which is the whole request")


class PackTestRequest(ApiModel):
    """The call to judge: some of its messages, or the whole body."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="body",
            message="may not be given beside user, system, assistant or model: it is the whole request",
            reason=Reason.FORBIDDEN,
            cel="!has(self.body) || !(" + " || ".join(f"has(self.{member})" for member in _PLAIN) + ")",
            breaches=_body_stands_alone,
        ),
        rule(
            "user",
            "one of user, system, assistant or body is required",
            Reason.REQUIRED,
            cel="has(self.user) || has(self.system) || has(self.assistant) || has(self.body)",
            holds=lambda raw: any(raw.get(member) is not None for member in ("user", "system", "assistant", "body")),
        ),
    )

    user: Text | None = Field(default=None, description="The user's message, the last one of the call.")
    system: Text | None = Field(
        default=None,
        description=(
            "The system message, the first one of the call. If absent, it is the one that the chain's "
            "system-prompt-guard requires; use body for a call without."
        ),
    )
    assistant: Text | None = Field(default=None, description="An earlier answer, between system and user message.")
    model: ShortText | None = Field(default=None, description="The model that the call asks for.")
    body: Annotated[dict[Any, Any], WithJsonSchema(FREE_OBJECT)] | None = Field(
        default=None, description="The whole request body, for what the other fields can't say."
    )


class PackTestResponse(ApiModel):
    """The answer to judge, as if the model had given it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(
            "content",
            "one of content, reasoning or toolArguments is required",
            Reason.REQUIRED,
            cel="has(self.content) || has(self.reasoning) || has(self.toolArguments)",
            holds=lambda raw: any(raw.get(name) is not None for name in ("content", "reasoning", "toolArguments")),
        ),
    )

    content: Text | None = Field(default=None, description="The answer's text.")
    reasoning: Text | None = Field(default=None, description="The reasoning that comes with it.")
    tool_arguments: Text | None = Field(default=None, description="The arguments of one tool call, as JSON text.")


class PackTestExpectation(ApiModel):
    """What the chain has to decide."""

    action: Action = Field(description="The strongest action of the chain; Allow if no step finds anything.")
    step: Label | None = Field(default=None, description="The step that decides it.")
    rule: ShortText | None = Field(default=None, description="The rule by which it decides.")
    phase: Phase | None = Field(default=None, description="Where in the call it finds it.")


class PackTestSpec(ApiModel):
    """One test."""

    name: ShortText = Field(description="What the test claims, unique in the pack.")
    request: PackTestRequest = Field(description="The call to judge.")
    response: PackTestResponse | None = Field(
        default=None,
        description="The model's answer, for steps that look at answers. Absent: only the request is judged.",
    )
    expect: PackTestExpectation = Field(description="What has to be decided.")
