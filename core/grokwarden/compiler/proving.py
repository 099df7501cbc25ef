"""Whether a pack passes the tests that it carries, before anybody puts it in force."""

from grokwarden.compiler.units import CompiledPack
from grokwarden.engine import Engine
from grokwarden.errors import Problem
from grokwarden.packtests import TestResult, run_tests


def failed_tests(pack: CompiledPack) -> tuple[Problem, ...]:
    """The pack's own tests that fail on its own chain, in order; empty also if it has none.

    Costly where there are tests: it builds the chain as a sidecar does. Not for an event loop.

    Raises:
        BundleError: A step can't be built, though the compiler let it pass.
    """
    if not pack.tests:
        return ()
    results = run_tests(Engine(pack.alone()), pack.tests)
    return tuple(_failure(result) for result in results if not result.passed)


def _failure(result: TestResult) -> Problem:
    got = result.trouble or f"got {result.got or 'nothing'}"
    return Problem(
        resource=f"PolicyPack {result.pack}",
        path="spec.tests",
        message=f'the test "{result.name}" fails: expected {result.expected}, {got}',
        file=result.file,
        line=result.line,
    )
