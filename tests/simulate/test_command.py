"""The command as a person starts and stops it: a real process."""

import asyncio
import signal
import socket
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
import typer
from typer.testing import CliRunner

from grokwarden_sidecar.commands.simulate import simulate

COMMAND = "import typer; from grokwarden_sidecar.commands.simulate import simulate; typer.run(simulate)"


@asynccontextmanager
async def command(*arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_is_and_a_signal_ends_it_well(number):
    """Port 0 is how the demo finds a free port, so the first line must hold the real one."""
    async with command("--listen", "127.0.0.1:0", "--key", "k") as process, httpx.AsyncClient() as client:
        banner = (await asyncio.wait_for(process.stdout.readline(), timeout=20)).decode()
        base_url = next(word for word in banner.split() if word.startswith("http://127.0.0.1:"))
        response = await client.get(f"{base_url}/models", headers={"authorization": "Bearer k"})
        process.send_signal(number)
        _, errors = await asyncio.wait_for(process.communicate(), timeout=10)

    assert response.status_code == 200
    assert (process.returncode, errors) == (0, b"")


async def test_a_port_in_use_is_said_clearly():
    """The commonest failure of all: a second simulator."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with command("--listen", address) as process:
            _, errors = await asyncio.wait_for(process.communicate(), timeout=20)

    assert process.returncode == 2
    assert f"--listen {address}: can't listen there (Address already in use); nothing was started" in errors.decode()


@pytest.mark.parametrize("listen", ["41010", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ":1"])
def test_a_bad_address_is_said_clearly(listen):
    """Exit code 2 is bad usage."""
    app = typer.Typer()
    app.command()(simulate)

    result = CliRunner().invoke(app, ["--listen", listen])

    assert result.exit_code == 2
    assert "expected HOST:PORT" in result.stderr
