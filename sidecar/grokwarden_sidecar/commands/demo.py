"""``grokwarden demo``: a governed call from end to end, checked."""

import io
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from grokwarden.edge.output import Exit, fail
from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.pack import shipped_pack


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave simulator and sidecar running, with requests to try, until Ctrl-C.")
    ] = False,
) -> None:
    """Start a simulated Grok and a sidecar, call them with the OpenAI SDK, and check all that is seen.

    Only loopback and a temporary directory are used.

    Exit codes: 0 all is as expected, 1 something differs, 2 it could not run.
    """
    if find_spec("openai") is None:
        fail(
            "the demo calls Grok with the OpenAI SDK, which is not installed: pip install 'grokwarden[sidecar]' openai"
        )
    from grokwarden_sidecar.demo.walk import run_demo  # noqa: PLC0415 - it imports the SDK

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the walk shows letters that not every terminal has
    try:
        is_as_expected = run_demo(shipped_pack(), keep=keep)
    except DemoError as error:
        fail(str(error))
    if not is_as_expected:
        raise typer.Exit(Exit.FINDINGS)
