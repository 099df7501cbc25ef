"""YAML and JSON as documents that remember their lines. One meaning per text, or an error that says what to write.

Built on the parser's events and not on its objects: nothing is constructed that a tag asks for, an alias is the value
it names (counted, so that a small file can't unfold into a huge one), and every field keeps its line. Reading never
stops at the first mistake where it can go on.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from grokwarden.api.expectations import type_phrase
from grokwarden.api.paths import format_path
from grokwarden.edge.scalars import AmbiguousScalarError, resolve_key, resolve_plain
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 100_000
"""Values in one document, aliases unfolded: far above any real pack, far below what would hurt."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOCUMENT_START: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_JSON_START: Final = re.compile(r"(?:---)?\s*\{")
_JSON_ESCAPE: Final = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_TEXT_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:str"})
_PLAIN_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_MERGE: Final = "<<"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDocument:
    """A document, and what has to be mended in it before it can be used (a duplicate key, an unquoted ``on``)."""

    document: Document
    findings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All documents of a text that could be read, and why the others could not."""

    documents: tuple[ReadDocument, ...]
    unreadable: tuple[Problem, ...]


def read_yaml(text: str, *, file: str) -> Reading:
    """Every document of a YAML or JSON text. Each is read on its own: one that is broken hides no other.

    Args:
        text: The whole file.
        file: Its name, for messages and positions.
    """
    documents: list[ReadDocument] = []
    unreadable: list[Problem] = []
    for first_line, part in _parts(text.removeprefix("\ufeff")):
        composer = _Composer(file=file, first_line=first_line)
        try:
            documents.extend(composer.documents(part))
        except yaml.YAMLError as error:
            unreadable.append(_syntax_problem(error, part, file=file, first_line=first_line))
        except _RefusedError as error:
            unreadable.append(Problem(message=str(error), file=file, line=error.line))
    return Reading(documents=tuple(documents), unreadable=tuple(unreadable))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The text cut at its ``---`` lines, with the number of lines before each part."""
    starts = [0, *(match.start() for match in _DOCUMENT_START.finditer(text) if match.start()), len(text)]
    line = 0
    for start, end in itertools.pairwise(starts):
        part = text[start:end]
        yield line, _without_surrogate_pairs(part) if _JSON_START.match(part) else part
        line += part.count("\n")


def _without_surrogate_pairs(json_text: str) -> str:
    """JSON writes a character beyond 16 bits as two escapes, YAML as one; the lines stay."""

    def escape(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        high, low = int(match[1], 16), int(match[2], 16)
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    return _JSON_ESCAPE.sub(escape, json_text)


def _syntax_problem(error: yaml.YAMLError, text: str, *, file: str, first_line: int) -> Problem:
    line: int | None = None
    message = str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else None
        message = ", ".join(part for part in (error.problem, error.context) if part)
    elif isinstance(error, yaml.reader.ReaderError):
        line = text.encode()[: error.position].count(b"\n")
        message = error.reason
    if "cannot start any token" in message and "\t" in text:
        message += "; indent with spaces, YAML allows no tabs there"
    if "<document start>" in message and re.search(r"^%", text, re.MULTILINE):
        message += "; directives (lines that begin with %) are not supported, remove them"
    return Problem(message=f"not YAML: {message}", file=file, line=None if line is None else first_line + line + 1)


class _RefusedError(Exception):
    """The document can't be read to its end."""

    def __init__(self, message: str, line: int) -> None:
        self.line = line
        super().__init__(message)


@dataclass(slots=True, kw_only=True)
class _Anchored:
    value: object
    size: int


@dataclass(slots=True, kw_only=True)
class _Composer:
    """Builds the values of one part of a file from the parser's events."""

    file: str
    first_line: int
    lines: dict[FieldPath, int] = field(default_factory=dict)
    findings: list[Problem] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    values: int = 0

    def documents(self, text: str) -> Iterator[ReadDocument]:
        events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_LOADER))
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.lines, self.findings, self.anchors, self.values = {}, [], {}, 0
                content = self._value(next(events), events, (), 0)
                if content is not None:
                    yield self._document(content)

    def _document(self, content: object) -> ReadDocument:
        lines = self.lines
        if not isinstance(content, dict):
            raise _RefusedError(f"expected fields (a mapping), found {type_phrase(content)}", lines[()])

        def line_of(path: FieldPath) -> int | None:
            while path and path not in lines:
                path = path[:-1]
            return lines.get(path)

        document = Document(content=content, file=self.file, line_of=line_of)
        return ReadDocument(document=document, findings=tuple(self.findings))

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: FieldPath, depth: int) -> object:
        line = self._line(event)
        self.lines.setdefault(path, line)
        self._count(1, line)
        if depth > MAX_DEPTH:
            raise _RefusedError(f"nested deeper than {MAX_DEPTH} levels", line)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, line)
        before = self.values
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, events, path, depth)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, events, path, depth)
        else:
            raise _RefusedError("expected a value", line)
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value=value, size=self.values - before + 1)
        return value

    def _sequence(
        self, event: yaml.SequenceStartEvent, events: Iterator[yaml.Event], path: FieldPath, depth: int
    ) -> list[object]:
        self._check_tag(event, path)
        items: list[object] = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(self._value(item, events, (*path, len(items)), depth + 1))
        return items

    def _mapping(
        self, event: yaml.MappingStartEvent, events: Iterator[yaml.Event], path: FieldPath, depth: int
    ) -> dict[str, object]:
        self._check_tag(event, path)
        fields: dict[str, object] = {}
        merged: list[tuple[object, int]] = []
        while not isinstance(key_event := next(events), yaml.MappingEndEvent):
            key, line = self._key(key_event, path), self._line(key_event)
            place = (*path, key)
            is_merge = key == _MERGE and isinstance(key_event, yaml.ScalarEvent) and key_event.implicit[0]
            if (is_repeated := key in fields) and not is_merge:
                self._find(f"the key {key} is here twice, first on line {self.lines[place]}; keep one", place, line)
            elif not is_merge:
                self.lines[place] = line
            value = self._value(next(events), events, place, depth + 1)
            if is_merge:
                merged.append((value, line))
            elif not is_repeated:
                fields[key] = value
        for value, line in merged:
            self._merge(fields, value, path, line)
        return fields

    def _merge(self, fields: dict[str, object], value: object, path: FieldPath, line: int) -> None:
        """Fills in what ``<<`` brings; a field written out wins over it, and an earlier source over a later one."""
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                self._find(f"<< merges mappings, found {type_phrase(source)}", (*path, _MERGE), line)
                continue
            for key in source.keys() - fields.keys():
                self.lines[*path, key] = line
            fields.update({key: merged for key, merged in source.items() if key not in fields})

    def _key(self, event: yaml.Event, path: FieldPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _RefusedError("a key must be a word, found a list, a mapping or an alias", self._line(event))
        text: str = event.value
        if event.implicit[0]:
            try:
                return resolve_key(text)
            except AmbiguousScalarError as error:
                self._find(str(error), (*path, text), self._line(event))
        return text

    def _scalar(self, event: yaml.ScalarEvent, path: FieldPath) -> object:
        if event.tag in _TEXT_TAGS or (event.tag is None and not event.implicit[0]):
            return event.value
        self._check_tag(event, path)
        try:
            return resolve_plain(event.value)
        except AmbiguousScalarError as error:
            self._find(str(error), path, self._line(event))
            return event.value

    def _aliased(self, event: yaml.AliasEvent, line: int) -> object:
        anchored = self.anchors.get(str(event.anchor))
        if anchored is None:
            raise _RefusedError(f"*{event.anchor} names no complete value before it (&{event.anchor})", line)
        self._count(anchored.size, line)
        return anchored.value

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, path: FieldPath) -> None:
        if event.tag and event.tag not in _PLAIN_TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._find(f"the tag {tag} is not supported: write the value without it", path, self._line(event))

    def _count(self, size: int, line: int) -> None:
        self.values += size
        if self.values > MAX_VALUES:
            raise _RefusedError(f"more than {MAX_VALUES} values in one document, aliases unfolded", line)

    def _find(self, message: str, path: FieldPath, line: int) -> None:
        self.findings.append(Problem(path=format_path(path), message=message, file=self.file, line=line))

    def _line(self, event: yaml.Event) -> int:
        line = event.start_mark.line if event.start_mark else 0
        return self.first_line + line + 1
