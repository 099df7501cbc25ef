"""Mappings of a foreign file in which every key is either taken or reported, never dropped."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from grokwarden.edge.yaml_reader import path_text
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath


def nearest(word: str, accepted: Collection[str]) -> str:
    """``; did you mean x?`` where one of the accepted words is close, otherwise nothing."""
    by_folded = {name.replace("_", "").replace("-", "").casefold(): name for name in accepted}
    folded = word.replace("_", "").replace("-", "").casefold()
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[close[0]]}?" if close else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemLog:
    """The problems of one document, with the lines at which they stand."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: FieldPath, message: str) -> None:
        line = self.document.line_of(path)
        self.problems.append(Problem(path=path_text(path), message=message, file=self.document.file, line=line))


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
            log.add(path, f"expected fields ({', '.join(accepted)}), found {kind_of(value)}")
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
        self.log.add((*self.path, key), f"expected a text, found {kind_of(value)}{hint}")
        return None

    def items(self, key: str) -> list[object]:
        """The list at ``key``; empty if there is none or it is something else, which is logged."""
        value = self.fields.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.log.add((*self.path, key), f"expected a list, found {kind_of(value)}")
        return []

    def error(self, key: str, message: str) -> None:
        """Log what is wrong with the field."""
        self.log.add((*self.path, key), message)


def kind_of(value: object) -> str:
    """What a value is, in the words of a YAML file; never the value of a text, which may be a secret."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a text" if value else "an empty text"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return "a mapping"
