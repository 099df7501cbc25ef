"""All resources together: what governs a pod, where its calls go, and every reason why that can't be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from grokwarden.bundle import Bundle
from grokwarden.compiler.coverage import CoverageRow
from grokwarden.compiler.joining import Joined, RefReason, TargetsView, full_name, join, resolve_routing
from grokwarden.compiler.packtests import PackTest
from grokwarden.compiler.scope import LoadedPack, Resources, Scope, load_resources
from grokwarden.compiler.selection import selector_problems
from grokwarden.compiler.targets import certificate_problems, key_problems
from grokwarden.compiler.units import CompiledPack, pack_unit, raise_if_any, target_unit
from grokwarden.errors import Problem
from grokwarden.resources import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What a pod runs.

    Attributes:
        packs: Those that govern the pod, in order of evaluation.
        warnings: What is accepted and may surprise.
        coverage: What each step does on each path.
        tests: The tests of the packs in the bundle; each judges its own pack alone.
    """

    bundle: Bundle
    packs: tuple[CompiledPack, ...]
    warnings: tuple[Problem, ...]
    coverage: tuple[CoverageRow, ...]
    tests: tuple[PackTest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedPack:
    """One pack by itself, as its tests judge it: in force whatever it selects, and without a route."""

    __test__ = False

    bundle: Bundle
    tests: tuple[PackTest, ...]


def compile_packs(documents: Sequence[Document], *, scope: Scope) -> Compilation:
    """The bundle for one pod.

    Every pack is checked, also one that does not govern this pod; only targets that are referenced are in the bundle.
    With no routing in any pack, the only target of the pod's namespace is used.

    Raises:
        ResourceError: Something can't be used or can't be enforced; ``problems`` holds all of it.
    """
    problems: list[Problem] = []
    resources = load_resources(documents, scope, problems)
    scope = replace(scope, namespace=resources.namespace)
    targets = TargetsView(
        compiled={name: target_unit(loaded) for name, loaded in resources.targets.items()},
        names=dict.fromkeys(resources.target_names),
    )
    packs: list[CompiledPack] = []
    for loaded in resources.packs:
        packs.append(pack_unit(loaded, problems))
        problems += _reference_problems(packs[-1], targets, scope)
    if resources.is_ambiguous:
        raise_if_any(problems)
    problems += selector_problems(resources.packs, scope)
    problems += (found for target in resources.targets.values() for found in certificate_problems(target))
    joined = join(packs, targets, scope=scope)
    if not joined.packs and scope.standalone and not problems:
        problems.append(_nothing_applies(resources))
    problems += _default_problems(joined, resources)
    for name in _used(joined, resources):
        if found := resources.targets.get(name):
            problems += key_problems(found, scope)
    raise_if_any(problems)
    return Compilation(
        bundle=joined.bundle,
        packs=joined.packs,
        warnings=joined.warnings,
        coverage=tuple(row for pack in joined.packs for row in pack.coverage),
        tests=tuple(test for pack in joined.packs for test in pack.tests),
    )


def compile_each_pack(documents: Sequence[Document], *, scope: Scope) -> tuple[TestedPack, ...]:
    """Every pack by itself, enabled or not and whatever it selects, with its tests; in order of the documents.

    Raises:
        ResourceError: A document or a chain can't be used. Where calls would go is not looked at.
    """
    problems: list[Problem] = []
    packs = [pack_unit(loaded, problems) for loaded in load_resources(documents, scope, problems).packs]
    raise_if_any(problems)
    return tuple(
        TestedPack(bundle=pack.alone(scope.tier_of(pack.loaded.source.namespace)), tests=pack.tests) for pack in packs
    )


def _reference_problems(pack: CompiledPack, targets: TargetsView, scope: Scope) -> Iterator[Problem]:
    """References of the pack that can't be followed; a target that is wrong itself is reported there alone."""
    if pack.loaded.source.namespace not in {scope.namespace, scope.root_namespace}:
        return  # what another namespace's targets allow is not ours to know
    _, unresolved = resolve_routing(pack, targets, scope=scope)
    yield from (ref.problem for ref in unresolved if ref.reason is not RefReason.TARGET_NOT_ACCEPTED)


def _default_problems(joined: Joined, resources: Resources) -> Iterator[Problem]:
    """That nobody says where calls go; a pack that is wrong itself may be the one that does."""
    if not resources.has_broken_pack:
        guessed = {RefReason.NO_TARGET, RefReason.AMBIGUOUS_TARGET}
        yield from (ref.problem for ref in joined.unresolved if ref.reason in guessed)


def _used(joined: Joined, resources: Resources) -> list[str]:
    """The targets that the pod's packs name, whether or not they may, and the one that nobody has to name."""
    named = {
        full_name(reference, pack)
        for pack in joined.packs
        if pack.loaded.pack.spec.routing
        for reference in pack.loaded.pack.spec.routing.targets
    }
    default = () if resources.has_broken_pack else (target.name for target in joined.bundle.targets)
    return sorted(named.union(default))


def _nothing_applies(resources: Resources) -> Problem:
    if not resources.packs:
        return Problem(message="no PolicyPack applies: there is none among the resources")
    reasons = "; ".join(f"{loaded.source.full_name} {_why_not(loaded, resources)}" for loaded in resources.packs)
    return Problem(message=f"no PolicyPack applies, so no call could be governed: {reasons}")


def _why_not(loaded: LoadedPack, resources: Resources) -> str:
    if not loaded.pack.spec.enabled:
        return "is not enabled"
    if loaded.source.namespace != resources.namespace and loaded.pack.spec.selector is None:
        return f"governs namespace {loaded.source.namespace}, not {resources.namespace}"
    return "does not select this pod"
