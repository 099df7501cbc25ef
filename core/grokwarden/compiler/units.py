"""One resource compiled by itself: all that is known of it before anything else is looked at.

Whoever compiles for one pod (``compile_packs``) and whoever compiles object by object and composes per pod (``join``)
start from these, so that no rule is written twice. A unit never changes; what depends on the pod is ``joining``'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from grokwarden.api.validation import problem_at
from grokwarden.bundle import BlockResponse, Bundle, PackPart, Routing, TargetPart, digest_of
from grokwarden.compiler.coverage import PHASES_OF, CoverageRow, coverage_rows
from grokwarden.compiler.packtests import PackTest, expectation_problems, tests_of
from grokwarden.compiler.scope import LoadedPack, LoadedTarget, Scope, load_resources, metadata_of
from grokwarden.compiler.selection import selector_problems
from grokwarden.compiler.steps import compile_steps, mode_warnings
from grokwarden.compiler.targets import certificate_problems, key_problems, target_part
from grokwarden.errors import Problem, ResourceError
from grokwarden.resources import Document
from grokwarden.vocabulary import Endpoint, Tier

_KEPT_ROUTINGS: Final = 256
"""A guess. One routing is the rule; a root pack without its own gets one for each namespace."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledPack:
    """A pack in which nothing is at fault.

    Attributes:
        part: Its ``routing`` is ``None``: where calls go depends on what else there is.
        coverage: What each of its steps does on each path.
        warnings: What is accepted in it and may surprise.
        tests: Its own tests; whether they pass is ``failed_tests``' to say.
    """

    loaded: LoadedPack
    part: PackPart
    coverage: tuple[CoverageRow, ...]
    warnings: tuple[Problem, ...]
    tests: tuple[PackTest, ...]
    _routed: dict[Routing | None, tuple[PackPart, str]] = field(default_factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        """``namespace/name``."""
        return self.part.name

    def routed(self, routing: Routing | None) -> tuple[PackPart, str]:
        """The part with this routing, and its digest: the same objects for every pod that has the same."""
        found = self._routed.get(routing)
        if found is None:
            if len(self._routed) >= _KEPT_ROUTINGS:
                self._routed.clear()
            part = replace(self.part, routing=routing)
            found = self._routed[routing] = (part, digest_of(part))
        return found

    def alone(self, tier: Tier = Tier.NAMESPACE) -> Bundle:
        """The pack by itself, as its tests judge it: in force whatever it selects, and without a route."""
        return Bundle.of([(self.part, *metadata_of(self.loaded.pack), tier)], [])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledTarget:
    """A target in which nothing is at fault. Who may use it is in ``loaded.target.spec.allowed_namespaces``."""

    loaded: LoadedTarget
    part: TargetPart
    digest: str

    @property
    def name(self) -> str:
        """``namespace/name``."""
        return self.part.name


def compile_pack(document: Document, *, scope: Scope) -> CompiledPack:
    """The pack by itself. Of the scope, only the root namespace and the default namespace matter.

    Raises:
        ResourceError: This object alone is at fault; ``problems`` holds every reason. That a target of its routing is
            missing is no such fault, and neither are failing tests.
    """
    problems: list[Problem] = []
    packs = load_resources((document,), scope, problems).packs
    units = [pack_unit(loaded, problems) for loaded in packs]
    problems += selector_problems(packs, scope)
    if not units and not problems:
        problems.append(_wrong_kind(document, "PolicyPack"))
    raise_if_any(problems)
    return units[0]


def compile_target(document: Document, *, scope: Scope) -> CompiledTarget:
    """The target by itself. Of the scope, only ``standalone`` and the default namespace matter.

    Raises:
        ResourceError: This object alone is at fault; ``problems`` holds every reason. That its Secret is missing is no
            such fault.
    """
    problems: list[Problem] = []
    targets = tuple(load_resources((document,), scope, problems).targets.values())
    for loaded in targets:
        problems += (*certificate_problems(loaded), *key_problems(loaded, scope))
    if not targets and not problems:
        problems.append(_wrong_kind(document, "ProviderTarget"))
    raise_if_any(problems)
    return target_unit(targets[0])


def pack_unit(loaded: LoadedPack, problems: list[Problem]) -> CompiledPack:
    """The pack as far as it can be compiled; what is wrong with its chain and its tests goes to ``problems``."""
    spec, answer = loaded.pack.spec, loaded.pack.spec.block_response
    problems += expectation_problems(loaded)
    part = PackPart(
        name=loaded.source.full_name,
        version=spec.version,
        endpoints=tuple(endpoint for endpoint in Endpoint if endpoint in spec.endpoints.allow),
        on_unscannable=spec.on_unscannable,
        steps=compile_steps(loaded, problems),
        routing=None,
        block_response=BlockResponse(style=answer.style, message=answer.message, contact=answer.contact),
    )
    return CompiledPack(
        loaded=loaded,
        part=part,
        coverage=tuple(coverage_rows([part])),
        warnings=tuple(_warnings(loaded)),
        tests=tests_of(loaded),
    )


def target_unit(loaded: LoadedTarget) -> CompiledTarget:
    """The target, whatever is wrong with its certificates and its key."""
    part = target_part(loaded)
    return CompiledTarget(loaded=loaded, part=part, digest=digest_of(part))


def raise_if_any(problems: Iterable[Problem]) -> None:
    """Nothing, if there are no problems.

    Raises:
        ResourceError: There are; they are in the order of files and lines.
    """
    if found := sorted(problems, key=lambda problem: (problem.file or "", problem.line or 0)):
        raise ResourceError(found)


def _warnings(loaded: LoadedPack) -> Iterator[Problem]:
    yield from mode_warnings(loaded)
    spec = loaded.pack.spec
    if spec.chain and not any(PHASES_OF[endpoint] for endpoint in spec.endpoints.allow):
        message = "allows no endpoint that carries text, so no step of the chain ever has anything to look at"
        yield loaded.source.problem(("spec", "endpoints", "allow"), message)


def _wrong_kind(document: Document, wanted: str) -> Problem:
    return problem_at(document, ("kind",), f"is {document.content.get('kind')}; expected {wanted}")
