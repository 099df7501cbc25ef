"""Mappings of a foreign file in which every key is either taken or reported, never dropped."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from grokwarden.api.expectations import nearest, type_phrase
from grokwarden.api.paths import format_path
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemLog:
    """The problems of one document, with the lines at which they stand."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: FieldPath, message: str) -> None:
        line = self.document.line_of(path)
        self.problems.append(Problem(path=format_path(path), message=message, file=self.document.file, line=line))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping whose keys are all known; what was wrong with the others is in the log."""

    fields: Mapping[str, object]
    path: FieldPath
    log: ProblemLog

    @classmethod
    def of(cls, value: object, path: FieldPath, log: ProblemLog, *, accepted: Collection[str]) -> "Section":
        """The known fields of ``value``; anything else about it goes to the log.

        Args:
            value: What stands at ``path``; ``None`` is an empty section.
            path: Where it stands in the file.
            log: Where problems go.
            accepted: The keys that mean something here.
        """
        if not isinstance(value, Mapping | None):
            log.add(path, f"expected fields ({', '.join(accepted)}), found {type_phrase(value)}")
        fields = value if isinstance(value, Mapping) else {}
        for key in fields.keys() - set(accepted):
            log.add((*path, key), f"unknown field {key}{nearest(key, accepted)} (known here: {', '.join(accepted)})")
        return cls(fields={key: fields[key] for key in accepted if key in fields}, path=path, log=log)

    def section(self, key: str, *, accepted: Collection[str]) -> "Section":
        """The section at ``key``; empty if there is none."""
        return Section.of(self.fields.get(key), (*self.path, key), self.log, accepted=accepted)

    def text(self, key: str) -> str | None:
        """The text at ``key``; ``None`` if there is none or it is something else, which is logged."""
        value = self.fields.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        hint = f'; write it in quotes, "{value}"' if isinstance(value, int | float) else ""
        self.log.add((*self.path, key), f"expected text, found {type_phrase(value)}{hint}")
        return None

    def items(self, key: str) -> list[object]:
        """The list at ``key``; empty if there is none or it is something else, which is logged."""
        value = self.fields.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.log.add((*self.path, key), f"expected a list, found {type_phrase(value)}")
        return []

    def error(self, key: str, message: str) -> None:
        """Log what is wrong with the field."""
        self.log.add((*self.path, key), message)
