"""The demo as a process of its own, and parts of its walk on packs of a test's choice."""

import os
import subprocess
import sys
from pathlib import Path

GROKWARDEN = Path(sys.executable).with_name("grokwarden")

PARTIAL = """
import sys
from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.steps import WALK
from grokwarden_sidecar.demo.walk import run_demo
keep = sys.argv[1] == "keep"
walk = [step for step in WALK if step.title.startswith(tuple(sys.argv[2:]))]
try:
    sys.exit(0 if run_demo(sys.stdin.read(), keep=keep, walk=walk) else 1)
except DemoError as error:
    sys.exit(f"refused: {error}")
"""


def environment(temporary: Path) -> dict[str, str]:
    """Everything temporary goes to ``temporary``; a proxy that is not there would break every call that used it."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    return {**os.environ, **nowhere, "TMPDIR": str(temporary), "TERM": "dumb", "COLUMNS": "110"}


def walk_steps(pack: str, *titles: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    """The steps whose titles begin so, on ``pack``."""
    return subprocess.run(
        [sys.executable, "-P", "-c", PARTIAL, "end", *titles],
        input=pack,
        env=environment(temporary),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
