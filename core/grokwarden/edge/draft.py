"""A resource in the making, which remembers where in the original file each of its fields stood."""

from dataclasses import dataclass, field
from typing import Any, Self

from grokwarden.api.metadata import API_VERSION
from grokwarden.resources import Document, FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """``content`` is filled in as people read resources: ``apiVersion``, ``kind``, ``metadata``, ``spec``."""

    content: dict[str, Any]
    origins: dict[FieldPath, FieldPath] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, name: str, *, origin: FieldPath) -> Self:
        """An empty resource; ``origin`` is where its name stood."""
        content = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": {}}
        return cls(content=content, origins={("metadata", "name"): origin, ("spec",): origin[:-1]})

    @property
    def name(self) -> str:
        name: str = self.content["metadata"]["name"]
        return name

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.content["spec"]
        return spec

    def put(self, key: str, value: object, *, origin: FieldPath) -> None:
        """Set a field of the spec that stood at ``origin``."""
        self.spec[key] = value
        self.origins["spec", key] = origin

    def document(self, original: Document) -> Document:
        """The finished resource, with the lines of the original."""
        origins = self.origins

        def line_of(path: FieldPath) -> int | None:
            while path and path not in origins:
                path = path[:-1]
            return original.line_of(origins.get(path, ()))

        return Document(content=self.content, file=original.file, line_of=line_of)
