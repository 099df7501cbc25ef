"""What docs/operator.md and docs/config-stream.md show, typed in on a real API server."""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from code_blocks import Command, commands, missing_lines
from e2e.cluster.control_plane import ControlPlane
from eventually import eventually
from kube import Kubectl

ROOT = Path(__file__).parents[2]
SERVERS = re.compile(r"grokwarden (simulate|operator|sidecar)\b")
ELSEWHERE = re.compile(r"python -m e2e\.cluster |export KUBECONFIG=")
"""Commands of the page that have been done already, by whoever brought up the API server."""

FATE = re.compile(r"\b(created|configured|unchanged)$", re.MULTILINE)
"""What kubectl says of an object depends on what the tests before have left."""


async def test_the_walk_does_what_the_page_says(kubectl: Kubectl, namespace: str, walk: "Walk"):
    """It is how anybody meets the operator; a step that fails ends the acquaintance."""
    typed = [await walk.type(command) for command in walk.commands("operator.md", "## Try it")]
    assert sum(typed) > 12

    await walk.end("grokwarden sidecar")
    page = (ROOT / "docs/config-stream.md").read_text(encoding="utf-8")
    (walk.folder / "follow.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
    [follow] = walk.commands("config-stream.md", "## A client")
    shown = [re.sub(r"generation \d+", "generation 2", line) for line in follow.output[:3]]
    await walk.serve(Command(follow.line, shown))
    await kubectl.inside(namespace)("wait", "--for=condition=Programmed", "pp/gateway", "--timeout=20s")


@pytest.fixture
def walk(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator["Walk"]:
    """A terminal in something like a checkout, in which nothing is where another test could be."""
    changed = {**free_ports("41002", "41003", "41010", "9444", "9090"), "shop": namespace}
    (tmp_path / "examples/cluster").mkdir(parents=True)
    for name in ("crds", "operator"):
        (tmp_path / name).symlink_to(ROOT / name)
    example = (ROOT / "examples/cluster/shop.yaml").read_text(encoding="utf-8")
    (tmp_path / f"examples/cluster/{namespace}.yaml").write_text(renamed(example, changed))
    tools = tmp_path / "tools"
    tools.mkdir()
    write_tool(tools / "kubectl", str(control_plane.kubectl), f"--cache-dir={tmp_path}/cache")
    write_tool(tools / "curl", sys.executable, str(ROOT / "tests/support/small_curl.py"))
    env = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    env["PATH"] = os.pathsep.join((str(tools), str(Path(sys.executable).parent), env["PATH"]))
    env["KUBECONFIG"] = str(control_plane.kubeconfig)
    with Walk(folder=tmp_path, env=env, changed=changed).closing() as walk:
        yield walk


@dataclass
class Walk:
    """Types commands, one after the other; servers run on."""

    folder: Path
    env: Mapping[str, str]
    changed: Mapping[str, str]
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def commands(self, page: str, title: str) -> list[Command]:
        """The commands below a heading of a page."""
        text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"\n{title}\n")[2].split("\n## ")[0]
        blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        return [command for block in blocks for command in commands(renamed(block, self.changed))]

    async def type(self, command: Command) -> bool:
        """Whether there was anything to do; what should come has come."""
        if ELSEWHERE.search(command.line):
            return False
        if SERVERS.search(command.line):
            await self.serve(command)
            return True
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", command.line],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lacking = missing_lines([FATE.sub("there", line) for line in command.output], FATE.sub("there", done.stdout))
        assert lacking == [], f"{command.line}\n{done.stdout}{done.stderr}"
        return True

    async def serve(self, command: Command) -> None:
        """It runs, and has said what it should."""
        more = f" --listen 127.0.0.1:{self.changed['41002']}" if "grokwarden sidecar" in command.line else ""
        more += f" --listen 127.0.0.1:{self.changed['41010']}" if "grokwarden simulate" in command.line else ""
        log = self.folder / f"{len(self.servers)}.log"
        self.servers[command.line] = self._started(command.line + more, log)
        await eventually(
            lambda: missing_lines(command.output, log.read_text()) == [], timeout_seconds=30, state=log.read_text
        )

    def _started(self, line: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            return subprocess.Popen(["sh", "-c", f"exec {line}"], cwd=self.folder, env=self.env, stdout=out, stderr=out)

    async def end(self, start: str) -> None:
        """The server whose command begins so has ended."""
        [line] = [line for line in self.servers if line.startswith(start)]
        process = self.servers.pop(line)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0, line

    @contextmanager
    def closing(self) -> Iterator["Walk"]:
        """Nothing is left running."""
        try:
            yield self
        finally:
            for process in self.servers.values():
                process.send_signal(signal.SIGTERM)
            for process in self.servers.values():
                process.wait(20)


def renamed(text: str, changed: Mapping[str, str]) -> str:
    """The text with other ports, and in another namespace."""
    return re.sub("|".join(rf"\b{name}\b" for name in changed), lambda found: changed[found[0]], text)


def write_tool(path: Path, *words: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def free_ports(*names: str) -> dict[str, str]:
    """A free port for each one of the page's."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: str(listener.getsockname()[1]) for name, listener in zip(names, sockets, strict=True)}
    for listener in sockets:
        listener.close()
    return ports
