"""All resources together: what governs a pod, where its calls go, and every reason why that can't be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from grokwarden.bundle import BlockResponse, Bundle, PackPart, Retry, Routing
from grokwarden.compiler.coverage import PHASES_OF, CoverageRow, coverage_rows
from grokwarden.compiler.packtests import PackTest, expectation_problems, tests_of
from grokwarden.compiler.scope import LoadedPack, Resources, Scope, load_resources, metadata_of
from grokwarden.compiler.selection import governing_packs, selector_problems, selector_warnings
from grokwarden.compiler.steps import compile_steps, mode_warnings
from grokwarden.compiler.targets import certificate_problems, compile_routing, compile_target
from grokwarden.errors import Problem, ResourceError
from grokwarden.resources import Document
from grokwarden.vocabulary import Endpoint, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What a pod runs.

    Attributes:
        warnings: What is accepted and may surprise.
        coverage: What each step does on each path.
        tests: The tests of the packs in the bundle; each judges its own pack alone.
    """

    bundle: Bundle
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
    parts = {loaded.source.full_name: _pack_part(loaded, resources, scope, problems) for loaded in resources.packs}
    if resources.is_ambiguous:
        _raise_if_any(problems)
    problems += selector_problems(resources.packs, scope)
    problems += (found for target in resources.targets.values() for found in certificate_problems(target))
    governing = governing_packs(resources.packs, resources.namespace, scope)
    if not governing and scope.standalone and not problems:
        problems.append(_nothing_applies(resources))
    packs = [parts[loaded.source.full_name] for loaded in governing]
    if packs and not any(loaded.pack.spec.routing for loaded in governing) and not resources.has_broken_pack:
        packs[0] = _with_default_routing(packs[0], governing[0], resources, problems)
    used = sorted({name for pack in packs if pack.routing for name in pack.routing.targets})
    targets = [resources.targets[name] for name in used if name in resources.targets]
    target_parts = [(compile_target(target, scope, problems), *metadata_of(target.target)) for target in targets]
    _raise_if_any(problems)
    tiers = [scope.tier_of(loaded.source.namespace) for loaded in governing]
    bundle = Bundle.of(
        ((part, *metadata_of(loaded.pack), tier) for part, loaded, tier in zip(packs, governing, tiers, strict=True)),
        target_parts,
    )
    return Compilation(
        bundle=bundle,
        warnings=tuple(_warnings(governing, scope)),
        coverage=tuple(coverage_rows(packs)),
        tests=tuple(test for loaded in governing for test in tests_of(loaded)),
    )


def compile_each_pack(documents: Sequence[Document], *, scope: Scope) -> tuple[TestedPack, ...]:
    """Every pack by itself, enabled or not and whatever it selects, with its tests; in order of the documents.

    Raises:
        ResourceError: A document or a chain can't be used. Where calls would go is not looked at.
    """
    problems: list[Problem] = []
    resources = load_resources(documents, scope, problems)
    parts = [(loaded, _chain_part(loaded, problems)) for loaded in resources.packs]
    _raise_if_any(problems)
    return tuple(
        TestedPack(
            bundle=Bundle.of([(part, *metadata_of(loaded.pack), scope.tier_of(loaded.source.namespace))], []),
            tests=tests_of(loaded),
        )
        for loaded, part in parts
    )


def _raise_if_any(problems: Iterable[Problem]) -> None:
    if found := sorted(problems, key=lambda problem: (problem.file or "", problem.line or 0)):
        raise ResourceError(found)


def _chain_part(loaded: LoadedPack, problems: list[Problem]) -> PackPart:
    """A pack without its routing."""
    spec, answer = loaded.pack.spec, loaded.pack.spec.block_response
    problems += expectation_problems(loaded)
    return PackPart(
        name=loaded.source.full_name,
        version=spec.version,
        endpoints=tuple(endpoint for endpoint in Endpoint if endpoint in spec.endpoints.allow),
        on_unscannable=spec.on_unscannable,
        steps=compile_steps(loaded, problems),
        routing=None,
        block_response=BlockResponse(style=answer.style, message=answer.message, contact=answer.contact),
    )


def _pack_part(loaded: LoadedPack, resources: Resources, scope: Scope, problems: list[Problem]) -> PackPart:
    part, routing = _chain_part(loaded, problems), loaded.pack.spec.routing
    is_ours = loaded.source.namespace in {resources.namespace, scope.root_namespace}
    if routing is None or not is_ours:  # what another namespace's targets allow is not ours to know
        return part
    return replace(part, routing=compile_routing(loaded, routing, resources, scope, problems))


def _with_default_routing(
    part: PackPart, loaded: LoadedPack, resources: Resources, problems: list[Problem]
) -> PackPart:
    """The pack with a routing to the only target of the pod's namespace."""
    there = [name for name in resources.target_names if name.startswith(f"{resources.namespace}/")]
    if len(there) == 1:
        routing = Routing(strategy=Strategy.ORDERED, targets=(there[0],), retry=Retry())
        return replace(part, routing=routing)
    count = f"{len(there)} ProviderTargets ({', '.join(there)})" if there else "no ProviderTarget"
    message = (
        f"no pack that applies says where calls go, and namespace {resources.namespace} has {count}; "
        "name the targets in spec.routing.targets"
    )
    problems.append(loaded.source.problem(("spec", "routing"), message))
    return part


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


def _warnings(governing: Sequence[LoadedPack], scope: Scope) -> Iterable[Problem]:
    yield from selector_warnings(governing, scope)
    routed = [loaded for loaded in governing if loaded.pack.spec.routing]
    for loaded in governing:
        yield from mode_warnings(loaded)
        spec = loaded.pack.spec
        if spec.chain and not any(PHASES_OF[endpoint] for endpoint in spec.endpoints.allow):
            message = "allows no endpoint that carries text, so no step of the chain ever has anything to look at"
            yield loaded.source.problem(("spec", "endpoints", "allow"), message)
    for loaded in routed[1:]:
        message = f"is not used: the routing of {routed[0].source.full_name} comes first"
        yield loaded.source.problem(("spec", "routing"), message)
