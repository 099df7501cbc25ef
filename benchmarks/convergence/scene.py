"""Everything that is measured, brought up: control plane, operator, pods with their tokens, and their clients."""

import asyncio
import json
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.convergence import documents
from benchmarks.convergence.api import PACKS, TARGETS, Api, open_api
from benchmarks.convergence.documents import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, ROOT, Object, Packs, pack_name
from benchmarks.convergence.errors import RunError
from benchmarks.convergence.fleet import Fleet, Sidecar, running_fleet
from benchmarks.convergence.operator_process import OperatorProcess, running_operator
from benchmarks.convergence.statuses import Programmed, Statuses

from e2e.cluster import processes
from e2e.cluster.binaries import find_kubectl
from e2e.cluster.components import Component
from e2e.cluster.control_plane import ControlPlane, existing_cluster
from e2e.cluster.local import LocalControlPlane, Say, running_cluster

_CONVERGED_SECONDS: Final = 120.0
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


@dataclass(kw_only=True)
class Scene:
    """One operator and its sidecars.

    Attributes:
        words: What was applied last, by pack: its generation and its word.
        stack: Whatever is on it ends with the scene.
    """

    cluster: ControlPlane
    api: Api
    folder: Path
    namespace: str
    sidecars: int
    statuses: Statuses
    packs: Packs
    fleet: Fleet
    operator: OperatorProcess
    operator_kubeconfig: Path
    stack: AsyncExitStack
    words: dict[str, tuple[int, str]] = field(default_factory=dict)

    async def apply_pack(self, number: int, word: str) -> int:
        """The pack forbids that word from now on; gives its generation."""
        applied = await self.api.apply(PACKS.format(self.namespace), self.packs.pack(number, word))
        generation: int = applied["metadata"]["generation"]
        self.words[f"{self.namespace}/{pack_name(number)}"] = (generation, word)
        return generation

    async def acked(self, number: int, generation: int) -> list[float]:
        """When each client had acked that generation of a pack, once all have."""
        name = f"{self.namespace}/{pack_name(number)}"
        return await self.fleet.acked(name, generation, timeout_seconds=_CONVERGED_SECONDS)

    async def programmed(self, number: int, generation: int) -> Programmed:
        """When the pack's status said that this generation runs everywhere.

        Raises:
            RunError: It says so of another number of sidecars.
        """
        found = await self.statuses.programmed(pack_name(number), generation, timeout_seconds=_CONVERGED_SECONDS)
        if found.acked != self.sidecars:
            raise RunError(f"{pack_name(number)}: Programmed with {found.acked} of {self.sidecars} sidecars")
        return found

    async def check_end_state(self) -> None:
        """Every client runs what was applied last, and nothing else.

        Raises:
            RunError: One does not.
        """
        if problem := state_problem(self.words, await self.fleet.states(), sidecars=self.sidecars):
            raise RunError(problem)

    async def start_another_operator(self) -> None:
        """A new operator serves where the one before did, which has ended."""
        self.operator = await self.stack.enter_async_context(
            running_operator(
                self.folder,
                kubeconfig=self.operator_kubeconfig,
                secret_namespaces=[self.namespace],
                listen=self.operator.config_address,
            )
        )


def state_problem(
    words: Mapping[str, tuple[int, str]], states: Sequence[tuple[Mapping[str, Sequence[Any]], int]], *, sidecars: int
) -> str:
    """What is wrong with what clients have in force; empty if each of them has exactly what was applied last."""
    wanted = {name: list(state) for name, state in words.items()}
    if [(dict(state), count) for state, count in states] == [(wanted, sidecars)]:
        return ""
    return f"wrong end state: expected {wanted} in {sidecars} clients, found {states}; there are no figures"


@asynccontextmanager
async def scene(cluster: ControlPlane, folder: Path, *, sidecars: int, client_processes: int) -> AsyncIterator[Scene]:
    """An operator and that many clients, all of which have the first pack."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_api(cluster.kubeconfig))
        namespace = await stack.enter_async_context(_namespace(api))
        packs = Packs()
        await api.apply(TARGETS.format(namespace), packs.target())
        kubeconfig = await _operator_kubeconfig(api, cluster, folder)
        operator = await stack.enter_async_context(
            running_operator(folder, kubeconfig=kubeconfig, secret_namespaces=[namespace])
        )
        await operator.ready()
        statuses = Statuses(api, namespace)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(statuses.watch())
        stack.callback(watching.cancel)
        trust = await api.get(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps/grokwarden-ca")
        ca_file = _written(folder / "ca.crt", trust["data"]["ca.crt"])
        fleet = await stack.enter_async_context(
            running_fleet(
                folder,
                url=operator.url,
                ca_file=ca_file,
                sidecars=await _sidecars(api, namespace, folder, sidecars),
                processes=client_processes,
            )
        )
        made = Scene(
            cluster=cluster,
            api=api,
            folder=folder,
            namespace=namespace,
            sidecars=sidecars,
            statuses=statuses,
            packs=packs,
            fleet=fleet,
            operator=operator,
            operator_kubeconfig=kubeconfig,
            stack=stack,
        )
        generation = await made.apply_pack(0, "first")
        await made.acked(0, generation)
        await made.programmed(0, generation)
        yield made


@asynccontextmanager
async def _namespace(api: Api) -> AsyncIterator[str]:
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


async def _operator_kubeconfig(api: Api, cluster: ControlPlane, folder: Path) -> Path:
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/{OPERATOR_ACCOUNT}/token"
    token = (await api.create(path, documents.token_request()))["status"]["token"]
    config = documents.operator_kubeconfig(server=cluster.server, ca=cluster.ca, token=token)
    return _written(folder / "operator.kubeconfig", json.dumps(config))


async def _sidecars(api: Api, namespace: str, folder: Path, count: int) -> list[Sidecar]:
    """That many pods, and a token of each."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def make(number: int) -> Sidecar:
        async with turns:
            pod = await api.create(f"/api/v1/namespaces/{namespace}/pods", documents.pod(number))
            token = await _pod_token(api, namespace, pod)
        place = folder / "pods" / pod["metadata"]["name"]
        place.mkdir(parents=True)
        return Sidecar(token_file=_written(place / "token", token), state_dir=place / "state")

    return await asyncio.gather(*(make(number) for number in range(count)))


async def _pod_token(api: Api, namespace: str, pod: Mapping[str, Object]) -> str:
    request = documents.token_request(bound_to=dict(pod), audience=documents.SIDECAR)
    answer = await api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token", request)
    token: str = answer["status"]["token"]
    return token


def _written(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
