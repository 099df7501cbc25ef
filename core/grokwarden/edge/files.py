"""Paths to documents: our resources as they stand, Keeptrusts-style files converted, everything else named.

Kubernetes files often hold a Secret or a Deployment beside a pack: such objects are left alone with a warning. A file
that was named and holds nothing of ours is an error, because then something else was meant.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import BinaryIO, Final

from grokwarden.api.v1alpha1 import API_VERSION, KINDS
from grokwarden.edge.keeptrusts import convert, is_keeptrusts
from grokwarden.edge.sources import Source, fingerprint, fingerprint_of, read_sources
from grokwarden.edge.yaml_reader import ReadDocument, read_yaml
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath

__all__ = ["Loaded", "fingerprint", "load", "load_sources"]

EXPECTED: Final = (
    f"a PolicyPack or ProviderTarget of {API_VERSION}, or a policy-config.yaml (pack, policies, providers)"
)
_LISTS: Final = frozenset({"List", *(f"{kind}List" for kind in KINDS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What stood in the files.

    Attributes:
        documents: Our resources, converted ones included, in order.
        unreadable: Files, or parts of them, that could not be read at all.
        findings: What is wrong with documents that could be read.
        warnings: What was left alone or assumed.
        fingerprint: The digest of these very bytes, as ``fingerprint`` gives it.
    """

    documents: tuple[Document, ...]
    unreadable: tuple[Problem, ...]
    findings: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    fingerprint: str

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that has to be mended before the documents may be used."""
        return (*self.unreadable, *self.findings)


def load(paths: Sequence[str], *, stdin: BinaryIO | None = None) -> Loaded:
    """Every document behind the paths, and every problem with them.

    Args:
        paths: Files, directories, or ``-`` for standard input.
        stdin: What ``-`` stands for.
    """
    return load_sources(read_sources(paths, stdin=stdin))


def load_sources(sources: Sequence[Source]) -> Loaded:
    """The same for bytes that were already read."""
    loader = _Loader()
    for source in sources:
        loader.add(source)
    if not loader.documents and not loader.unreadable and not loader.findings:
        names = ", ".join(source.name for source in sources) or "no file was named"
        loader.findings.append(Problem(message=f"nothing to enforce: expected {EXPECTED} in {names}"))
    return Loaded(
        documents=tuple(loader.documents),
        unreadable=tuple(loader.unreadable),
        findings=tuple(loader.findings),
        warnings=tuple(loader.warnings),
        fingerprint=fingerprint_of(sources),
    )


@dataclass(slots=True, kw_only=True)
class _Loader:
    documents: list[Document] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)
    findings: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, source: Source) -> None:
        if source.trouble:
            self.unreadable.append(Problem(message=source.trouble, file=source.name))
            return
        try:
            text = source.data.decode()
        except UnicodeDecodeError as error:
            line = source.data[: error.start].count(b"\n") + 1
            self.unreadable.append(Problem(message="not UTF-8 text", file=source.name, line=line))
            return
        reading = read_yaml(text, file=source.name)
        self.unreadable.extend(reading.unreadable)
        kept = [self._keep(each) for read in reading.documents for each in self._unfolded(read)]
        if source.is_named and not any(kept) and not reading.unreadable:
            self.findings.append(Problem(message=f"holds nothing of ours: expected {EXPECTED}", file=source.name))

    def _unfolded(self, read: ReadDocument) -> Iterator[ReadDocument]:
        """The document, or those of a ``List`` one by one."""
        content = read.document.content
        items = content.get("items")
        if content.get("kind") not in _LISTS or not isinstance(items, list):
            yield read
            return
        self.findings.extend(finding for finding in read.findings if not finding.path.startswith("items["))
        for index, item in enumerate(items):
            findings = tuple(finding for finding in read.findings if finding.path.startswith(f"items[{index}]"))
            yield ReadDocument(document=_item(read.document, index, item), findings=findings)

    def _keep(self, read: ReadDocument) -> bool:
        """Sort a document in; whether it is ours, be it right or wrong."""
        document, content = read.document, read.document.content
        if is_keeptrusts(content):
            conversion = convert(document, file_stem=_stem(document.file))
            self.documents.extend(conversion.documents)
            self.findings.extend(without_echoes(read.findings, conversion.problems))
            self.warnings.extend(conversion.warnings)
            return True
        api_version, kind = content.get("apiVersion"), content.get("kind")
        if is_foreign(api_version, kind):
            message = f"{api_version} {kind} is not ours and was left alone"
            self.warnings.append(Problem(message=message, file=document.file, line=document.line_of(())))
            return False
        self.findings.extend(read.findings)
        if api_version is None and kind is None:
            message = f"no apiVersion and no kind: expected {EXPECTED}"
            self.findings.append(Problem(message=message, file=document.file, line=document.line_of(())))
        else:
            self.documents.append(document)
        return True


def is_foreign(api_version: object, kind: object) -> bool:
    """Whether this is an object of somebody else, and not one of ours that is misspelt."""
    if not (isinstance(api_version, str) and isinstance(kind, str) and api_version and kind):
        return False
    is_like_ours = api_version.startswith("grokwarden") or kind.casefold() in {name.casefold() for name in KINDS}
    return not is_like_ours


def without_echoes(first: Sequence[Problem], others: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first problems, and those of the others that are about another field."""
    known = {(problem.file, problem.line, problem.path) for problem in first}
    return (*first, *(other for other in others if (other.file, other.line, other.path) not in known))


def _stem(file: str | None) -> str:
    return "" if file is None or file.startswith("<") else PurePath(file).stem


def _item(document: Document, index: int, item: object) -> Document:
    def line_of(path: FieldPath) -> int | None:
        return document.line_of(("items", index, *path))

    return Document(content=item if isinstance(item, dict) else {}, file=document.file, line_of=line_of)
