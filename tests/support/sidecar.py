"""The real ``grokwarden run`` as a child process, and everything that it lets be seen of itself.

    async with running_sidecar(tmp_path, pack, target, XAI_API_KEY="k") as sidecar:
        response = await sidecar.chat("Hello")
        record = await sidecar.record_of(response)

Leaving the block sends SIGTERM and asserts exit code 0: every test of a sidecar is a test of its end, too.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from audit_logs import records_of
from eventually import eventually
from fake_operator import FakeOperator
from resource_texts import pack_text, target_text

COMMAND: Final = Path(sys.executable).with_name("grokwarden")
CLIENT_KEY: Final = "client-key-that-goes-nowhere"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels; further labels don't matter."""
        samples = (sample for family in self.families.values() for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def label_sets(self, name: str) -> list[Mapping[str, str]]:
        """The labels of each sample of this name."""
        return [sample.labels for family in self.families.values() for sample in family.samples if sample.name == name]


@dataclass(kw_only=True)
class Sidecar:
    """A running sidecar.

    Attributes:
        config: The file that it was started with and watches.
        config_socket: Where ``/config`` is, if it is not on the admin port.
        url: Of the data plane, without ``/v1``.
        exit_code: What it must end with.
    """

    process: asyncio.subprocess.Process
    config: Path
    audit_dir: Path
    stderr: Path
    stdout: Path
    config_socket: Path | None = None
    url: str = ""
    admin_url: str = ""
    exit_code: int = 0
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=20))

    @property
    def base_url(self) -> str:
        """What a client takes as base URL."""
        return f"{self.url}/v1"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log_text(self) -> str:
        """Everything that it said on standard error so far."""
        return self.stderr.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log's events so far."""
        return [json.loads(line) for line in self.log_text.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of one name."""
        return [event for event in self.logs if event["event"] == name]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The audit records that are on disk."""
        return records_of(self.audit_dir)

    async def record_of(self, response: httpx.Response) -> dict[str, Any]:
        """The audit record of an answered call, as soon as it is on disk."""
        wanted = response.headers["x-request-id"]
        return await eventually(
            lambda: next((record for record in self.records if record["request_id"] == wanted), None),
            timeout_seconds=5,
            state=lambda: wanted,
        )

    async def next_record(self, after: int, **fields: Any) -> dict[str, Any]:
        """The first audit record with these fields behind the first ``after`` ones: for calls without an answer."""
        return await eventually(
            lambda: next((record for record in self.records[after:] if fields.items() <= record.items()), None),
            timeout_seconds=5,
            state=lambda: self.records[after:],
        )

    async def metrics(self) -> Metrics:
        return Metrics((await self.admin("/metrics")).text)

    async def admin(self, path: str) -> httpx.Response:
        """The admin plane's answer to a GET."""
        return await self.http.get(self.admin_url + path)

    async def post(self, body: bytes | dict[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer to a chat-completions call with this body."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(f"{self.base_url}/chat/completions", content=content, headers=_headers(headers))

    async def chat(self, text: str = "Hello", **fields: Any) -> httpx.Response:
        """The answer to a user's message; further fields of the body as keywords."""
        return await self.post({"model": "grok-4.3", "messages": [{"role": "user", "content": text}]} | fields)

    @asynccontextmanager
    async def stream(self, text: str = "Hello", **fields: Any) -> AsyncIterator[httpx.Response]:
        """A streamed answer; its body comes as it is read."""
        body = {"model": "grok-4.3", "messages": [{"role": "user", "content": text}], "stream": True} | fields
        address = f"{self.base_url}/chat/completions"
        async with self.http.stream("POST", address, content=json.dumps(body), headers=_headers(None)) as response:
            yield response

    async def configure(self, *texts: str) -> None:
        """The configuration file says this now, by an edit in place."""
        await asyncio.to_thread(self.config.write_text, config_text(*texts))

    async def configuration(self) -> dict[str, Any]:
        """What is in force, and all that goes with it."""
        if self.config_socket is None:
            return (await self.admin("/config")).json()
        transport = httpx.AsyncHTTPTransport(uds=str(self.config_socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://sidecar", timeout=20) as client:
            return (await client.get("/config")).json()

    async def bundle(self) -> str:
        """The version of the bundle in force."""
        return (await self.configuration())["bundle"]

    async def readiness(self) -> tuple[int, str]:
        """What ``/readyz`` says."""
        response = await self.admin("/readyz")
        return response.status_code, response.text

    async def stop(self) -> None:
        """It was told to end, and ended well."""
        await self.http.aclose()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), _STOP_SECONDS)
        assert code == self.exit_code, f"exit code {code}; log: {self.log_text}"
        assert not self.events("call_failed"), self.log_text


def configuration(base_url: str, *, chain: str = "", spec: str = "", target: str = "") -> tuple[str, str]:
    """The pack ``shop/gateway`` and its target ``shop/xai-grok`` at ``base_url``, whose circuit stays closed.

    Args:
        base_url: Of the provider.
        chain: The steps, as flow mappings.
        spec: Further fields of the pack, as ``field: value, …``; a ``routing`` here replaces the usual one.
        target: Further fields of the target.
    """
    routing = "" if "routing:" in spec else "routing: {targets: [{name: xai-grok}]}, "
    steps = f"chain: [{chain}], " if chain else ""
    fixed = f"provider: xai, baseURL: '{base_url}', secretKeyRef: {{env: XAI_API_KEY}}"
    breaker = "" if "circuitBreaker:" in target else ", circuitBreaker: {failures: 10000}"
    return (
        pack_text(f"{{{steps}{routing}{spec}}}", namespace="shop"),
        target_text(f"{{{fixed}{breaker}, {target}}}", namespace="shop"),
    )


def config_text(*texts: str) -> str:
    """Documents as one file."""
    return "\n---\n".join(text.strip("\n") for text in texts) + "\n"


def _headers(more: Mapping[str, str] | None) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": f"Bearer {CLIENT_KEY}"} | dict(more or {})


@asynccontextmanager
async def started_process(
    directory: Path, *arguments: object, command: str = "run", **environment: str
) -> AsyncIterator[Sidecar]:
    """``grokwarden run ARGUMENTS…`` with its output in files of ``directory``; killed if it still runs at the end."""
    stdout, stderr = directory / "stdout", directory / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            command,
            *map(str, arguments),
            stdout=out,
            stderr=err,
            env={**os.environ, "COLUMNS": "200", **environment},
        )
    sidecar = Sidecar(
        process=process,
        config=directory / "config" / "pack.yaml",
        audit_dir=directory / "audit",
        stderr=stderr,
        stdout=stdout,
    )
    try:
        yield sidecar
    finally:
        await sidecar.http.aclose()
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running_sidecar(
    directory: Path, *texts: str, arguments: tuple[object, ...] = (), config: Path | None = None, **environment: str
) -> AsyncIterator[Sidecar]:
    """A sidecar that serves on free ports and is stopped in good order at the end.

    Args:
        directory: Empty; for its configuration, its output and its audit log.
        texts: The configuration's documents; written to a file, unless ``config`` is there already.
        arguments: Further flags.
        config: What to watch instead of that file.
        environment: Further variables; ``XAI_API_KEY`` has a value without.
    """
    file = directory / "config" / "pack.yaml"
    if config is None:
        file.parent.mkdir(parents=True)
        file.write_text(config_text(*texts))
    flags = ("--config", config or file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    variables = {"XAI_API_KEY": "target-key"} | environment
    command = (*flags, "--audit-dir", directory / "audit", *arguments)
    async with started_process(directory, *command, **variables) as sidecar:
        await _until_serving(sidecar)
        yield sidecar
        await sidecar.stop()


@asynccontextmanager
async def running_pod_sidecar(
    directory: Path, operator: FakeOperator, *arguments: object, is_drained: bool = True
) -> AsyncIterator[Sidecar]:
    """``grokwarden sidecar`` on free ports, with everything that a pod would give it below ``directory``.

    Args:
        directory: May be that of a sidecar before: what that one left is found.
        operator: Whose stream it asks for; it need not be there.
        arguments: Further flags, stronger than the usual ones.
        is_drained: It is stopped in good order at the end, not killed.
    """
    await asyncio.to_thread(directory.mkdir, exist_ok=True)
    socket = directory / "admin" / "admin.sock"
    flags = ("--operator", operator.url, "--ca-file", operator.ca_file, "--token-file", operator.token_file)
    places = ("--state-dir", directory / "state", "--config-socket", socket, "--audit-dir", directory / "audit")
    ports = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    async with started_process(directory, *flags, *places, *ports, *arguments, command="sidecar") as sidecar:
        sidecar.config_socket = socket
        await _until_serving(sidecar)
        yield sidecar
        if is_drained:
            await sidecar.stop()


async def _until_serving(sidecar: Sidecar) -> None:
    """It has said where it is reached."""
    await eventually(
        lambda: sidecar.process.returncode is not None or "governing" in sidecar.stdout.read_text(),
        timeout_seconds=_START_SECONDS,
        state=lambda: sidecar.log_text,
    )
    words = sidecar.stdout.read_text().replace(";", " ").split()
    addresses = [word for word in words if word.startswith("http://")]
    assert len(addresses) == 2, sidecar.log_text
    sidecar.url, sidecar.admin_url = addresses[0].removesuffix("/v1"), addresses[1]
