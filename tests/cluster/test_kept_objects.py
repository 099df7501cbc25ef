"""The authority and the statuses, kept on a real API server under the operator's own account."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.cluster.control_plane import ControlPlane
from eventually import eventually
from grokwarden_operator.certs.authority import AUTHORITY_LIFETIME
from grokwarden_operator.certs.keeper import AUTHORITY_NAME, CertificateKeeper
from grokwarden_operator.cluster.client import Cluster, open_cluster
from grokwarden_operator.listing import Kind, ResourceFact
from grokwarden_operator.plan import ConditionDraft, ConditionType, NackDraft, Reason, SidecarTally, StatusDraft, Truth
from grokwarden_operator.status.status_object import WriteResult
from grokwarden_operator.status.writer import StatusWriter
from kube import Kubectl, Object
from operator_account import NAMESPACE, account_directory, install_account
from tls_handshakes import shake_hands, trusting

SERVICE = f"grokwarden-operator.{NAMESPACE}.svc"


@pytest.fixture
async def cluster(kubectl: Kubectl, control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Cluster]:
    """The API server, with the operator's rights and no others; of its authority nothing is there."""
    install_account(kubectl)
    account = account_directory(kubectl, tmp_path / "account", control_plane)
    clean = ("delete", "secret,configmap", AUTHORITY_NAME, f"--namespace={NAMESPACE}", "--ignore-not-found")
    await kubectl(*clean)
    async with open_cluster(account.connection(), namespace=NAMESPACE, now=lambda: datetime.now(UTC)) as cluster:
        yield cluster
    await kubectl(*clean)


class Clock:
    """The time of day, which stands still unless it is moved."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time


async def entries_of(kubectl: Kubectl, kind: str) -> dict[str, str]:
    """What a person sees in the Secret or the ConfigMap."""
    return (await kubectl.inside(NAMESPACE).get(kind, AUTHORITY_NAME)).get("data", {})


# The authority


async def test_replicas_that_start_together_agree_on_one_authority_and_rotate_it_together(
    kubectl: Kubectl, cluster: Cluster
):
    """Each step is taken by whichever replica comes first; the API server alone decides who that is."""
    clock = Clock()
    keepers = [CertificateKeeper(cluster, namespace=NAMESPACE, names=[SERVICE], now=clock) for _ in range(4)]

    async def all_look() -> tuple[str, list[str]]:
        await asyncio.gather(*(keeper.look() for keeper in keepers))
        assert [keeper.problem for keeper in keepers] == [None] * len(keepers)
        trust = (await entries_of(kubectl, "configmap"))["ca.crt"]
        for keeper in keepers:
            shake_hands(trusting(trust.encode(), whenever=True), keeper.ssl_context, name=SERVICE)
        return trust, sorted(await entries_of(kubectl, "secret"))

    first, names = await all_look()
    assert (first.count("BEGIN"), names) == (1, ["ca.crt", "ca.key"])

    clock.time += AUTHORITY_LIFETIME * 2 / 3
    both, names = await all_look()
    assert (both.count("BEGIN"), names) == (2, ["ca.crt", "ca.key", "next.crt", "next.key", "next.published"])

    clock.time += timedelta(hours=25)
    await all_look()
    replaced, names = await all_look()
    assert (replaced.count("BEGIN"), names) == (2, ["ca.crt", "ca.key", "previous.crt", "previous.replaced"])

    clock.time += timedelta(hours=25)
    await all_look()
    second, names = await all_look()
    assert (second.count("BEGIN"), names) == (1, ["ca.crt", "ca.key"])
    assert second != first


async def test_an_empty_secret_of_a_chart_is_filled(kubectl: Kubectl, cluster: Cluster):
    """Where the operator is given no right to create Secrets, somebody else makes this one."""
    metadata = {"name": AUTHORITY_NAME}
    await kubectl.inside(NAMESPACE).create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    keeper = CertificateKeeper(cluster, namespace=NAMESPACE, names=[SERVICE], now=Clock())
    await keeper.look()

    assert keeper.problem is None
    assert sorted(await entries_of(kubectl, "secret")) == ["ca.crt", "ca.key"]


# Statuses


def pack(name: str) -> Object:
    return {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": "PolicyPack",
        "metadata": {"name": name},
        "spec": {"version": "0.1.0", "chain": [{"name": "core", "policy": "core-policy"}]},
    }


def draft(fact: ResourceFact, acked: int) -> StatusDraft:
    """A status with everything in it that a status can have."""
    is_programmed = acked == 3
    return StatusDraft(
        kind=fact.kind,
        namespace=fact.namespace,
        name=fact.name,
        uid=fact.uid,
        generation=fact.generation,
        conditions=(
            ConditionDraft(type=ConditionType.ACCEPTED, status=Truth.TRUE, reason=Reason.ACCEPTED, message=""),
            ConditionDraft(
                type=ConditionType.PROGRAMMED,
                status=Truth.TRUE if is_programmed else Truth.FALSE,
                reason=Reason.PROGRAMMED if is_programmed else Reason.NACKED,
                message=f"{acked} of 3",
            ),
        ),
        tally=SidecarTally(desired=3, acked=acked, nacked=3 - acked),
        nacks=() if is_programmed else (NackDraft(pod="bot-0", generation=1, reason="RegexTooComplex", message="x"),),
    )


async def seen_in(cluster: Cluster, namespace: str, name: str) -> ResourceFact:
    """The pack as a list shows it."""
    facts = (await cluster.list_facts(Kind.POLICY_PACK)).facts
    [found] = [fact for fact in facts if isinstance(fact, ResourceFact) and fact.full_name == f"{namespace}/{name}"]
    return found


@pytest.fixture
async def written() -> list[WriteResult]:
    """What became of each attempt to write."""
    return []


@pytest.fixture
async def writer(cluster: Cluster, written: list[WriteResult]) -> AsyncIterator[StatusWriter]:
    """A writer that runs."""
    made = StatusWriter(
        cluster,
        is_leader=lambda: True,
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
        on_result=written.append,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.run())
        yield made
        running.cancel()


async def test_what_was_written_is_what_is_seen_and_needs_no_second_write(
    kubectl: Kubectl, cluster: Cluster, namespace: str, writer: StatusWriter, written: list[WriteResult]
):
    """If the API server gave back anything else than it got, every restart would write every status anew."""
    await kubectl.inside(namespace).create(pack("gateway"))
    fact = await seen_in(cluster, namespace, "gateway")
    for acked in (1, 3):
        writer.wish(draft(fact, acked), fact.status)
        await eventually(lambda acked=acked: len(written) == (1 if acked == 1 else 2), timeout_seconds=10)
    again = await seen_in(cluster, namespace, "gateway")
    assert (again.status["sidecars"]["acked"], again.status["nacks"]) == (3, [])

    writer.retain(())
    writer.wish(draft(again, 3), again.status)
    writer.wish(draft(again, 3), {**again.status, "sidecars": {"desired": 0}})
    await eventually(lambda: len(written) == 3, timeout_seconds=10)
    await kubectl.inside(namespace)("wait", "--for=condition=Programmed", "pp/gateway", "--timeout=5s")
    assert written == [WriteResult.WRITTEN] * 3


async def test_each_change_of_a_condition_is_an_event(
    kubectl: Kubectl, cluster: Cluster, namespace: str, writer: StatusWriter, written: list[WriteResult]
):
    """`kubectl describe` has to tell what happened, and when."""
    await kubectl.inside(namespace).create(pack("gateway"))
    fact = await seen_in(cluster, namespace, "gateway")
    for count, acked in enumerate((1, 2, 3), start=1):
        writer.wish(draft(fact, acked), fact.status)
        await eventually(lambda count=count: len(written) == count, timeout_seconds=10)

    async def told() -> list[tuple[str, str, str]]:
        events = await kubectl.inside(namespace).items("events.v1.events.k8s.io")
        return sorted((event["type"], event["reason"], event["note"]) for event in events)

    expected = [
        ("Normal", "Accepted", "Accepted is True: "),
        ("Normal", "Programmed", "Programmed is True: 3 of 3"),
        ("Warning", "Nacked", "Programmed is False: 1 of 3"),
    ]
    seen: list[tuple[str, str, str]] = []

    async def all_told() -> bool:
        seen[:] = await told()
        return len(seen) >= len(expected)

    await eventually(all_told, timeout_seconds=10, state=lambda: seen)
    assert [(kind, reason, note.strip()) for kind, reason, note in seen] == [
        (kind, reason, note.strip()) for kind, reason, note in expected
    ]


async def test_a_status_of_a_pack_that_was_made_anew_is_dropped(
    kubectl: Kubectl, cluster: Cluster, namespace: str, writer: StatusWriter, written: list[WriteResult]
):
    """The old one's acks would say of the new one that every sidecar runs it."""
    inside = kubectl.inside(namespace)
    await inside.create(pack("gateway"))
    old = await seen_in(cluster, namespace, "gateway")
    await inside("delete", "pp", "gateway")
    await inside.create(pack("gateway"))
    writer.wish(draft(old, 3), old.status)
    await eventually(lambda: written == [WriteResult.GONE], timeout_seconds=10)

    assert (await seen_in(cluster, namespace, "gateway")).status == {}
