"""What governs one pod and where its calls go, put together from units that are compiled already.

Nothing here can fail: a reference that can't be followed is left out and listed, and a routing of which nothing is left
stays one, empty, so that calls are refused and not sent by somebody else's word.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grokwarden.api.expectations import nearest
from grokwarden.api.policypack import TargetReference
from grokwarden.bundle import Bundle, PackPart, PartRef, Retry, Routing, TargetPart
from grokwarden.compiler.scope import DEFAULT_NAMESPACE, Scope, metadata_of
from grokwarden.compiler.selection import governs as governs_loaded
from grokwarden.compiler.selection import rank, selector_warnings
from grokwarden.compiler.targets import is_allowed
from grokwarden.compiler.units import CompiledPack, CompiledTarget
from grokwarden.errors import Problem
from grokwarden.resources import FieldPath
from grokwarden.vocabulary import RetryCause, Strategy, Tier


class RefReason(StrEnum):
    """Why calls can't go where a pack says, or where it would be guessed."""

    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"  # it is in another namespace, and does not allow the pack's
    TARGET_NOT_ACCEPTED = "TargetNotAccepted"  # it is there and does not compile, and no good version of it is known
    NO_TARGET = "NoTarget"  # no pack has a routing, and the pod's namespace has no target
    AMBIGUOUS_TARGET = "AmbiguousTarget"  # no pack has a routing, and the pod's namespace has several targets


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedRef:
    """A reference that is not followed.

    Attributes:
        pack: ``namespace/name`` of the pack that makes it; where nobody makes one, of the pack that might.
        problem: Where in that pack, and what to do about it.
    """

    pack: str
    reason: RefReason
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsView:
    """The targets that there are.

    Attributes:
        compiled: Those that can be used, by ``namespace/name``.
        names: All that exist, compiled or not, in the order in which messages are to list them. Let it be quick to
            look up, and its order stable: a dict's keys.
    """

    compiled: Mapping[str, CompiledTarget]
    names: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What one pod runs.

    Attributes:
        packs: Those that govern the pod, in order of evaluation; ``bundle.packs`` are their parts, routed.
        unresolved: Of these packs, the references that are not followed.
        warnings: What is accepted and may surprise: of each pack, and of all together.
    """

    bundle: Bundle
    packs: tuple[CompiledPack, ...]
    unresolved: tuple[UnresolvedRef, ...]
    warnings: tuple[Problem, ...]


def governs(pack: CompiledPack, scope: Scope) -> bool:
    """Whether the pack is enabled and governs the pod that the scope describes."""
    return governs_loaded(pack.loaded, _namespace(scope), scope)


def join(packs: Iterable[CompiledPack], targets: TargetsView, *, scope: Scope) -> Joined:
    """What the pod that ``scope`` describes runs. Never fails for a resource's fault.

    With no routing in any pack that governs it, calls go to the only target of the pod's namespace, said by the first
    pack of that namespace; without such a target no pack has a routing, and the sidecar refuses calls.
    """
    governing = sorted((pack for pack in packs if governs(pack, scope)), key=lambda pack: rank(pack.loaded, scope))
    routings: list[Routing | None] = []
    unresolved: list[UnresolvedRef] = []
    for pack in governing:
        routing, missing = resolve_routing(pack, targets, scope=scope)
        routings.append(routing)
        unresolved += missing
    if governing and all(routing is None for routing in routings):
        host = _host_of_default(governing, scope)
        found = _default_routing(governing[host], targets, _namespace(scope))
        if isinstance(found, UnresolvedRef):
            unresolved.append(found)
        else:
            routings[host] = found
    used = sorted({name for routing in routings if routing for name in routing.targets})
    return Joined(
        bundle=Bundle.linked(
            [_linked_pack(pack, routing, scope) for pack, routing in zip(governing, routings, strict=True)],
            [_linked_target(targets.compiled[name]) for name in used],
        ),
        packs=tuple(governing),
        unresolved=tuple(unresolved),
        warnings=tuple(_warnings(governing, scope)),
    )


def resolve_routing(
    pack: CompiledPack, targets: TargetsView, *, scope: Scope
) -> tuple[Routing | None, tuple[UnresolvedRef, ...]]:
    """Where the pack's calls go, as far as its references can be followed, and those that can't.

    ``None`` only where the pack has no routing. Of the scope, only namespaces' labels matter.
    """
    routing = pack.loaded.pack.spec.routing
    if routing is None:
        return None, ()
    names: list[str] = []
    unresolved: list[UnresolvedRef] = []
    for index, reference in enumerate(routing.targets):
        name = full_name(reference, pack)
        if obstacle := _obstacle(name, reference, pack, targets, scope):
            reason, field, message = obstacle
            at: FieldPath = ("spec", "routing", "targets", index, field)
            unresolved.append(_unresolved(pack, reason, at, message))
        else:
            names.append(name)
    retry = Retry(
        max_retries=routing.retry.max_retries,
        retry_on=tuple(cause for cause in RetryCause if cause in routing.retry.retry_on),
    )
    return Routing(strategy=routing.strategy, targets=tuple(names), retry=retry), tuple(unresolved)


def full_name(reference: TargetReference, pack: CompiledPack) -> str:
    """``namespace/name`` of the target that the pack means."""
    return f"{reference.namespace or pack.loaded.source.namespace}/{reference.name}"


def _obstacle(
    name: str, reference: TargetReference, pack: CompiledPack, targets: TargetsView, scope: Scope
) -> tuple[RefReason, str, str] | None:
    """Why the reference can't be followed, at which of its fields, and in words; ``None`` if it can."""
    namespace, found = pack.loaded.source.namespace, targets.compiled.get(name)
    if found is not None and is_allowed(found.loaded, namespace, scope):
        return None
    if found is not None:
        message = (
            f"ProviderTarget {name} does not allow namespace {namespace}; "
            "its spec.allowedNamespaces has to say All, or select it"
        )
        return RefReason.TARGET_NOT_ALLOWED, "namespace", message
    if name in targets.names:
        message = f"ProviderTarget {name} can't be used: it is not accepted, and no good version of it is known"
        return RefReason.TARGET_NOT_ACCEPTED, "name", message
    return RefReason.TARGET_NOT_FOUND, "name", _unknown_target(name, reference, pack, targets, scope)


def _unknown_target(
    name: str, reference: TargetReference, pack: CompiledPack, targets: TargetsView, scope: Scope
) -> str:
    namespace = name.split("/", 1)[0]
    shown = [other.split("/", 1) for other in _shown_names(pack, targets, scope)]
    elsewhere = [space for space, other in shown if other == reference.name]
    if elsewhere and reference.namespace is None:
        return f"there is no ProviderTarget {name}; there is one in {elsewhere[0]}: set namespace: {elsewhere[0]}"
    there = [other for space, other in shown if space == namespace]
    if not there:
        is_other = scope.labels_of is not None and namespace != pack.loaded.source.namespace
        none = f"none that namespace {pack.loaded.source.namespace} may use" if is_other else "none at all"
        return f"there is no ProviderTarget {name}; namespace {namespace} has {none}"
    hint = nearest(reference.name, there) or f"; there are {', '.join(there)}"
    return f"there is no ProviderTarget {name}{hint}"


def _shown_names(pack: CompiledPack, targets: TargetsView, scope: Scope) -> Iterator[str]:
    """The targets that a message to the pack's author may name: of a cluster, not what others keep to themselves."""
    namespace = pack.loaded.source.namespace
    for name in targets.names:
        found = targets.compiled.get(name)
        is_open = found is not None and is_allowed(found.loaded, namespace, scope)
        if scope.labels_of is None or is_open or name.startswith(f"{namespace}/"):
            yield name


def _host_of_default(governing: Sequence[CompiledPack], scope: Scope) -> int:
    """The pack that says the default routing: of the pod's namespace, so that root packs are the same everywhere."""
    tiers = (scope.tier_of(pack.loaded.source.namespace) for pack in governing)
    return next((index for index, tier in enumerate(tiers) if tier is Tier.NAMESPACE), 0)


def _default_routing(host: CompiledPack, targets: TargetsView, namespace: str) -> Routing | UnresolvedRef:
    there = [name for name in targets.names if name.startswith(f"{namespace}/")]
    if len(there) == 1 and there[0] in targets.compiled:
        return Routing(strategy=Strategy.ORDERED, targets=(there[0],), retry=Retry())
    if len(there) == 1:
        message = (
            f"no pack that applies says where calls go, and the only ProviderTarget of namespace {namespace}, "
            f"{there[0]}, can't be used: it is not accepted, and no good version of it is known"
        )
        return _unresolved(host, RefReason.TARGET_NOT_ACCEPTED, ("spec", "routing"), message)
    count = f"{len(there)} ProviderTargets ({', '.join(there)})" if there else "no ProviderTarget"
    message = (
        f"no pack that applies says where calls go, and namespace {namespace} has {count}; "
        "name the targets in spec.routing.targets"
    )
    reason = RefReason.AMBIGUOUS_TARGET if there else RefReason.NO_TARGET
    return _unresolved(host, reason, ("spec", "routing"), message)


def _unresolved(pack: CompiledPack, reason: RefReason, path: FieldPath, message: str) -> UnresolvedRef:
    return UnresolvedRef(pack=pack.name, reason=reason, problem=pack.loaded.source.problem(path, message))


def _linked_pack(pack: CompiledPack, routing: Routing | None, scope: Scope) -> tuple[PartRef, PackPart]:
    part, digest = pack.routed(routing)
    uid, generation = metadata_of(pack.loaded.pack)
    tier = scope.tier_of(pack.loaded.source.namespace)
    return PartRef(name=part.name, uid=uid, generation=generation, digest=digest, tier=tier), part


def _linked_target(target: CompiledTarget) -> tuple[PartRef, TargetPart]:
    uid, generation = metadata_of(target.loaded.target)
    return PartRef(name=target.name, uid=uid, generation=generation, digest=target.digest), target.part


def _warnings(governing: Sequence[CompiledPack], scope: Scope) -> Iterator[Problem]:
    yield from selector_warnings([pack.loaded for pack in governing], _namespace(scope), scope)
    for pack in governing:
        yield from pack.warnings
    routed = [pack.loaded.source for pack in governing if pack.loaded.pack.spec.routing]
    for source in routed[1:]:
        message = f"is not used: the routing of {routed[0].full_name} comes first"
        yield source.problem(("spec", "routing"), message)


def _namespace(scope: Scope) -> str:
    return scope.namespace or DEFAULT_NAMESPACE
