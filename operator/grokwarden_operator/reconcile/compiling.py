"""Every resource by itself, compiled once per generation, with the last version of it that was good.

A pack that does not compile, or that fails its own tests, leaves in force what was good before it; so does a target.
"Before" outlives this process: whoever runs this hands in the good documents that it stored, and stores those that come
out. An object is its uid: one that is deleted and made anew under the same name inherits nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from grokwarden.bundle import digest_of
from grokwarden.compiler.proving import failed_tests
from grokwarden.compiler.scope import Scope, metadata_of
from grokwarden.compiler.units import CompiledPack, CompiledTarget, compile_pack, compile_target
from grokwarden.edge.logs import place_of
from grokwarden.errors import BundleError, Problem, ResourceError
from grokwarden.resources import Document
from grokwarden_operator.listing import Listing, ResourceFact, StoredResource
from grokwarden_operator.reconcile.secret_keys import bound

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_DOCUMENT_BYTES: Final = 1_000_000
"""A ConfigMap, in which the last good version is kept, holds 1,048,576 bytes."""
_Unit = TypeVar("_Unit", CompiledPack, CompiledTarget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Generic[_Unit]):
    """What is thought of an object's newest generation, and what of the object is in force.

    Attributes:
        newest: The newest generation, if it compiles.
        problems: Why it does not; empty if it does.
        failures: Its own tests that fail; always empty for a target.
        in_force: The newest generation if it is good, else the last good one, else ``None``.
    """

    fact: ResourceFact
    newest: _Unit | None
    problems: tuple[Problem, ...]
    failures: tuple[Problem, ...]
    in_force: _Unit | None

    @property
    def is_good(self) -> bool:
        """The newest generation compiles and passes its tests."""
        return self.newest is not None and not self.failures

    @property
    def in_force_generation(self) -> int | None:
        """The generation that is in force, ``None`` if none is."""
        if isinstance(self.in_force, CompiledPack):
            return self.in_force.loaded.pack.metadata.generation
        return self.in_force.loaded.target.metadata.generation if self.in_force is not None else None


PackVerdict = Verdict[CompiledPack]
TargetVerdict = Verdict[CompiledTarget]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Of every pack and target of a listing.

    Attributes:
        packs: By ``namespace/name``.
        targets: By ``namespace/name``.
        good: The last good version of each object that has one, by uid: all that has to be stored, and nothing else.
    """

    packs: Mapping[str, PackVerdict]
    targets: Mapping[str, TargetVerdict]
    good: Mapping[str, StoredResource]

    @property
    def secrets(self) -> frozenset[tuple[str, str]]:
        """Namespace and name of the Secrets that the versions in force name, which the newest ones need not."""
        units = (verdict.in_force for verdict in self.targets.values())
        references = (unit.part.key.secret for unit in units if unit is not None and unit.part.key is not None)
        return frozenset((parts[0], parts[1]) for text in references if text and (parts := text.split("/", 2)))

    def obsolete(self, stored: Mapping[str, StoredResource]) -> frozenset[str]:
        """The uids among these whose object is gone, so that nobody can need them."""
        return frozenset(stored) - {v.fact.uid for verdicts in (self.packs, self.targets) for v in verdicts.values()}

    def unstored(self, stored: Mapping[str, StoredResource]) -> Mapping[str, StoredResource]:
        """The good versions that are not among these, or as another generation."""
        return {
            uid: good
            for uid, good in self.good.items()
            if uid not in stored or stored[uid].generation != good.generation
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known(Generic[_Unit]):
    """All that is kept of an object: at most two compiled versions, and the document of the good one."""

    verdict: Verdict[_Unit]
    good: StoredResource | None


class ResourceCompiler:
    """Compiles what changed. Not thread-safe, and slow where there is much to compile or to test: not for a loop."""

    def __init__(self, *, root_namespace: str, stored: Mapping[str, StoredResource]) -> None:
        """Nothing is compiled yet.

        Args:
            root_namespace: The operator's own.
            stored: What was good before this process began, by uid; ``Verdicts.good`` of then.
        """
        self._scope = Scope(root_namespace=root_namespace, standalone=False)
        self._stored = dict(stored)
        self._packs: dict[str, _Known[CompiledPack]] = {}
        self._targets: dict[str, _Known[CompiledTarget]] = {}

    def verdicts(self, listing: Listing) -> Verdicts:
        """On everything that is listed. What is not listed is gone, and forgotten: a listing has to be complete."""
        self._packs = {f.uid: self._judged(f, self._packs.get(f.uid), self._pack) for f in listing.packs.values()}
        self._targets = {
            f.uid: self._judged(f, self._targets.get(f.uid), self._target) for f in listing.targets.values()
        }
        self._stored.clear()  # what of it somebody may need is in what is known now
        good = (*(k.good for k in self._packs.values()), *(k.good for k in self._targets.values()))
        return Verdicts(
            packs={known.verdict.fact.full_name: known.verdict for known in self._packs.values()},
            targets={known.verdict.fact.full_name: known.verdict for known in self._targets.values()},
            good={stored.uid: stored for stored in good if stored is not None},
        )

    def _judged(
        self, fact: ResourceFact, known: _Known[_Unit] | None, compile_unit: Callable[[Document], _Unit]
    ) -> _Known[_Unit]:
        if known is not None and known.verdict.fact.generation == fact.generation:
            return replace(known, verdict=replace(known.verdict, fact=fact))
        newest, problems = _attempt(compile_unit, fact.document)
        failures = _failures(newest, fact.document) if isinstance(newest, CompiledPack) else ()
        if newest is not None and not failures:
            good: StoredResource | None = StoredResource(
                uid=fact.uid, generation=fact.generation, document=fact.document
            )
            in_force: _Unit | None = newest
        elif known is not None:
            good, in_force = known.good, known.verdict.in_force
        else:
            good, in_force = self._good_before(fact, compile_unit)
        verdict = Verdict(fact=fact, newest=newest, problems=problems, failures=failures, in_force=in_force)
        return _Known(verdict=verdict, good=good)

    def _good_before(
        self, fact: ResourceFact, compile_unit: Callable[[Document], _Unit]
    ) -> tuple[StoredResource | None, _Unit | None]:
        """The good version that an earlier process stored, and what it compiles to.

        It passed its tests then. Asking again could only take away what is in force, where a newer program judges
        differently.
        """
        good = self._stored.get(fact.uid)
        if good is None:
            return None, None
        unit, _ = _attempt(compile_unit, good.document)
        is_same = unit is not None and _identity(unit) == (fact.full_name, good.uid, good.generation)
        return good, unit if is_same else None

    def _pack(self, document: Document) -> CompiledPack:
        return compile_pack(document, scope=self._scope)

    def _target(self, document: Document) -> CompiledTarget:
        compiled = compile_target(document, scope=self._scope)
        part = bound(compiled.part)
        return replace(compiled, part=part, digest=digest_of(part))


def _attempt(compile_unit: Callable[[Document], _Unit], document: Document) -> tuple[_Unit | None, tuple[Problem, ...]]:
    try:
        size = len(msgspec.json.encode(document.content))
        if size > MAX_DOCUMENT_BYTES:
            message = f"is {size:,} bytes; at most {MAX_DOCUMENT_BYTES:,} can be kept over a restart of the operator"
            return None, (Problem(path="spec", message=f"{message}: split it"),)
        return compile_unit(document), ()
    except ResourceError as error:
        return None, tuple(error.problems)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one object must not keep the others from applying
        return None, (_unexpected(error, document, "spec", "compiling it"),)


def _failures(pack: CompiledPack, document: Document) -> tuple[Problem, ...]:
    try:
        return failed_tests(pack)
    except BundleError as error:
        return (Problem(path="spec.tests", message=f"the tests can't be run: {error}"),)
    except Exception as error:  # noqa: BLE001 - as above
        return (_unexpected(error, document, "spec.tests", "running the tests"),)


def _unexpected(error: Exception, document: Document, path: str, what: str) -> Problem:
    """An error of ours, told as the object's: its text could quote anything."""
    kind, metadata = document.content.get("kind"), document.content.get("metadata") or {}
    name = f"{metadata.get('namespace')}/{metadata.get('name')}"
    log.error("compiling_failed", kind=kind, name=name, error=type(error).__name__, at=place_of(error))
    return Problem(path=path, message=f"{what} failed with {type(error).__name__}, which the operator's log tells of")


def _identity(unit: CompiledPack | CompiledTarget) -> tuple[str, str, int]:
    resource = unit.loaded.pack if isinstance(unit, CompiledPack) else unit.loaded.target
    return (unit.name, *metadata_of(resource))
