"""The real ``grokwarden operator`` as a child process, under its own account, and what it lets be seen of itself.

    async with running_operator(tmp_path, kubectl, secret_namespaces=[namespace]) as operator:
        await kubectl.inside(namespace)("wait", "--for=condition=Programmed", "pp/pack")

Leaving the block sends SIGTERM and asserts exit code 0.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from eventually import eventually
from kube import Kubectl, Object
from operator_account import ACCOUNT, NAMESPACE, install_account
from sidecar import COMMAND, Metrics

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0


@dataclass(frozen=True, kw_only=True)
class PodFiles:
    """What a pod gives its sidecar, for ``running_pod_sidecar``."""

    url: str
    ca_file: Path
    token_file: Path


@dataclass(kw_only=True)
class RunningOperator:
    """A running operator.

    Attributes:
        url: Of the config stream, ``https://127.0.0.1:port``.
        http_url: Of metrics and probes.
        ca_file: What its certificate is to be trusted by, as its ConfigMap says.
    """

    process: asyncio.subprocess.Process
    stderr: Path
    ca_file: Path
    url: str = ""
    http_url: str = ""
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10))

    @property
    def log_text(self) -> str:
        return self.stderr.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log's events so far."""
        return [json.loads(line) for line in self.log_text.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of one name."""
        return [event for event in self.logs if event["event"] == name]

    async def probe(self, path: str) -> httpx.Response:
        """``/metrics``, ``/healthz`` or ``/readyz``."""
        return await self.http.get(f"{self.http_url}{path}")

    async def metrics(self) -> Metrics:
        return Metrics((await self.probe("/metrics")).text)

    async def files_for(self, kubectl: Kubectl, pod: Object, folder: Path, *, seconds: int = 3600) -> PodFiles:
        """A sidecar's way to this operator as that pod."""
        token = await kubectl.mint_token(pod, seconds=seconds)
        token_file = _written(folder / "token", token)
        return PodFiles(url=self.url, ca_file=self.ca_file, token_file=token_file)

    async def kill(self) -> None:
        """It is gone from one moment to the next."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def running_operator(
    folder: Path,
    kubectl: Kubectl,
    *,
    secret_namespaces: Iterable[str] = (),
    egress_hosts: Iterable[str] = ("127.0.0.1",),
    listen: str = "127.0.0.1:0",
    server: str = "",
) -> AsyncIterator[RunningOperator]:
    """The operator, ready.

    Args:
        folder: Where its files are.
        kubectl: Of the administrator.
        secret_namespaces: Where it reads Secrets; ``let_read_secrets`` gives it the right to.
        egress_hosts: Hosts that targets may name.
        listen: Where sidecars reach it.
        server: The API server's address, if it is to go another way than kubectl's.
    """
    await asyncio.to_thread(install_account, kubectl)
    kubeconfig = await _kubeconfig(folder, kubectl, server)
    arguments = [
        *("operator", f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}", "--log-format=json"),
        *(f"--listen-config={listen}", "--listen-http=127.0.0.1:0", "--dns-name=localhost", "--dns-name=127.0.0.1"),
        *(f"--secret-namespace={name}" for name in secret_namespaces),
        *(f"--egress-host={host}" for host in egress_hosts),
    ]
    stderr = folder / "operator.log"
    with stderr.open("ab") as file:
        process = await asyncio.create_subprocess_exec(COMMAND, *arguments, stderr=file)
    operator = RunningOperator(process=process, stderr=stderr, ca_file=folder / "ca.crt")
    started = len(operator.events("serving"))
    try:
        await eventually(lambda: _is_serving(operator, started), timeout_seconds=_START_SECONDS)
        await eventually(lambda: _is_ready(operator), timeout_seconds=_START_SECONDS)
        trust = await kubectl.inside(NAMESPACE).get("configmap", "grokwarden-ca")
        operator.ca_file.write_text(trust["data"]["ca.crt"])
        yield operator
    finally:
        await operator.http.aclose()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                code = await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                raise
            assert code == 0, operator.log_text[-2000:]


def _is_serving(operator: RunningOperator, before: int) -> bool:
    assert operator.process.returncode is None, operator.log_text[-2000:]
    serving = operator.events("serving")
    if len(serving) <= before:
        return False
    operator.url = f"https://{serving[-1]['config']}"
    operator.http_url = f"http://{serving[-1]['http']}"
    return True


async def _is_ready(operator: RunningOperator) -> bool:
    return (await operator.probe("/readyz")).status_code == 200


async def _kubeconfig(folder: Path, kubectl: Kubectl, server: str) -> Path:
    """A kubeconfig of the operator's own account."""
    token = (await kubectl.inside(NAMESPACE)("create", "token", ACCOUNT, "--duration=3600s")).strip()
    cluster = {"server": server or kubectl.control_plane.server, "certificate-authority": str(kubectl.control_plane.ca)}
    if server:
        cluster["tls-server-name"] = "127.0.0.1"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "operator",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": "operator"}}],
    }
    return _written(folder / "operator.kubeconfig", json.dumps(config))


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path
