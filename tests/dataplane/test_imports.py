"""What the process that serves has in its memory."""

import asyncio
import signal
import subprocess
import sys

from fake_operator import FakeOperator
from pod_bundles import KEY_NAME, bundle, forbidding, grok_target

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


async def test_following_a_stream_loads_none_of_them_either(tmp_path):
    """What is imported only when it is needed would escape a look at the start alone."""
    script = tmp_path / "follow.py"
    script.write_text(FOLLOW)
    wanted = bundle(forbidding("verboten"), targets=(grok_target(ca_bundle=None),))
    async with FakeOperator(tmp_path / "operator") as operator:
        await operator.offer(wanted, {KEY_NAME: "xai-key"})
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, operator.url, tmp_path, stdout=asyncio.subprocess.PIPE
        )
        await operator.ack_of(wanted.version)
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 30)

    assert {"aiohttp", "zstandard"} <= set(out.decode().split())
    assert FORBIDDEN.intersection(out.decode().split()) == set()
    assert process.returncode == 0


FOLLOW = """
import sys
import grokwarden_sidecar.__main__ as serving
from grokwarden.edge.logs import LogFormat, LogLevel
from grokwarden_sidecar.settings import SidecarOptions

url, place = sys.argv[1], sys.argv[2]
code = serving.main(
    SidecarOptions(
        operator=url, ca_file=f"{place}/operator/ca.crt", token_file=f"{place}/operator/token",
        state_dir=f"{place}/state", config_socket=f"{place}/admin.sock", listen="127.0.0.1:0", admin="127.0.0.1:0",
        audit_dir=f"{place}/audit", max_body_bytes=65536, drain_seconds=1.0,
        log_format=LogFormat.JSON, log_level=LogLevel.INFO,
    )
)
print(*{name.partition(".")[0] for name, module in sys.modules.items() if module})
sys.exit(code)
"""
