"""For whom is compiled, and the resources that are there: named, in their namespaces, each one once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grokwarden.api.v1alpha1 import PolicyPack, ProviderTarget, Resource
from grokwarden.api.validation import problem_at, resource_name, validated
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath
from grokwarden.vocabulary import Tier

DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The pod for which is compiled, as far as it is known.

    Attributes:
        namespace: Its namespace; ``None`` takes the only one there is.
        pod_labels: ``None`` if unknown: then no selector of pods excludes a pack, and a warning says so.
        namespace_labels: Of its namespace; ``None`` if unknown: then no selector of namespaces excludes a root pack.
        labels_of: Of every namespace, by name, for whoever sees a whole cluster; then ``namespace_labels`` is not read.
        root_namespace: The operator's own namespace, whose packs come first.
        standalone: Keys come from the environment or from files, and not from Secrets.
    """

    namespace: str | None = None
    pod_labels: Mapping[str, str] | None = None
    namespace_labels: Mapping[str, str] | None = None
    labels_of: Mapping[str, Mapping[str, str]] | None = None
    root_namespace: str = "grokwarden-system"
    standalone: bool = False

    def tier_of(self, namespace: str) -> Tier:
        """Whether packs of this namespace are the operator's own."""
        return Tier.ROOT if namespace == self.root_namespace else Tier.NAMESPACE

    def known_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The namespace's labels, ``None`` if they are not known."""
        if self.labels_of is not None:
            return self.labels_of.get(namespace)
        return self.namespace_labels if namespace == self.namespace else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a resource stands, and what it is called."""

    document: Document
    kind: str
    namespace: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    def problem(self, path: FieldPath, message: str) -> Problem:
        """Something wrong in this resource."""
        return problem_at(self.document, path, message, namespace=self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPack:
    """A valid pack and its source."""

    source: Source
    pack: PolicyPack


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTarget:
    """A valid target and its source."""

    source: Source
    target: ProviderTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The valid resources, and the names of all, so that a broken target is not missed a second time.

    Attributes:
        namespace: The pod's namespace.
        target_names: ``namespace/name`` of every target, valid or not, in order.
        is_ambiguous: The pod's namespace could not be told, so nothing that depends on it is worth saying.
        has_broken_pack: A pack is not in ``packs`` because it is not valid.
    """

    namespace: str
    packs: tuple[LoadedPack, ...]
    targets: Mapping[str, LoadedTarget]
    target_names: tuple[str, ...]
    is_ambiguous: bool
    has_broken_pack: bool


def load_resources(documents: Sequence[Document], scope: Scope, problems: list[Problem]) -> Resources:
    """Everything valid in the documents; what is not goes to ``problems``."""
    namespace, ambiguity = _namespace(documents, scope)
    problems += ambiguity
    sources = [_source(document, namespace) for document in documents]
    problems += _duplicates(sources)
    packs: list[LoadedPack] = []
    targets: dict[str, LoadedTarget] = {}
    for source in sources:
        resource, found = validated(source.document, namespace=source.namespace)
        problems += found
        match resource:
            case PolicyPack():
                packs.append(LoadedPack(source=source, pack=resource))
            case ProviderTarget():
                targets.setdefault(source.full_name, LoadedTarget(source=source, target=resource))
            case None:
                pass
    return Resources(
        namespace=namespace,
        packs=tuple(packs),
        targets=targets,
        target_names=tuple(dict.fromkeys(s.full_name for s in sources if s.kind == "ProviderTarget")),
        is_ambiguous=bool(ambiguity),
        has_broken_pack=len(packs) < sum(source.kind == "PolicyPack" for source in sources),
    )


def metadata_of(resource: Resource) -> tuple[str, int]:
    """The uid and the generation that the API server gave; empty and 0 for a file."""
    return resource.metadata.uid or "", resource.metadata.generation


def _namespace(documents: Sequence[Document], scope: Scope) -> tuple[str, list[Problem]]:
    """The pod's namespace, or a problem if it can't be told."""
    if scope.namespace is not None:
        return scope.namespace, []
    given = {_metadata(document).get("namespace") for document in documents}
    named = sorted(name for name in given if isinstance(name, str))
    if len(named) > 1:
        message = f"the resources are of several namespaces ({', '.join(named)}); say which one to act for: --namespace"
        return named[0], [Problem(message=message)]
    if named == [scope.root_namespace] and len(given) > 1:
        message = (
            f"some resources name the namespace {named[0]} and the others none; "
            "say which one the others belong to: --namespace"
        )
        return DEFAULT_NAMESPACE, [Problem(message=message)]
    return (named[0] if named else DEFAULT_NAMESPACE), []


def _metadata(document: Document) -> Mapping[str, object]:
    metadata = document.content.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _source(document: Document, namespace: str) -> Source:
    metadata, kind = _metadata(document), document.content.get("kind")
    own, name = metadata.get("namespace"), metadata.get("name")
    return Source(
        document=document,
        kind=kind if isinstance(kind, str) else "",
        namespace=own if isinstance(own, str) else namespace,
        name=name if isinstance(name, str) else "",
    )


def _duplicates(sources: Sequence[Source]) -> Iterator[Problem]:
    path: FieldPath = ("metadata", "name")
    first_by_name: dict[str, Source] = {}
    for source in sources:
        if not source.name:
            continue
        name = resource_name(source.document, namespace=source.namespace)
        first = first_by_name.setdefault(name, source)
        if first is source:
            continue
        place, line = first.document.file or "another document", first.document.line_of(path)
        place = f"{place}:{line}" if first.document.file and line else place
        yield source.problem(path, f"this {source.kind} is defined twice; the first one is in {place}")
