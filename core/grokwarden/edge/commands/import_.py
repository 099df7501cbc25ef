"""``grokwarden import``: a ``policy-config.yaml`` as resources that do the same."""

import sys
from typing import Annotated

import typer

from grokwarden.compiler import Scope
from grokwarden.edge.checking import check
from grokwarden.edge.files import Loaded, load
from grokwarden.edge.output import Exit, print_problems, print_warning
from grokwarden.edge.yaml_writer import write_yaml


def import_file(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A policy-config.yaml, or - for standard input.")],
) -> None:
    """Convert a policy-config.yaml to resources, and write them to standard output.

    Nothing is dropped: what has no equal here is an error that names it, and then nothing is written.
    """
    loaded = load([file], stdin=sys.stdin.buffer)
    problems = check(loaded, Scope(), is_standalone=True).problems
    print_problems(problems)
    if problems:
        raise typer.Exit(Exit.UNUSABLE if loaded.unreadable else Exit.FINDINGS)
    for warning in loaded.warnings:
        print_warning(str(warning))
    sys.stdout.write(_heading(loaded, file) + write_yaml(loaded.documents))


def _heading(loaded: Loaded, file: str) -> str:
    names = ", ".join(str(document.content["metadata"]["name"]) for document in loaded.documents)
    source = "standard input" if file == "-" else file
    return f"# Converted from {source} by grokwarden import: {names}\n"
