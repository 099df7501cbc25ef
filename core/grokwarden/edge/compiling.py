"""From paths to a compiled bundle, with one list of problems: the reader's, the importer's and the compiler's."""

from dataclasses import dataclass

from grokwarden.api.validation import validated
from grokwarden.compiler import Compilation, Scope, compile_packs, failed_tests
from grokwarden.edge.files import Loaded, without_echoes
from grokwarden.errors import Problem, ResourceError


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
    failures = tuple(problem for pack in outcome.compilation.packs for problem in failed_tests(pack))
    return Outcome(compilation=None, problems=failures, warnings=outcome.warnings) if failures else outcome


def known_problems(loaded: Loaded) -> tuple[Problem, ...]:
    """What was wrong when reading, and what is wrong with each document by itself; one problem for each field."""
    of_documents = [problem for document in loaded.documents for problem in validated(document)[1]]
    return without_echoes(loaded.problems, of_documents)
