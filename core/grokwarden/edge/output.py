"""What commands print, and how they end. Results go to standard output, everything about them to standard error.

Colour only on a terminal, and never with ``NO_COLOR`` (rich sees to both). Nothing is wrapped when a program reads it.
"""

import os
import sys
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console

from grokwarden.errors import Problem


class Output(StrEnum):
    """Who reads the result: a person or a program."""

    TEXT = "text"
    JSON = "json"


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FINDINGS = 1
    UNUSABLE = 2
    UNREAD = 141
    """Nobody reads standard output any more; a shell says the same of a program that SIGPIPE ended."""


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="For people (text) or for programs (json).")]


class _Console(Console):
    """Leaves it to ``main`` to end when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, is_error: bool = False) -> Console:
    """A console of standard output or standard error, as they are now."""
    return _Console(stderr=is_error, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def print_line(text: str = "", *, style: str | None = None) -> None:
    """Write one line of the result."""
    console().print(text, style=style, soft_wrap=True)


def print_error(message: str) -> None:
    """Write an error for a person."""
    _labelled("error", "bold red", message)


def print_warning(message: str) -> None:
    """Write something that works but that a person should know."""
    _labelled("warning", "yellow", message)


def print_problems(problems: Iterable[Problem]) -> None:
    """Write each problem on a line of its own."""
    for problem in problems:
        print_error(str(problem))


def print_json(document: msgspec.Struct) -> None:
    """Write a result as one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def give_up_output() -> None:
    """Standard output takes no more: what is still in its buffer is dropped, also at the interpreter's end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def fail(message: str, *, code: Exit = Exit.UNUSABLE) -> NoReturn:
    """End the command with an error."""
    print_error(message)
    raise typer.Exit(code)


def _labelled(label: str, style: str, message: str) -> None:
    stderr = console(is_error=True)
    stderr.print(f"{label}: ", style=style, end="")
    stderr.print(message, soft_wrap=True)
