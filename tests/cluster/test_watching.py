"""The inventory follows the API server, whatever happens to the connections to it: under the operator's own account."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deaf_proxy import DeafProxy, Swallows, deaf_proxy
from e2e.cluster.components import Component
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.local import LocalControlPlane
from eventually import eventually
from grokwarden_operator.cluster.client import Cluster, Timeouts, open_cluster
from grokwarden_operator.cluster.connection import Connection
from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.inventory import Inventory
from grokwarden_operator.watching.kopf_settings import ListeningTimings
from grokwarden_operator.watching.watchdog import WatchdogTimings
from grokwarden_operator.watching.watching import Watching, WatchTimings
from kube import Kubectl, Object, apply_crds, plain_pod, sidecar_pod
from operator_account import (
    ACCOUNT,
    NAMESPACE,
    ServiceAccountDirectory,
    account_directory,
    install_account,
    write_token,
)

pytestmark = pytest.mark.usefixtures("account")

NEVER = 3600.0
QUICK = WatchTimings(
    listening=ListeningTimings(watch_seconds=2, silence_seconds=1.0, connect_seconds=1.0, stop_seconds=5.0),
    watchdog=WatchdogTimings(deaf_seconds=5.0, open_seconds=5.0, grace_seconds=1.0, calm_seconds=5.0),
    resync_seconds=NEVER,
    recheck_seconds=2.0,
    restart_seconds=0.1,
    look_seconds=0.2,
)
"""Watches last two seconds, and what is not heard is found by nobody but the watchdog."""
UNWATCHED = replace(QUICK, watchdog=replace(QUICK.watchdog, deaf_seconds=NEVER, open_seconds=NEVER))
"""The same without a watchdog, for what has to be mended before it barks."""
STEADY = replace(
    QUICK,
    listening=replace(QUICK.listening, silence_seconds=NEVER),
    watchdog=replace(QUICK.watchdog, grace_seconds=4.0),
)
"""The same, but no attempt is ever cut short, and there is time for one after an outage: kopf rests for two seconds."""
PATIENT = WatchTimings(
    listening=ListeningTimings(watch_seconds=600, silence_seconds=60.0),
    watchdog=WatchdogTimings(deaf_seconds=NEVER, open_seconds=NEVER, grace_seconds=1.0, calm_seconds=5.0),
    resync_seconds=2.0,
    recheck_seconds=0.5,
    restart_seconds=0.1,
    look_seconds=0.2,
)
"""Watches last for ever, and the list every two seconds has to find what they miss."""


@dataclass
class Operator:
    """The part of an operator that listens."""

    inventory: Inventory
    watching: Watching
    cluster: Cluster
    wakes: list[float]
    begun: float

    def packs(self, namespace: str) -> dict[str, object]:
        """The version of each pack of a namespace, as far as it is known."""
        packs = self.inventory.listing().packs.values()
        return {pack.name: pack.document.content["spec"]["version"] for pack in packs if pack.namespace == namespace}

    def pods(self, namespace: str) -> dict[str, bool]:
        """Whether each pod of a namespace carries a sidecar, as far as it is known."""
        pods = self.inventory.listing().pods.values()
        return {pod.name: pod.has_sidecar for pod in pods if pod.namespace == namespace}


@contextlib.asynccontextmanager
async def operator_on(connection: Connection, timings: WatchTimings) -> AsyncIterator[Operator]:
    inventory, wakes = Inventory(), []
    timeouts = Timeouts(connect_seconds=1.0, request_seconds=3.0, list_seconds=3.0)
    async with (
        open_cluster(connection, namespace=NAMESPACE, now=lambda: datetime.now(UTC), timeouts=timeouts) as cluster,
        asyncio.TaskGroup() as tasks,
    ):
        watching = Watching(
            connection=connection,
            cluster=cluster,
            inventory=inventory,
            wake=lambda: wakes.append(time.monotonic()),
            clock=time.monotonic,
            timings=timings,
        )
        begun = time.monotonic()
        running = tasks.create_task(watching.run())
        yield Operator(inventory=inventory, watching=watching, cluster=cluster, wakes=wakes, begun=begun)
        running.cancel()


@pytest.fixture(scope="module")
def account(
    kubectl: Kubectl, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> ServiceAccountDirectory:
    install_account(kubectl)
    return account_directory(kubectl, tmp_path_factory.mktemp("account"), control_plane)


@pytest.fixture
async def operator(account: ServiceAccountDirectory) -> AsyncIterator[Operator]:
    async with operator_on(account.connection(), QUICK) as operator:
        async with asyncio.timeout(10):
            await operator.watching.ready()
        await watches_opened(operator)
        yield operator


async def watches_opened(operator: Operator, *, within_seconds: float = NEVER, timeout_seconds: float = 15) -> None:
    """Every watch has been opened by kopf since the operator began, and not longer ago than that."""

    def are_open() -> bool:
        running_for = time.monotonic() - operator.begun
        return max(operator.watching.ages().values()) < min(within_seconds, running_for)

    await eventually(are_open, timeout_seconds=timeout_seconds, state=operator.watching.ages)


async def settled(operator: Operator, proxy: DeafProxy) -> None:
    """Every watch is open, and the lists that follow upon that have been asked for: all else has to be heard."""
    await operator.watching.ready()
    await watches_opened(operator)
    await eventually(lambda: proxy.count(lists_of("policypacks")) >= 3, timeout_seconds=5, state=lambda: proxy.asked)


def pack(name: str, *, version: str = "0.1.0") -> Object:
    return {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": "PolicyPack",
        "metadata": {"name": name},
        "spec": {"version": version, "chain": [{"name": "core", "policy": "core-policy"}]},
    }


# Daily life


async def test_what_was_there_is_known_before_anything_may_be_published(
    kubectl: Kubectl, namespace: str, account: ServiceAccountDirectory
):
    """A round on half a listing would take packs out of force that are there."""
    await kubectl.inside(namespace).create(pack("one"), pack("two"), sidecar_pod("bot"))

    async with operator_on(account.connection(), QUICK) as operator:
        assert not operator.watching.is_ready
        async with asyncio.timeout(10):
            await operator.watching.ready()

        assert operator.packs(namespace) == {"one": "0.1.0", "two": "0.1.0"}
        assert operator.pods(namespace) == {"bot": True}
        assert namespace in operator.inventory.listing().namespaces
        assert operator.wakes


async def test_every_kind_of_change_reaches_the_inventory(kubectl: Kubectl, namespace: str, operator: Operator):
    """An edit has to be in force within a second; the watch is the first part of that way."""
    inside = kubectl.inside(namespace)

    await inside.apply(pack("one"))
    await eventually(lambda: operator.packs(namespace) == {"one": "0.1.0"}, timeout_seconds=3)
    await inside.apply(pack("one", version="0.2.0"))
    await eventually(lambda: operator.packs(namespace) == {"one": "0.2.0"}, timeout_seconds=3)
    await inside("delete", "policypack", "one")
    await eventually(lambda: operator.packs(namespace) == {}, timeout_seconds=3)
    await inside.create(plain_pod("bare"), sidecar_pod("bot"))
    await eventually(lambda: operator.pods(namespace) == {"bare": False, "bot": True}, timeout_seconds=3)
    await kubectl("label", "namespace", namespace, "grokwarden.io/injection=enabled")
    await eventually(lambda: operator.inventory.listing().namespaces[namespace].is_opted_in, timeout_seconds=3)


async def test_listening_leaves_no_trace_on_what_is_listened_to(kubectl: Kubectl, namespace: str, operator: Operator):
    """A finalizer of ours would keep packs from being deleted once the operator is uninstalled."""
    inside = kubectl.inside(namespace)
    await inside.apply(pack("one"))
    await eventually(lambda: operator.packs(namespace), timeout_seconds=3)
    [edited] = await inside.apply(pack("one", version="0.2.0"))
    await eventually(lambda: operator.packs(namespace) == {"one": "0.2.0"}, timeout_seconds=3)

    assert await inside.get("policypack", "one") == edited
    assert await kubectl.items("events", f"--namespace={namespace}") == []


async def test_a_living_watch_is_opened_anew_now_and_then(operator: Operator):
    """In a cluster where nothing happens this is the only sign of life there is."""
    oldest = 0.0
    end = time.monotonic() + 6

    def is_over() -> bool:
        nonlocal oldest
        oldest = max(oldest, *operator.watching.ages().values())
        return time.monotonic() > end

    await eventually(is_over, timeout_seconds=10)

    assert oldest < 3.5
    assert operator.watching.restarts == 0


async def test_a_restart_of_kopf_touches_nothing_else(account: ServiceAccountDirectory):
    """The streams to the sidecars are served by the same loop; kopf cancels whatever is younger than itself."""
    connection, ticks = account.connection(), 0

    async def stream() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with asyncio.TaskGroup() as tasks:
        async with operator_on(connection, QUICK) as operator:
            await operator.watching.ready()
            await watches_opened(operator)
            streaming = tasks.create_task(stream())
        before = ticks
        await eventually(lambda: ticks > before + 10, timeout_seconds=3)
        streaming.cancel()


# What a watch can do wrong


async def test_a_watch_that_went_deaf_is_replaced_within_seconds(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlane, tmp_path: Path
):
    """A half-open connection looks alive for ever; an edit of a policy must not wait for somebody to notice."""
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    async with (
        deaf_proxy(control_plane.server, control_plane.ca, tmp_path) as proxy,
        operator_on(account.connection(server=proxy.server, ca=proxy.ca), UNWATCHED) as operator,
    ):
        await settled(operator, proxy)

        assert proxy.deafen(watches_of("policypacks")) == 1
        watched = proxy.count(watches_of("policypacks"))
        await kubectl.inside(namespace).apply(pack("unheard"), plain_pod("bare"))

        await eventually(lambda: operator.pods(namespace) == {"bare": False}, timeout_seconds=3)
        await eventually(lambda: operator.packs(namespace) == {"unheard": "0.1.0"}, timeout_seconds=6)
        assert proxy.count(watches_of("policypacks")) > watched
        assert operator.watching.restarts == 0


async def test_a_watch_that_keeps_something_to_itself_is_found_by_a_list(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlane, tmp_path: Path
):
    """Where even kopf's own timeouts fail, the list finds the object, and the watchdog starts kopf anew."""
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    async with (
        deaf_proxy(control_plane.server, control_plane.ca, tmp_path) as proxy,
        operator_on(account.connection(server=proxy.server, ca=proxy.ca), PATIENT) as operator,
    ):
        await settled(operator, proxy)

        assert proxy.deafen(watches_of("policypacks")) == 1
        await kubectl.inside(namespace).apply(pack("unheard"))

        await eventually(lambda: operator.packs(namespace) == {"unheard": "0.1.0"}, timeout_seconds=4)
        await eventually(lambda: operator.watching.restarts == 1, timeout_seconds=5)
        assert operator.watching.healthy()
        await kubectl.inside(namespace).apply(pack("heard"))
        await eventually(lambda: "heard" in operator.packs(namespace), timeout_seconds=10)
        assert operator.watching.restarts == 1


async def test_a_watch_that_stays_deaf_is_no_secret(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlane, tmp_path: Path
):
    """Once restarting kopf does not help, liveness has to fail; what the lists find is still taken in meanwhile."""
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    async with (
        deaf_proxy(control_plane.server, control_plane.ca, tmp_path) as proxy,
        operator_on(account.connection(server=proxy.server, ca=proxy.ca), QUICK) as operator,
    ):
        await settled(operator, proxy)

        proxy.deafen(watches_of("policypacks"), also_later=True)
        await eventually(lambda: operator.watching.restarts >= 1, timeout_seconds=15)
        assert operator.watching.healthy()
        await eventually(lambda: not operator.watching.healthy(), timeout_seconds=40)

        await kubectl.inside(namespace).apply(pack("listed"))
        await eventually(lambda: operator.packs(namespace) == {"listed": "0.1.0"}, timeout_seconds=15)
        assert operator.watching.ages()[Kind.POLICY_PACK] > 10
        assert operator.watching.ages()[Kind.POD] < 10

        proxy.heal()
        await eventually(operator.watching.healthy, timeout_seconds=25)


async def test_a_watch_that_sends_rubbish_costs_one_restart(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlane, tmp_path: Path
):
    """What ends kopf's watch ends all of kopf, in the middle of the night."""
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    async with (
        deaf_proxy(control_plane.server, control_plane.ca, tmp_path) as proxy,
        operator_on(account.connection(server=proxy.server, ca=proxy.ca), QUICK) as operator,
    ):
        await settled(operator, proxy)

        assert proxy.spoil(watches_of("policypacks")) == 1
        await kubectl.inside(namespace).apply(pack("garbled"))

        await eventually(lambda: operator.packs(namespace) == {"garbled": "0.1.0"}, timeout_seconds=5)
        await eventually(lambda: operator.watching.restarts == 1, timeout_seconds=5)
        await kubectl.inside(namespace).apply(pack("clear"))
        await eventually(lambda: "clear" in operator.packs(namespace), timeout_seconds=10)
        assert operator.watching.healthy()


def watches_of(plural: str) -> Swallows:
    return lambda target: f"/{plural}?" in target and "watch=true" in target


def lists_of(plural: str) -> Swallows:
    return lambda target: f"/{plural}?" in target and "watch=true" not in target


# An API server that is away


async def test_an_outage_is_survived_and_what_was_deleted_in_it_is_noticed(
    own_control_plane: LocalControlPlane, tmp_path: Path
):
    """An API server restarts whenever a cluster is upgraded. No liveness probe must kill the operator for that."""
    kubectl = Kubectl(control_plane=own_control_plane, cache=tmp_path / "cache")
    install_account(kubectl)
    account = account_directory(kubectl, tmp_path / "account", own_control_plane)
    inside = kubectl.inside("default")
    await inside.apply(pack("kept"), pack("doomed"))
    async with operator_on(account.connection(), STEADY) as operator:
        await operator.watching.ready()
        await watches_opened(operator)

        own_control_plane.stop(Component.API_SERVER)
        await eventually(lambda: not operator.watching.is_connected, timeout_seconds=10)
        await eventually(lambda: min(operator.watching.ages().values()) > 12, timeout_seconds=20)
        assert operator.watching.healthy()
        assert operator.packs("default") == {"kept": "0.1.0", "doomed": "0.1.0"}
        await asyncio.to_thread(own_control_plane.start, Component.API_SERVER)
        await watches_opened(operator, within_seconds=10, timeout_seconds=12)
        await inside("delete", "policypack", "doomed")
        await inside.apply(pack("kept", version="0.2.0"), pack("new"))

        await eventually(
            lambda: operator.packs("default") == {"kept": "0.2.0", "new": "0.1.0"},
            timeout_seconds=10,
            state=lambda: operator.packs("default"),
        )
        assert operator.watching.is_connected
        assert operator.watching.healthy()


async def test_a_deletion_that_no_watch_tells_of_is_noticed(
    kubectl: Kubectl, namespace: str, control_plane: ControlPlane, tmp_path: Path
):
    """Whoever has to list again, as after a long outage, is told what is there, and never what is no more."""
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    inside = kubectl.inside(namespace)
    await inside.apply(pack("doomed"))
    async with (
        deaf_proxy(control_plane.server, control_plane.ca, tmp_path) as proxy,
        operator_on(account.connection(server=proxy.server, ca=proxy.ca), QUICK) as operator,
    ):
        await settled(operator, proxy)
        assert proxy.deafen(watches_of("policypacks")) == 1
        proxy.expire(watches_of("policypacks"))
        await inside("delete", "policypack", "doomed")

        await eventually(lambda: operator.packs(namespace) == {}, timeout_seconds=8)
        assert proxy.has_expired
        assert operator.watching.restarts == 0


async def test_a_token_that_is_believed_no_more_is_exchanged_on_the_way(
    own_control_plane: LocalControlPlane, tmp_path: Path
):
    """A session that began with an old token must not end with it."""
    kubectl = Kubectl(control_plane=own_control_plane, cache=tmp_path / "cache")
    install_account(kubectl)
    account = account_directory(kubectl, tmp_path / "account", own_control_plane)
    async with operator_on(account.connection(), QUICK) as operator:
        await operator.watching.ready()
        await watches_opened(operator)

        await kubectl("delete", "serviceaccount", ACCOUNT, f"--namespace={NAMESPACE}")
        await asyncio.to_thread(install_account, kubectl)
        await eventually(lambda: not operator.watching.is_connected, timeout_seconds=20)
        await asyncio.to_thread(write_token, kubectl, account.path)

        await eventually(lambda: operator.watching.is_connected, timeout_seconds=10)
        await kubectl.inside("default").apply(pack("heard"))
        await eventually(lambda: operator.packs("default") == {"heard": "0.1.0"}, timeout_seconds=10)
        await watches_opened(operator, within_seconds=3)
        assert operator.watching.healthy()


async def test_an_operator_that_comes_before_its_crds_waits_for_them(
    own_control_plane: LocalControlPlane, tmp_path: Path
):
    """An installer creates everything at once, in whatever order."""
    kubectl = Kubectl(control_plane=own_control_plane, cache=tmp_path / "cache")
    install_account(kubectl)
    account = account_directory(kubectl, tmp_path / "account", own_control_plane)
    await kubectl("delete", "crd", "policypacks.grokwarden.io", "providertargets.grokwarden.io")
    async with operator_on(account.connection(), QUICK) as operator:
        await eventually(lambda: len(operator.inventory.listing().namespaces) == 0, timeout_seconds=1)
        assert not operator.watching.is_ready

        await asyncio.to_thread(apply_crds, kubectl)
        async with asyncio.timeout(10):
            await operator.watching.ready()
        await kubectl.inside("default").apply(pack("first"))

        await eventually(lambda: operator.packs("default") == {"first": "0.1.0"}, timeout_seconds=5)
