"""A resource as it was read, before it is understood: its document, and where each field stood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FieldPath = tuple[str | int, ...]
"""Keys and indexes from the document's root, in the document's own spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One resource, from a file or from an API server.

    Attributes:
        content: The decoded document.
        file: The file it stands in; ``None`` for an object of an API server.
        line_of: The one-based line of a field (or of its nearest ancestor that has one), ``None`` if unknown.
    """

    content: dict[str, Any]
    file: str | None = None
    line_of: Callable[[FieldPath], int | None] = lambda _: None
