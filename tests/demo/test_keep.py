"""``demo --keep``: what it prints works, and nothing outlives it."""

import asyncio
import json
import re
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from demo_runs import GROKWARDEN, PARTIAL, environment
from eventually import eventually
from grokwarden_sidecar.demo.pack import shipped_pack


@asynccontextmanager
async def kept(*command: object, temporary: Path, pack: str = "") -> AsyncIterator[tuple[Process, str]]:
    """A demo after its walk, and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), env=environment(temporary), stdin=PIPE, stdout=PIPE
    )
    lines: list[str] = []
    try:
        process.stdin.write(pack.encode())
        process.stdin.close()
        async with asyncio.timeout(60):
            while not lines or "Ctrl-C stops both" not in lines[-1]:
                line = await process.stdout.readline()
                assert line, "the demo ended: " + "".join(lines[-20:])
                lines.append(line.decode())
        yield process, "".join(lines)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_the_lines_to_try_work_and_ctrl_c_ends_everything(tmp_path: Path):
    """They are copied into a shell; one that fails would cost the reader's trust."""
    async with (
        kept(GROKWARDEN, "demo", "--keep", temporary=tmp_path) as (process, printed),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answers = [await curl(http, command) for command in commands(printed)]
        [pack] = found(tmp_path, "*/packs/*.yaml")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await process.communicate()
        urls = sorted(set(re.findall(r"http://127\.0\.0\.1:\d+", printed)))
        open_after = [url for url in urls if await is_open(url)]

    plain, stream, blocked, explained, metrics, config, ready, received = answers
    assert plain.json()["choices"][0]["finish_reason"] == "stop"
    assert stream.text.endswith("data: [DONE]\n\n")
    assert blocked.json()["error"]["policy"]["name"] == "prompt-injection"
    assert "attack-pattern-" in explained.text
    assert "grokwarden_decisions_total" in metrics.text
    assert config.json()["problems"] == []
    assert ready.text == "ready\n"
    assert len(received.json()) > 3
    assert f"\n{pack}\n" in printed
    assert process.returncode == 0
    assert (len(urls), open_after) == (3, [])
    assert found(tmp_path, "*") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_child_outlives_the_demo(tmp_path: Path, number: signal.Signals):
    """A killed demo would otherwise leave two servers, one of them with a key, on the machine for good."""
    one_step = (sys.executable, "-P", "-c", PARTIAL, "keep", "An allowed call")
    async with kept(*one_step, temporary=tmp_path, pack=shipped_pack()) as (process, printed):
        urls = sorted(set(re.findall(r"http://127\.0\.0\.1:\d+", printed)))
        assert [await is_open(url) for url in urls] == [True] * 3

        process.send_signal(number)
        await process.communicate()

        async def all_closed() -> bool:
            return not any([await is_open(url) for url in urls])

        await eventually(all_closed, timeout_seconds=10)


def found(folder: Path, pattern: str) -> list[Path]:
    """What is there."""
    return list(folder.glob(pattern))


def commands(printed: str) -> list[list[str]]:
    """The curl commands, without what follows a pipe."""
    joined = printed.replace("\\\n", "")
    return [shlex.split(line.partition("|")[0]) for line in joined.splitlines() if line.startswith("curl ")]


async def curl(http: httpx.AsyncClient, command: list[str]) -> httpx.Response:
    """What curl would have got."""
    url = next(word for word in command if word.startswith("http"))
    if "-d" not in command:
        return await http.get(url)
    name, _, value = command[command.index("-H") + 1].partition(": ")
    body = command[command.index("-d") + 1]
    json.loads(body)
    return await http.post(url, content=body, headers={name: value})


async def is_open(url: str) -> bool:
    """Whether anybody listens there."""
    host, port = url.removeprefix("http://").split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
