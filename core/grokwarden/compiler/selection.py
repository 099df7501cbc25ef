"""Which packs govern a pod, and in which order.

| tier | packs | order inside |
|---|---|---|
| Root | of the operator's namespace, where their ``namespaceSelector`` selects | priority, higher first, then name |
| Namespace | of the pod's own namespace | priority, higher first, then name |
"""

from collections.abc import Iterable, Iterator, Mapping

from grokwarden.api.fields import LabelExpression, LabelOperator, LabelSelector
from grokwarden.api.policypack import PackSelector
from grokwarden.compiler.scope import LoadedPack, Scope
from grokwarden.errors import Problem
from grokwarden.vocabulary import Tier

_NAME_LABEL = "kubernetes.io/metadata.name"


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether every condition of the selector holds for these labels; an empty selector selects everything."""
    exact = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return exact and all(_holds(expression, labels) for expression in selector.match_expressions)


def namespace_labels(namespace: str, scope: Scope) -> Mapping[str, str]:
    """What is known of a namespace's labels: its name at least, which the API server puts there itself."""
    return {**(scope.known_labels(namespace) or {}), _NAME_LABEL: namespace}


def governs(loaded: LoadedPack, namespace: str, scope: Scope) -> bool:
    """Whether the pack is enabled and governs a pod of ``namespace``. What is not known excludes nothing."""
    tier = scope.tier_of(loaded.source.namespace)
    if not loaded.pack.spec.enabled or (tier is Tier.NAMESPACE and loaded.source.namespace != namespace):
        return False
    selector = loaded.pack.spec.selector or PackSelector()
    by_namespace, by_pod = selector.namespace_selector, selector.pod_selector
    if (
        by_namespace is not None
        and scope.known_labels(namespace) is not None
        and not selects(by_namespace, namespace_labels(namespace, scope))
    ):
        return False
    return by_pod is None or scope.pod_labels is None or selects(by_pod, scope.pod_labels)


def rank(loaded: LoadedPack, scope: Scope) -> tuple[bool, int, str]:
    """The pack's place in the order of evaluation: smaller comes first."""
    is_namespace_tier = scope.tier_of(loaded.source.namespace) is Tier.NAMESPACE
    return (is_namespace_tier, -loaded.pack.spec.priority, loaded.source.name)


def selector_problems(packs: Iterable[LoadedPack], scope: Scope) -> Iterator[Problem]:
    """Selectors that their pack may not have."""
    for loaded in packs:
        selector = loaded.pack.spec.selector
        if selector is None or selector.namespace_selector is None:
            continue
        if scope.tier_of(loaded.source.namespace) is Tier.NAMESPACE:
            yield loaded.source.problem(
                ("spec", "selector", "namespaceSelector"),
                f"only packs of the operator's namespace ({scope.root_namespace}) may select namespaces; "
                f"this pack governs {loaded.source.namespace} alone: remove namespaceSelector",
            )


def selector_warnings(governing: Iterable[LoadedPack], namespace: str, scope: Scope) -> Iterator[Problem]:
    """Selectors that could not be judged for a pod of ``namespace``, so that their pack applies."""
    for loaded in governing:
        selector = loaded.pack.spec.selector or PackSelector()
        if selector.pod_selector is not None and scope.pod_labels is None:
            message = "applies although the pod's labels are not known; --pod-labels k=v,… lets the selector decide"
            yield loaded.source.problem(("spec", "selector", "podSelector"), message)
        if selector.namespace_selector is not None and scope.known_labels(namespace) is None:
            message = "applies although the namespace's labels are not known"
            yield loaded.source.problem(("spec", "selector", "namespaceSelector"), message)


def _holds(expression: LabelExpression, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression.key)
    match expression.operator:
        case LabelOperator.IN:
            return value in expression.values
        case LabelOperator.NOT_IN:
            return value not in expression.values
        case LabelOperator.EXISTS:
            return value is not None
        case LabelOperator.DOES_NOT_EXIST:
            return value is None
