"""Pods that are treated alike, so that what is worked out once serves all of them, as one object.

Two pods of a namespace differ only in labels that some selector there asks for: the name that a StatefulSet puts on
each of its pods makes no difference, unless a pack selects by it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grokwarden.bundle import Bundle, PartRef
from grokwarden.compiler.joining import Joined, TargetsView, join
from grokwarden.compiler.scope import Scope
from grokwarden.compiler.units import CompiledPack
from grokwarden_operator.listing import PodFact
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.reconcile.secret_keys import KeyLookup


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PodGroup:
    """Live pods that no selector can tell apart.

    Attributes:
        scope: Of any of them, with the labels that selectors ask for.
        pods: By name.
        joined: What their sidecars are to run; ``None`` if none of them has one.
        wanted: The packs of that, by ``namespace/name``.
    """

    namespace: str
    scope: Scope
    pods: tuple[PodFact, ...]
    joined: Joined | None
    wanted: Mapping[str, PartRef]


def group_pods(
    pods: Iterable[PodFact],
    *,
    selecting: Sequence[CompiledPack],
    in_force: Sequence[CompiledPack],
    targets: TargetsView,
    scope: Scope,
) -> tuple[PodGroup, ...]:
    """The live pods in groups.

    Args:
        pods: Those that are not live are left out.
        selecting: Every pack whose selector will be asked.
        in_force: The packs that sidecars are to run.
        targets: Where their calls can go.
        scope: Of the cluster, without a pod.
    """
    asked = _Keys(selecting, scope.root_namespace)
    members: dict[tuple[str, tuple[tuple[str, str], ...]], list[PodFact]] = {}
    for pod in pods:
        if pod.is_live:
            members.setdefault((pod.namespace, asked.labels_of(pod)), []).append(pod)
    packs = _by_namespace(in_force)
    root = packs.get(scope.root_namespace, [])
    groups: list[PodGroup] = []
    for (namespace, labels), alike in sorted(members.items()):
        own = replace(scope, namespace=namespace, pod_labels=dict(labels))
        near = root if namespace == scope.root_namespace else [*root, *packs.get(namespace, ())]
        groups.append(_group(own, namespace, alike, near, targets))
    return tuple(groups)


def pod_configs(groups: Iterable[PodGroup], lookups: Mapping[str, KeyLookup]) -> dict[str, PodConfig]:
    """What each pod with a sidecar is to have, by uid; equal ones are one object.

    Args:
        groups: Of all live pods.
        lookups: By ``namespace/name`` of the target in force.
    """
    made: dict[str, PodConfig] = {}
    configs: dict[str, PodConfig] = {}
    for group in groups:
        if group.joined is None:
            continue
        bundle = group.joined.bundle
        config = made.get(bundle.version)
        if config is None:
            config = made[bundle.version] = _config(bundle, lookups)
        configs.update((pod.uid, config) for pod in group.pods if pod.has_sidecar)
    return configs


def _config(bundle: Bundle, lookups: Mapping[str, KeyLookup]) -> PodConfig:
    found = [lookups[target.name] for target in bundle.targets]
    return PodConfig(
        bundle=bundle,
        keys={lookup.reference: lookup.key for lookup in found if lookup.key is not None},
        unread=frozenset(lookup.reference for lookup in found if lookup.is_unread),
    )


def _group(
    scope: Scope, namespace: str, pods: list[PodFact], packs: Sequence[CompiledPack], targets: TargetsView
) -> PodGroup:
    has_sidecars = any(pod.has_sidecar for pod in pods)
    joined = join(packs, targets, scope=scope) if has_sidecars else None
    return PodGroup(
        namespace=namespace,
        scope=scope,
        pods=tuple(sorted(pods, key=lambda pod: (pod.name, pod.uid))),
        joined=joined,
        wanted={ref.name: ref for ref in joined.bundle.manifest.packs} if joined else {},
    )


class _Keys:
    """The labels that selectors ask for, namespace by namespace."""

    def __init__(self, packs: Iterable[CompiledPack], root_namespace: str) -> None:
        asked = {namespace: set(_asked_keys(packs)) for namespace, packs in _by_namespace(packs).items()}
        self._everywhere = frozenset(asked.get(root_namespace, ()))
        self._by_namespace = {namespace: frozenset(self._everywhere | keys) for namespace, keys in asked.items()}

    def labels_of(self, pod: PodFact) -> tuple[tuple[str, str], ...]:
        """What of the pod's labels matters."""
        keys: Collection[str] = self._by_namespace.get(pod.namespace, self._everywhere)
        return tuple(sorted((key, pod.labels[key]) for key in keys if key in pod.labels))


def _asked_keys(packs: Iterable[CompiledPack]) -> Iterator[str]:
    for pack in packs:
        selector = pack.loaded.pack.spec.selector
        if selector is not None and (by_pod := selector.pod_selector) is not None:
            yield from by_pod.match_labels
            yield from (expression.key for expression in by_pod.match_expressions)


def _by_namespace(packs: Iterable[CompiledPack]) -> dict[str, list[CompiledPack]]:
    found: dict[str, list[CompiledPack]] = {}
    for pack in packs:
        found.setdefault(pack.loaded.source.namespace, []).append(pack)
    return found
