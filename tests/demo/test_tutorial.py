"""The tutorial, typed in from its first line to its last."""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from code_blocks import Command, code_blocks, commands, missing_lines
from demo_runs import environment
from eventually import eventually

_SERVERS = re.compile(r"grokwarden (simulate|run)\b")


def test_every_command_does_what_the_page_says(root: Path, tmp_path: Path):
    """It is the second page that is read, and the first whose commands are typed in by hand."""
    ports = free_ports("41010", "41002", "41003")
    lines = 0
    with shell(root, tmp_path) as run:
        for block in code_blocks(root / "docs/tutorial.md", "console", "yaml", "python"):
            text = re.sub("|".join(ports), lambda port: ports[port[0]], block.text)
            if block.language != "console":
                name = text.split("\n", 1)[0].removeprefix("# ")
                (tmp_path / name).write_text(text, encoding="utf-8")
                continue
            for command in commands(text):
                run(command, f"127.0.0.1:{ports['41003']}")
                lines += 1

    assert lines > 15


@contextmanager
def shell(root: Path, folder: Path) -> Iterator[Callable]:
    """Runs commands in ``folder`` one after the other; servers run on until the end."""
    tools = folder / ".tools"
    tools.mkdir()
    curl = tools / "curl"
    curl.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {root}/tests/support/small_curl.py "$@"\n')
    curl.chmod(0o755)
    env = {name: value for name, value in environment(folder).items() if not name.upper().endswith("_PROXY")}
    env["PATH"] = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    servers: list[subprocess.Popen[bytes]] = []

    def run(command: Command, admin: str) -> None:
        if command.line.startswith("export "):
            env.update(word.split("=", 1) for word in shlex.split(command.line)[1:])
        elif _SERVERS.search(command.line):
            serve(command, admin)
        else:
            changes = command.line.endswith(" pack.yaml") and command.line.startswith("sed ")
            before = verdicts(admin) if changes else ""
            done = subprocess.run(
                ["sh", "-c", command.line], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert missing_lines(command.output, done.stdout) == [], done.stdout + done.stderr
            if changes:
                wait_for(lambda: verdicts(admin) != before, timeout_seconds=5)

    def serve(command: Command, admin: str) -> None:
        address = re.search(r"http://(\S+)/v1", command.output[0])[1]
        more = f" --listen {address}" + (f" --admin {admin}" if "grokwarden run" in command.line else "")
        log = folder / ".tools" / f"{len(servers)}.log"
        with log.open("wb") as out:
            servers.append(
                subprocess.Popen(
                    ["sh", "-c", f"exec env {command.line}{more}"], cwd=folder, env=env, stdout=out, stderr=out
                )
            )
        wait_for(lambda: missing_lines(command.output, log.read_text()) == [], timeout_seconds=20)

    def verdicts(admin: str) -> str:
        scraped = subprocess.run([curl, f"http://{admin}/metrics"], capture_output=True, text=True, check=True).stdout
        return "".join(line for line in scraped.splitlines() if line.startswith("grokwarden_config_apply_total"))

    try:
        yield run
    finally:
        for server in reversed(servers):
            server.send_signal(signal.SIGTERM)
        codes = [server.wait(20) for server in servers]
    assert codes == [0] * len(codes)


def wait_for(condition: Callable[[], bool], *, timeout_seconds: float) -> None:
    """It has come true."""
    asyncio.run(eventually(condition, timeout_seconds=timeout_seconds))


def free_ports(*names: str) -> dict[str, str]:
    """A free port for each one of the page's."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: str(listener.getsockname()[1]) for name, listener in zip(names, sockets, strict=True)}
    for listener in sockets:
        listener.close()
    return ports
