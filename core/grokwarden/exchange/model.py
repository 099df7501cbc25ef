"""The canonical view of a call. Policies read it and nothing else; only the wire formats of this package build it."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from grokwarden.vocabulary import Endpoint, Phase

Path = tuple[str | int, ...]
"""A place in a JSON body: object keys and array indexes from the root."""


class Role(StrEnum):
    """Who wrote a text. ``DEFINITION`` is a tool's definition, which the application wrote."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FUNCTION = "function"
    DEFINITION = "definition"


class Field(StrEnum):
    """What kind of text a segment holds."""

    CONTENT = "Content"
    REASONING = "Reasoning"
    REFUSAL = "Refusal"
    TOOL_NAME = "ToolName"
    TOOL_ARGUMENTS = "ToolArguments"
    TOOL_RESULT = "ToolResult"
    INSTRUCTIONS = "Instructions"


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Which text this is.

    Attributes:
        item: Index of the message in a request, 0 in an answer.
        choice: Index of the choice in an answer, 0 in a request.
        part: Index of the content part, where the content is a list of parts.
    """

    role: Role
    field: Field
    phase: Phase
    item: int = 0
    choice: int = 0
    part: int | None = None


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A text of the call and the place in the body where it stands.

    Attributes:
        fixed: It can't be edited in place, as it is an object's key; ``path`` is then the object's.
    """

    slot: Slot
    text: str
    path: Path
    fixed: bool = False


OPAQUE_REASONS: Final = ("audio", "file", "image", "opaque_history", "server_side_tool", "unknown_part", "video")
"""Every ``Opaque.reason``."""


class Opaque(msgspec.Struct, frozen=True, gc=False):
    """Something that the provider will read and we can't: an image, a file id, a server-side tool."""

    path: Path
    reason: str


class Splice(msgspec.Struct, frozen=True, gc=False):
    """Replace ``text[start:end]`` of the string at ``path``; offsets are characters of the original text."""

    path: Path
    start: int
    end: int
    text: str


class InsertMessages(msgspec.Struct, frozen=True, gc=False):
    """Put messages before the one that now has ``index``. At one place a lower ``rank`` comes first."""

    messages: tuple[dict[str, Any], ...]
    index: int = 0
    rank: int = 1


Edit = Splice | InsertMessages


class Exchange(msgspec.Struct, frozen=True):
    """One call as the policies see it.

    Attributes:
        body: The bytes as they came.
        doc: The decoded body; to be read only.
        model: The model asked for; ``None`` if the call names none.
        segments: Every text, in the order in which it stands in the body.
        opaque: Everything that can't be read.
    """

    endpoint: Endpoint
    body: bytes
    doc: dict[str, Any]
    model: str | None
    stream: bool
    n: int
    segments: tuple[Segment, ...]
    opaque: tuple[Opaque, ...]
