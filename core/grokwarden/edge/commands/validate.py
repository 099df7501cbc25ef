"""``grokwarden validate``: whether files can be enforced as they stand, and what they would enforce."""

import sys
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from grokwarden.bundle import PackPart
from grokwarden.compilation import Remark
from grokwarden.compiler import CoverageRow, Scope
from grokwarden.edge.checking import Check, check
from grokwarden.edge.commands.options import NamespaceOption, PathsArgument, PodLabelsOption, parse_pod_labels
from grokwarden.edge.files import load
from grokwarden.edge.output import Exit, Output, OutputOption, print_json, print_line, print_problems, print_warning


class PackSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One pack as it would be enforced; ``is_in_force`` is false for one that is disabled or selects other pods."""

    name: str
    version: str
    is_in_force: bool
    steps: tuple[str, ...]
    targets: tuple[str, ...]
    tests: int


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``validate --output json``."""

    valid: bool
    packs: tuple[PackSummary, ...]
    problems: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    coverage: tuple[CoverageRow, ...]


def validate(
    paths: PathsArgument,
    namespace: NamespaceOption = None,
    pod_labels: PodLabelsOption = None,
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--standalone",
            help="Where the files will be used. Without it: in a cluster if a target's key is in a Secret.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check resource files, and say what they enforce.

    Every problem is shown with its file and line. Exit code 1 if there is one, 2 if a file can't be read.
    """
    labels = parse_pod_labels(pod_labels)
    loaded = load(paths, stdin=sys.stdin.buffer)
    scope = Scope(namespace=namespace, pod_labels=labels)
    checked = check(loaded, scope, is_standalone=None if cluster is None else not cluster)
    if output is Output.JSON:
        print_json(_report(checked))
    else:
        _print(checked)
    if checked.problems:
        raise typer.Exit(Exit.UNUSABLE if loaded.unreadable else Exit.FINDINGS)


def _report(checked: Check) -> ValidationReport:
    return ValidationReport(
        valid=not checked.problems,
        packs=tuple(_summaries(checked)),
        problems=tuple(Remark.of(problem) for problem in checked.problems),
        warnings=tuple(Remark.of(warning) for warning in checked.warnings),
        coverage=checked.coverage,
    )


def _print(checked: Check) -> None:
    print_problems(checked.problems)
    for warning in checked.warnings:
        print_warning(str(warning))
    for pack in _summaries(checked):
        print_line(_sentence(pack))
    if not checked.problems and not checked.packs:
        print_line("ok: no pack among the resources")


def _summaries(checked: Check) -> Iterable[PackSummary]:
    in_force = {pack.name: pack for pack in checked.in_force}
    for tested in checked.packs:
        (pack,) = tested.bundle.packs
        yield PackSummary(
            name=pack.name,
            version=pack.version,
            is_in_force=pack.name in in_force,
            steps=tuple(step.name for step in pack.steps),
            targets=_targets(in_force.get(pack.name, pack)),
            tests=len(tested.tests),
        )


def _targets(pack: PackPart) -> tuple[str, ...]:
    return pack.routing.targets if pack.routing else ()


def _sentence(pack: PackSummary) -> str:
    steps = f"{_counted(len(pack.steps), 'step')} ({', '.join(pack.steps)})" if pack.steps else "no steps"
    facts = [steps]
    if pack.targets:
        facts.append(f"calls go to {', '.join(pack.targets)}")
    facts.append(_counted(pack.tests, "test") if pack.tests else "no tests")
    if not pack.is_in_force:
        facts.append("not in force: disabled, or for other pods")
    return f"ok: {pack.name} {pack.version}: {'; '.join(facts)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
