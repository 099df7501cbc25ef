"""From paths to a compiled bundle, with one list of problems: the reader's, the importer's and the compiler's."""

from dataclasses import dataclass

from grokwarden.api.validation import validated
from grokwarden.compiler import Compilation, Scope, compile_each_pack, compile_packs
from grokwarden.edge.files import Loaded, without_echoes
from grokwarden.engine import Engine
from grokwarden.errors import Problem, ResourceError
from grokwarden.packtests import TestResult, run_tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a compilation came to; ``compilation`` is ``None`` if there are problems."""

    compilation: Compilation | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def compile_loaded(loaded: Loaded, scope: Scope) -> Outcome:
    """The bundle of what was read, or every problem with it.

    Where a document is missing because it could not be used, the others are checked each by itself: that they fit
    together can't be said.
    """
    if loaded.problems:
        return Outcome(compilation=None, problems=known_problems(loaded), warnings=loaded.warnings)
    try:
        compilation = compile_packs(loaded.documents, scope=scope)
    except ResourceError as error:
        return Outcome(compilation=None, problems=tuple(error.problems), warnings=loaded.warnings)
    return Outcome(compilation=compilation, problems=(), warnings=(*loaded.warnings, *compilation.warnings))


def compile_proven(loaded: Loaded, scope: Scope) -> Outcome:
    """The bundle of what was read, if the packs that it puts in force pass the tests that they carry."""
    outcome = compile_loaded(loaded, scope)
    if outcome.compilation is None:
        return outcome
    in_force = {pack.name for pack in outcome.compilation.bundle.packs}
    failures = tuple(
        _failure(result)
        for tested in compile_each_pack(loaded.documents, scope=scope)
        if tested.tests and tested.bundle.packs[0].name in in_force
        for result in run_tests(Engine(tested.bundle), tested.tests)
        if not result.passed
    )
    return Outcome(compilation=None, problems=failures, warnings=outcome.warnings) if failures else outcome


def _failure(result: TestResult) -> Problem:
    got = result.trouble or f"got {result.got or 'nothing'}"
    return Problem(
        resource=f"PolicyPack {result.pack}",
        path="spec.tests",
        message=f'the test "{result.name}" fails: expected {result.expected}, {got}',
        file=result.file,
        line=result.line,
    )


def known_problems(loaded: Loaded) -> tuple[Problem, ...]:
    """What was wrong when reading, and what is wrong with each document by itself; one problem for each field."""
    of_documents = [problem for document in loaded.documents for problem in validated(document)[1]]
    return without_echoes(loaded.problems, of_documents)
