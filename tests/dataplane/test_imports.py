"""What the process that serves has in its memory."""

import subprocess
import sys

FORBIDDEN = {"pydantic", "fastapi", "starlette", "kopf", "kubernetes", "yaml", "typer", "rich", "httpx", "openai"}


def test_the_serving_process_loads_neither_models_nor_frameworks():
    """It runs once per pod: what it doesn't need is paid for in every one of them."""
    script = (
        "import sys, grokwarden_sidecar.__main__\n"
        "print(*{name.partition('.')[0] for name, module in sys.modules.items() if module})"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert "aiohttp" in out
    assert FORBIDDEN.intersection(out) == set()
