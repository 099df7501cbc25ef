"""``grokwarden explain``: which step decides what on one request, and why. Nothing is sent anywhere."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from grokwarden.compiler import Scope
from grokwarden.edge.commands.options import NamespaceOption, PathsArgument, PodLabelsOption, parse_pod_labels
from grokwarden.edge.compiling import compile_loaded
from grokwarden.edge.files import load
from grokwarden.edge.output import (
    Exit,
    Output,
    OutputOption,
    console,
    fail,
    print_json,
    print_line,
    print_problems,
    print_warning,
)
from grokwarden.edge.sources import open_file
from grokwarden.engine import Engine
from grokwarden.exchange.body import MalformedCall
from grokwarden.explain import Explanation, StepExplanation, explain_call

_STYLES = {"Block": "bold red", "Redact": "yellow", "Flag": "yellow"}


def explain(
    paths: PathsArgument,
    *,
    request: Annotated[
        str | None, typer.Option(metavar="FILE", help="A chat-completions request as JSON; - is standard input.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="TEXT", help="Or just the user's text.")] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="With --user: the system prompt.")] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="With --user: the model asked for.")] = "grok-4.3",
    answer: Annotated[
        str | None, typer.Option(metavar="TEXT", help="An answer's text, for the steps that look at answers.")
    ] = None,
    namespace: NamespaceOption = None,
    pod_labels: PodLabelsOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show for one request which step decides what, and why.

    Exit code 0 whatever was decided: the decision is the result.
    """
    if (request is None) == (user is None):
        fail("say what to explain: either --request FILE or --user TEXT")
    body = _read_request(request) if request is not None else _simple_request(user, system, model)
    engine = _engine(paths, Scope(namespace=namespace, pod_labels=parse_pod_labels(pod_labels), standalone=True))
    try:
        explanation = explain_call(engine, body, answer=answer)
    except MalformedCall as error:
        fail(f"the request is refused before any step sees it, with HTTP 400: {error}", code=Exit.FINDINGS)
    if output is Output.JSON:
        print_json(explanation)
    else:
        _print(explanation, body)


def _read_request(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        with open_file(Path(name)) as file:
            return file.read()
    except OSError as error:
        fail(f"--request {name}: can't be read ({error.strerror})")


def _simple_request(user: str | None, system: str | None, model: str) -> bytes:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system is not None else []
    return msgspec.json.encode({"model": model, "messages": [*messages, {"role": "user", "content": user}]})


def _engine(paths: list[str], scope: Scope) -> Engine:
    loaded = load(paths, stdin=sys.stdin.buffer)
    outcome = compile_loaded(loaded, scope)
    if outcome.compilation is None:
        print_problems(outcome.problems)
        raise typer.Exit(Exit.UNUSABLE if loaded.unreadable else Exit.FINDINGS)
    for warning in outcome.warnings:
        print_warning(str(warning))
    return Engine(outcome.compilation.bundle)


def _print(explanation: Explanation, body: bytes) -> None:
    for pack in dict.fromkeys(step.pack for step in explanation.steps):
        print_line(pack, style="bold")
        console().print(_table([step for step in explanation.steps if step.pack == pack]))
    print_line(_verdict(explanation), style="bold")
    if explanation.sent is not None and bytes(explanation.sent) != body:
        print_line("The provider would get:")
        print_line(msgspec.json.format(bytes(explanation.sent), indent=2).decode())


def _table(steps: Sequence[StepExplanation]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for heading in ("step", "phase", "decided", "rule", "score"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "score" else "left")
    for step in steps:
        decided = f"{step.action} (Shadow)" if step.mode == "Shadow" else step.action
        table.add_row(
            step.step,
            step.phase,
            Text(decided, style=_STYLES.get(step.action, "")),
            step.rule or "",
            "" if step.score is None else f"{step.score:.2f}",
        )
    return table


def _verdict(explanation: Explanation) -> str:
    if explanation.refused is not None:
        return f"The call is refused: {explanation.refused}."
    if explanation.decided_by is not None:
        return f"The call is blocked by {explanation.decided_by}."
    if explanation.would_action == "Block":
        return "The call goes on. A step in Shadow would have blocked it."
    return "The call goes on."
