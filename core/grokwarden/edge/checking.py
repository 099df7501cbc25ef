"""Whether resources can be enforced, for whoever has no pod at hand: every namespace that has packs is compiled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from grokwarden.bundle import PackPart
from grokwarden.compiler import Compilation, CoverageRow, Scope, TestedPack, compile_each_pack, compile_packs
from grokwarden.compiler.scope import DEFAULT_NAMESPACE
from grokwarden.edge.compiling import known_problems
from grokwarden.edge.files import Loaded
from grokwarden.errors import Problem, ResourceError
from grokwarden.resources import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found. Without problems ``packs`` holds every pack, and ``in_force`` those that govern some pod."""

    packs: tuple[TestedPack, ...] = ()
    in_force: tuple[PackPart, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(loaded: Loaded, scope: Scope, *, is_standalone: bool | None = None) -> Check:
    """Everything that is wrong or surprising in what was read, and what it enforces.

    Args:
        loaded: What was read.
        scope: The pod, as far as it is known; without a namespace, every namespace is checked.
        is_standalone: Where the resources are for; ``None`` looks at where their keys come from.
    """
    if loaded.problems:
        return Check(problems=known_problems(loaded), warnings=loaded.warnings)
    documents = loaded.documents
    scope = replace(scope, standalone=not _uses_secrets(documents) if is_standalone is None else is_standalone)
    problems: list[Problem] = []
    packs: tuple[TestedPack, ...] = ()
    compilations: list[Compilation] = []
    namespaces = _namespaces(documents) if scope.namespace is None else [scope.namespace]
    try:
        packs = packs_alone(documents, scope)
    except ResourceError as error:
        problems += error.problems
    for namespace in namespaces:
        try:
            compilations.append(compile_packs(documents, scope=replace(scope, namespace=namespace)))
        except ResourceError as error:
            problems += error.problems
    warnings = (*loaded.warnings, *(warning for compiled in compilations for warning in compiled.warnings))
    if problems:
        return Check(problems=_once(problems), warnings=loaded.warnings)
    if packs and not namespaces:
        warnings = (*warnings, Problem(message="no pack is enabled, so nothing would be enforced"))
    return Check(
        packs=packs,
        in_force=tuple(pack for compiled in compilations for pack in compiled.bundle.packs),
        coverage=tuple(dict.fromkeys(row for compiled in compilations for row in compiled.coverage)),
        warnings=_once(warnings),
    )


def packs_alone(documents: Sequence[Document], scope: Scope) -> tuple[TestedPack, ...]:
    """Every pack by itself. That the pod's namespace can't be told is no obstacle here.

    Raises:
        ResourceError: A document or a chain can't be used.
    """
    named = {_mapping(document.content, "metadata").get("namespace") for document in documents}
    if scope.namespace is None and len(named - {None}) > 1:
        scope = replace(scope, namespace=DEFAULT_NAMESPACE)
    return compile_each_pack(documents, scope=scope)


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.file or "", problem.line or 0))
    return tuple(ordered)


def _uses_secrets(documents: Sequence[Document]) -> bool:
    """Whether some target's key is in a Secret, which there is only in a cluster."""
    references = (_mapping(_mapping(document.content, "spec"), "secretKeyRef") for document in documents)
    return any("name" in reference for reference in references)


def _namespaces(documents: Sequence[Document]) -> Sequence[str | None]:
    """The namespaces to check one by one: those with an enabled pack; ``None`` alone where not all are named."""
    enabled = [document for document in documents if _is_enabled_pack(document)]
    named = {_mapping(document.content, "metadata").get("namespace") for document in documents}
    if not enabled:
        return []
    if None in named or not all(isinstance(name, str) for name in named):
        return [None]
    return sorted({str(_mapping(document.content, "metadata")["namespace"]) for document in enabled})


def _is_enabled_pack(document: Document) -> bool:
    is_pack = document.content.get("kind") == "PolicyPack"
    return is_pack and _mapping(document.content, "spec").get("enabled", True) is not False


def _mapping(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = content.get(key)
    return value if isinstance(value, Mapping) else {}
