"""``grokwarden test``: the tests that packs carry, run here as they are run before a pack is put in force."""

import sys
from collections.abc import Sequence

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from grokwarden.compiler import Scope, TestedPack
from grokwarden.edge.checking import packs_alone
from grokwarden.edge.commands.options import NamespaceOption, PathsArgument
from grokwarden.edge.compiling import known_problems
from grokwarden.edge.files import Loaded, load
from grokwarden.edge.output import (
    Exit,
    Output,
    OutputOption,
    console,
    print_error,
    print_json,
    print_line,
    print_problems,
    print_warning,
)
from grokwarden.engine import Engine
from grokwarden.errors import ResourceError
from grokwarden.packtests import TestResult, run_tests


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``test --output json``."""

    __test__ = False

    passed: int
    failed: int
    untested_packs: tuple[str, ...]
    results: tuple[TestResult, ...]


def run_pack_tests(paths: PathsArgument, namespace: NamespaceOption = None, output: OutputOption = Output.TEXT) -> None:
    """Run the tests that packs carry.

    Each pack is judged by its own chain alone, whatever it selects. Exit code 1 if a test fails.
    """
    loaded = load(paths, stdin=sys.stdin.buffer)
    for warning in loaded.warnings:
        print_warning(str(warning))
    packs = _packs(loaded, namespace)
    report = _report(packs)
    if output is Output.JSON:
        print_json(report)
    else:
        _print(report)
    for name in report.untested_packs:
        print_warning(f"{name} has no tests (spec.tests)")
    if report.failed:
        raise typer.Exit(Exit.FINDINGS)


def _packs(loaded: Loaded, namespace: str | None) -> tuple[TestedPack, ...]:
    if loaded.problems:
        print_problems(known_problems(loaded))
        raise typer.Exit(Exit.UNUSABLE if loaded.unreadable else Exit.FINDINGS)
    try:
        return packs_alone(loaded.documents, Scope(namespace=namespace))
    except ResourceError as error:
        print_problems(error.problems)
        raise typer.Exit(Exit.FINDINGS) from error


def _report(packs: tuple[TestedPack, ...]) -> TestReport:
    results = tuple(result for pack in packs for result in run_tests(Engine(pack.bundle), pack.tests))
    failed = sum(not result.passed for result in results)
    untested = tuple(pack.bundle.packs[0].name for pack in packs if not pack.tests)
    return TestReport(passed=len(results) - failed, failed=failed, untested_packs=untested, results=results)


def _print(report: TestReport) -> None:
    for pack in dict.fromkeys(result.pack for result in report.results):
        print_line(pack, style="bold")
        console().print(_table([result for result in report.results if result.pack == pack]))
    for result in report.results:
        if not result.passed:
            print_error(_failure(result))
    print_line(f"{report.passed} passed, {report.failed} failed")


def _table(results: Sequence[TestResult]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for heading in ("", "test", "decided"):
        table.add_column(heading, overflow="fold")
    for result in results:
        outcome = Text("passed", style="green") if result.passed else Text("failed", style="red")
        table.add_row(outcome, result.name, str(result.got or "nothing"))
    return table


def _failure(result: TestResult) -> str:
    place = f"{result.file}:{result.line}: " if result.file and result.line else ""
    got = result.trouble or f"got {'; and '.join(str(each) for each in (result.got, *result.also))}"
    return f'{place}{result.pack} "{result.name}": expected {result.expected}, {got}'
