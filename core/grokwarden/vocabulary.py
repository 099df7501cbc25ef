"""The closed sets of the domain, one meaning each; everything else imports its words from here."""

from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What a decision does to a call, from weakest to strongest."""

    ALLOW = "Allow"
    FLAG = "Flag"
    REDACT = "Redact"
    BLOCK = "Block"

    @property
    def rank(self) -> int:
        """Order of severity: the strongest action of a chain is the call's action."""
        return _ACTION_RANK[self]


_ACTION_RANK: Final = {action: rank for rank, action in enumerate(Action)}


class Mode(StrEnum):
    """Whether a decision acts (``Enforce``) or is only recorded (``Shadow``)."""

    ENFORCE = "Enforce"
    SHADOW = "Shadow"


class Phase(StrEnum):
    """Where in a call a text is seen."""

    REQUEST = "Request"
    RESPONSE = "Response"
    TOOL_ARGUMENTS = "ToolArguments"
    TOOL_RESULT = "ToolResult"


class Endpoint(StrEnum):
    """An API of the provider that packs may allow; every other route under ``/v1`` is refused."""

    CHAT_COMPLETIONS = "ChatCompletions"
    MODELS = "Models"


class Need(StrEnum):
    """The evidence a verdict needs, which decides how a stream can be enforced."""

    CALL = "Call"
    WINDOW = "Window"
    WHOLE = "Whole"


class OnStream(StrEnum):
    """What a response-phase step does with ``stream: true``."""

    CUT = "Cut"
    BUFFER = "Buffer"
    REJECT = "Reject"


class Fallback(StrEnum):
    """What happens when a check can't be made: the value of ``onError`` and ``onUnscannable``."""

    BLOCK = "Block"
    ALLOW = "Allow"


class BlockStyle(StrEnum):
    """How a blocked request is answered: HTTP 400, or a 200 with ``finish_reason: content_filter``."""

    ERROR = "Error"
    REFUSAL = "Refusal"


class Provider(StrEnum):
    """Who serves the model."""

    XAI = "xai"
    OPENAI = "openai"
    OPENAI_COMPATIBLE = "openai-compatible"


class Tier(StrEnum):
    """Root packs (of the operator's own namespace) come first and can't be weakened by the others."""

    ROOT = "Root"
    NAMESPACE = "Namespace"


class Strategy(StrEnum):
    """How the order of the targets is found; ties go by the order in which the pack names them."""

    ORDERED = "Ordered"
    WEIGHTED = "Weighted"
    ROUND_ROBIN = "RoundRobin"
    LOWEST_LATENCY = "LowestLatency"
    LOWEST_COST = "LowestCost"


class RetryCause(StrEnum):
    """What a call may be tried again after."""

    CONNECT = "Connect"
    SERVER_ERROR = "ServerError"
    RATE_LIMITED = "RateLimited"
    TIMEOUT = "Timeout"


class OnDeviation(StrEnum):
    """What happens to a call whose model is not the expected one."""

    REJECT = "Reject"
    WARN = "Warn"
    ALLOW = "Allow"
