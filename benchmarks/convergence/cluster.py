"""What a run has of the API server: our resources, an account, a namespace, and pods with their tokens."""

import asyncio
import json
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.convergence import documents
from benchmarks.convergence.api import Api
from benchmarks.convergence.documents import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, ROOT, Object
from benchmarks.convergence.errors import RunError
from benchmarks.convergence.fleet import Sidecar

from e2e.cluster import processes
from e2e.cluster.binaries import find_kubectl
from e2e.cluster.components import Component
from e2e.cluster.control_plane import ControlPlane, existing_cluster
from e2e.cluster.local import LocalControlPlane, Say, running_cluster

_NAMESPACE_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.1
_AT_ONCE: Final = 16


@contextmanager
def control_plane(folder: Path, kubeconfig: Path | None, *, say: Say) -> Iterator[ControlPlane]:
    """The API server of that kubeconfig, or one of our own, with our resources and the operator's account."""
    if kubeconfig is None:
        with running_cluster(folder / "control-plane", say=say) as own:
            _install(own)
            yield own
    else:
        given = existing_cluster(kubeconfig, kubectl=find_kubectl(say=say), folder=folder)
        _install(given)
        yield given


def _install(cluster: ControlPlane) -> None:
    crds, account = str(ROOT / "crds"), str(ROOT / "operator" / "manifests" / "rbac.yaml")
    for arguments in (
        ("apply", "--server-side", "--force-conflicts", f"--filename={crds}"),
        ("wait", "--for=condition=Established", "--timeout=20s", f"--filename={crds}"),
        ("apply", "--server-side", "--force-conflicts", f"--filename={account}"),
    ):
        command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)


def control_plane_pids(cluster: ControlPlane) -> list[int]:
    """The processes of a control plane that was brought up here; none of another one."""
    if not isinstance(cluster, LocalControlPlane):
        return []
    found = (processes.recorded(cluster.state.record(component)) for component in Component)
    return [process.pid for process in found if process is not None]


@asynccontextmanager
async def new_namespace(api: Api) -> AsyncIterator[str]:
    """A namespace that can hold pods, whose Secrets the operator may read; it is gone after the block."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    await api.create("/api/v1/namespaces", documents.namespace(name))
    try:
        await _until_found(api, f"/api/v1/namespaces/{name}/serviceaccounts/default")
        await api.create(f"/api/v1/namespaces/{name}/secrets", documents.key_secret())
        roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
        await api.create(roles, documents.secrets_reader())
        yield name
    finally:
        await api.delete(f"/api/v1/namespaces/{name}")
        await _until_gone(api, f"/api/v1/namespaces/{name}")


async def _until_found(api: Api, path: str) -> None:
    async with asyncio.timeout(_NAMESPACE_SECONDS):
        while not await _is_there(api, path):  # noqa: ASYNC110 - the API server's state
            await asyncio.sleep(_POLL_SECONDS)


async def _until_gone(api: Api, path: str) -> None:
    async with asyncio.timeout(_NAMESPACE_SECONDS):
        while await _is_there(api, path):  # noqa: ASYNC110 - the API server's state
            await asyncio.sleep(_POLL_SECONDS)


async def _is_there(api: Api, path: str) -> bool:
    try:
        await api.get(path)
    except RunError:
        return False
    return True


async def operator_kubeconfig(api: Api, cluster: ControlPlane, folder: Path) -> Path:
    """A kubeconfig of the operator's own account."""
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/{OPERATOR_ACCOUNT}/token"
    token = (await api.create(path, documents.token_request()))["status"]["token"]
    config = documents.operator_kubeconfig(server=cluster.server, ca=cluster.ca, token=token)
    return written(folder / "operator.kubeconfig", json.dumps(config))


async def new_sidecars(api: Api, namespace: str, folder: Path, count: int) -> list[Sidecar]:
    """That many pods, and a token of each."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def make(number: int) -> Sidecar:
        async with turns:
            pod = await api.create(f"/api/v1/namespaces/{namespace}/pods", documents.pod(number))
            token = await _pod_token(api, namespace, pod)
        place = folder / "pods" / pod["metadata"]["name"]
        place.mkdir(parents=True)
        return Sidecar(token_file=written(place / "token", token), state_dir=place / "state")

    return await asyncio.gather(*(make(number) for number in range(count)))


async def _pod_token(api: Api, namespace: str, pod: Object) -> str:
    request = documents.token_request(bound_to=pod, audience=documents.SIDECAR)
    answer = await api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token", request)
    token: str = answer["status"]["token"]
    return token


def written(path: Path, text: str) -> Path:
    """The file, for our eyes only, holds that text."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
