"""The command line as people run it: what goes in, what comes out, and how it ended."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("grokwarden")


def run_grokwarden(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """``grokwarden ARGUMENTS…`` as a process, run to its end without a terminal, in the repository's root."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        input=stdin,
        env={**os.environ, "COLUMNS": "200", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
