"""All at once for one pod, or object by object and pod by pod: the same bundle, or the same complaints."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grokwarden.compiler import Compilation, Scope, TargetsView, compile_pack, compile_packs, compile_target, join
from grokwarden.errors import Problem, ResourceError
from grokwarden.resources import Document

ROOT = "grokwarden-system"
NAMESPACES = ("shop", "billing", ROOT)
LABELS = {"shop": {"team": "a"}, "billing": {"team": "b"}, ROOT: {}}
CHAIN = {"chain": [{"name": "core", "policy": "core-policy"}]}
ALLOWED = ({"from": "Same"}, {"from": "All"}, {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}})
SELECTORS: tuple[dict[str, Any], ...] = (
    {},
    {"selector": {"podSelector": {"matchLabels": {"app": "bot"}}}},
    {"selector": {"podSelector": {"matchLabels": {"app": "cat"}}}},
)
ROOT_SELECTORS: tuple[dict[str, Any], ...] = (
    *SELECTORS,
    {"selector": {"namespaceSelector": {"matchLabels": {"team": "a"}}}},
)


def document(kind: str, place: tuple[str, str], spec: dict[str, Any]) -> Document:
    namespace, name = place
    metadata = {"namespace": namespace, "name": name, "uid": f"{kind}-{namespace}-{name}", "generation": 3}
    content = {"apiVersion": "grokwarden.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    return Document(content=content)


def places(names: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(names)), max_size=5, unique=True)


@st.composite
def pack_documents(draw: st.DrawFn) -> list[Document]:
    found = []
    for namespace, name in draw(places("pqr")):
        selectors = ROOT_SELECTORS if namespace == ROOT else SELECTORS
        spec = {**CHAIN, **draw(st.sampled_from(selectors)), "priority": draw(st.integers(-1, 1))}
        spec["enabled"] = draw(st.integers(0, 4)) > 0
        if draw(st.integers(0, 2)) == 0:
            names = draw(st.lists(st.sampled_from("tu"), min_size=1, max_size=2, unique=True))
            spec["routing"] = {
                "targets": [{"name": name, "namespace": draw(st.sampled_from(NAMESPACES))} for name in names]
            }
        found.append(document("PolicyPack", (namespace, name), spec))
    return found


@st.composite
def target_documents(draw: st.DrawFn) -> list[Document]:
    key = {"name": "k", "key": "K"}
    return [
        document(
            "ProviderTarget",
            place,
            {"provider": "xai", "secretKeyRef": key, "allowedNamespaces": draw(st.sampled_from(ALLOWED))},
        )
        for place in draw(places("tu"))
    ]


def compilation_or_problems(documents: list[Document], scope: Scope) -> Compilation | set[Problem]:
    try:
        return compile_packs(documents, scope=scope)
    except ResourceError as error:
        return set(error.problems)


@settings(max_examples=300, deadline=None)
@given(pack_documents(), target_documents(), st.sampled_from(NAMESPACES), st.sampled_from(["bot", "dog"]))
def test_joined_units_are_what_compiling_all_at_once_gives(packs, targets, namespace, app):
    """Else a pack that was checked on a laptop would do something else in a cluster."""
    scope = Scope(namespace=namespace, pod_labels={"app": app}, labels_of=LABELS)
    compiled = {t.name: t for t in (compile_target(each, scope=scope) for each in targets)}
    units = [compile_pack(each, scope=scope) for each in packs]
    joined = join(units, TargetsView(compiled=compiled, names=compiled.keys()), scope=scope)
    complaints = {ref.problem for ref in joined.unresolved}
    found = compilation_or_problems([*packs, *targets], scope)
    if isinstance(found, Compilation):
        assert complaints == set()
        assert joined.bundle == found.bundle
        assert joined.warnings == found.warnings
        assert tuple(row for pack in joined.packs for row in pack.coverage) == found.coverage
    else:
        assert complaints <= found
