"""What is measured, brought up: an operator and the clients of many pods, and ways to change and to await."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.convergence.api import PACKS, TARGETS, Api, open_api
from benchmarks.convergence.cluster import new_namespace, new_sidecars, operator_kubeconfig, written
from benchmarks.convergence.documents import OPERATOR_NAMESPACE, Packs, pack_name
from benchmarks.convergence.errors import RunError
from benchmarks.convergence.fleet import Fleet, running_fleet
from benchmarks.convergence.operator_process import OperatorProcess, running_operator
from benchmarks.convergence.statuses import Programmed, Statuses

from e2e.cluster.control_plane import ControlPlane

_CONVERGED_SECONDS: Final = 120.0


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
        namespace = await stack.enter_async_context(new_namespace(api))
        packs = Packs()
        await api.apply(TARGETS.format(namespace), packs.target())
        kubeconfig = await operator_kubeconfig(api, cluster, folder)
        operator = await stack.enter_async_context(
            running_operator(folder, kubeconfig=kubeconfig, secret_namespaces=[namespace])
        )
        await operator.ready()
        statuses = Statuses(api, namespace)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(statuses.watch())
        stack.callback(watching.cancel)
        trust = await api.get(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps/grokwarden-ca")
        ca_file = written(folder / "ca.crt", trust["data"]["ca.crt"])
        fleet = await stack.enter_async_context(
            running_fleet(
                folder,
                url=operator.url,
                ca_file=ca_file,
                sidecars=await new_sidecars(api, namespace, folder, sidecars),
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
