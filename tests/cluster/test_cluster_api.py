"""What the operator asks of the API server, each under its own service account."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2e.cluster.control_plane import ControlPlane
from eventually import eventually
from grokwarden_operator.cluster.client import (
    PAGE,
    Cluster,
    Occurrence,
    OwnSecret,
    PodIdentity,
    Timeouts,
    Write,
    open_cluster,
)
from grokwarden_operator.cluster.connection import Connection, connection_to, from_service_account
from grokwarden_operator.cluster.errors import (
    ClusterConfigError,
    ClusterForbiddenError,
    ClusterRejectedError,
    ClusterUnavailableError,
)
from grokwarden_operator.cluster.secret_stream import SecretTimings
from grokwarden_operator.cluster.server import DEFAULT_TIMEOUTS
from grokwarden_operator.listing import Kind, PodFact, ResourceFact, SecretFact, SecretTrouble
from grokwarden_operator.watching.facts import Fact
from kube import Kubectl, Object, plain_pod, sidecar_pod
from operator_account import (
    NAMESPACE,
    USER,
    ServiceAccountDirectory,
    account_directory,
    install_account,
    let_read_secrets,
)

QUICK = SecretTimings(watch_seconds=1, forbidden_seconds=0.3, patience_seconds=0.2, patience=3, retry_seconds=0.05)


@pytest.fixture(scope="module")
def account(
    kubectl: Kubectl, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> ServiceAccountDirectory:
    install_account(kubectl)
    return account_directory(kubectl, tmp_path_factory.mktemp("account"), control_plane)


def cluster_of(
    connection: Connection, *, timeouts: Timeouts = DEFAULT_TIMEOUTS, page: int = PAGE
) -> contextlib.AbstractAsyncContextManager[Cluster]:
    return open_cluster(
        connection,
        namespace=NAMESPACE,
        now=lambda: datetime.now(UTC),
        timeouts=timeouts,
        secret_timings=QUICK,
        page=page,
    )


@pytest.fixture
async def cluster(account: ServiceAccountDirectory) -> AsyncIterator[Cluster]:
    async with cluster_of(account.connection()) as cluster:
        yield cluster


def pack(name: str, *, version: str = "0.1.0") -> Object:
    return {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": "PolicyPack",
        "metadata": {"name": name},
        "spec": {"version": version, "chain": [{"name": "core", "policy": "core-policy"}]},
    }


def secret(name: str, value: str, **annotations: str) -> Object:
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"KEY": value}}


def status_saying(message: str) -> Object:
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {"observedGeneration": 1, "conditions": [condition]}


def found(facts: list[Fact], namespace: str, name: str) -> Fact:
    return next(fact for fact in facts if getattr(fact, "namespace", "") == namespace and fact.name == name)


# Lists


async def test_a_list_is_complete_though_it_comes_in_pages(
    kubectl: Kubectl, namespace: str, account: ServiceAccountDirectory
):
    """Whatever a list leaves out counts as gone, so half a list would take packs out of force."""
    await kubectl.inside(namespace).create(*(pack(f"pack-{number}") for number in range(7)))

    async with cluster_of(account.connection(), page=3) as cluster:
        listed = await cluster.list_facts(Kind.POLICY_PACK)

    names = [fact.name for fact in listed.facts if isinstance(fact, ResourceFact) and fact.namespace == namespace]
    assert sorted(names) == [f"pack-{number}" for number in range(7)]
    assert int(listed.resource_version) >= max(int(fact.resource_version) for fact in listed.facts)


async def test_pods_are_listed_with_what_counts_of_them(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A pod's labels choose its packs, and its spec says whether it carries a sidecar."""
    await kubectl.inside(namespace).create(sidecar_pod("bot", labels={"app": "bot"}), plain_pod("bare"))

    listed = (await cluster.list_facts(Kind.POD)).facts

    bot, bare = (found(list(listed), namespace, name) for name in ("bot", "bare"))
    assert isinstance(bot, PodFact)
    assert isinstance(bare, PodFact)
    assert (bot.labels, bot.has_sidecar, bot.is_live) == ({"app": "bot"}, True, True)
    assert not bare.has_sidecar


async def test_a_finished_pod_is_not_even_sent(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A cluster keeps thousands of finished jobs' pods; none of them can ever need a policy again."""
    inside = kubectl.inside(namespace)
    await inside.create(plain_pod("done"), plain_pod("running"))
    await inside(
        "patch", "pod", "done", "--subresource=status", "--type=merge", '--patch={"status":{"phase":"Failed"}}'
    )

    listed = (await cluster.list_facts(Kind.POD)).facts

    assert {fact.name for fact in listed if getattr(fact, "namespace", "") == namespace} == {"running"}


async def test_a_pod_is_found_before_any_watch_shows_it(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A sidecar may connect before its pod's event has come; then the API server is asked."""
    [created] = await kubectl.inside(namespace).create(sidecar_pod("bot"))

    pod = await cluster.get_pod(namespace, "bot")

    assert pod is not None
    assert pod.uid == created["metadata"]["uid"]
    assert await cluster.get_pod(namespace, "nobody") is None


# Statuses


async def test_a_status_is_written_and_the_spec_is_left_alone(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """The operator owns statuses and nothing else; its writes must not look like an edit to anybody."""
    [made] = await kubectl.inside(namespace).create(pack("pack"))
    uid = made["metadata"]["uid"]

    written = await cluster.apply_status(Kind.POLICY_PACK, namespace, "pack", uid, status_saying("fine"))

    after = await kubectl.inside(namespace).get("policypack", "pack")
    assert written is Write.DONE
    assert after["status"]["conditions"][0]["message"] == "fine"
    assert (after["spec"], after["metadata"]["generation"]) == (made["spec"], made["metadata"]["generation"])
    assert set(after["metadata"]).isdisjoint({"annotations", "finalizers"})


async def test_a_status_takes_the_place_of_the_one_before(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """What is not said any more must vanish, whoever wrote it: a list of refusals that only grows would lie."""
    [made] = await kubectl.inside(namespace).create(pack("pack"))
    uid = made["metadata"]["uid"]
    nack = {"pod": "bot", "generation": 1, "reason": "Broken", "message": "no"}
    first = status_saying("first")
    first["nacks"] = [nack]

    await cluster.apply_status(Kind.POLICY_PACK, namespace, "pack", uid, first)
    await cluster.apply_status(Kind.POLICY_PACK, namespace, "pack", uid, status_saying("second"))

    status = (await kubectl.inside(namespace).get("policypack", "pack"))["status"]
    assert "nacks" not in status
    assert [condition["message"] for condition in status["conditions"]] == ["second"]


async def test_a_status_never_lands_on_another_pack_of_the_same_name(
    kubectl: Kubectl, namespace: str, cluster: Cluster
):
    """A pack that was deleted and made anew has acked nothing yet; the old one's status would be a lie on it."""
    inside = kubectl.inside(namespace)
    [old] = await inside.create(pack("pack"))
    await inside("delete", "policypack", "pack")
    await inside.create(pack("pack"))

    uid, known = old["metadata"]["uid"], old["metadata"]["resourceVersion"]
    for version in ("", known):
        written = await cluster.apply_status(
            Kind.POLICY_PACK, namespace, "pack", uid, status_saying("old"), resource_version=version
        )
        assert written is Write.RECREATED

    assert "status" not in await inside.get("policypack", "pack")


async def test_a_status_is_written_though_the_version_that_was_known_is_old(
    kubectl: Kubectl, namespace: str, cluster: Cluster
):
    """A spec is edited while its status is on its way; the status says itself of which generation it speaks."""
    inside = kubectl.inside(namespace)
    [old] = await inside.apply(pack("pack"))
    await inside.apply(pack("pack", version="0.2.0"))

    uid, known = old["metadata"]["uid"], old["metadata"]["resourceVersion"]
    written = await cluster.apply_status(
        Kind.POLICY_PACK, namespace, "pack", uid, status_saying("fine"), resource_version=known
    )

    assert written is Write.DONE
    assert (await inside.get("policypack", "pack"))["status"]["observedGeneration"] == 1


async def test_a_status_of_what_is_gone_is_no_error(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """Packs are deleted while their status is on its way; that is daily life."""
    [made] = await kubectl.inside(namespace).create(pack("pack"))
    await kubectl.inside(namespace)("delete", "policypack", "pack")

    written = await cluster.apply_status(
        Kind.POLICY_PACK, namespace, "pack", made["metadata"]["uid"], status_saying("late")
    )

    assert written is Write.GONE
    assert await kubectl.items("policypacks", f"--namespace={namespace}") == []


async def test_a_status_that_breaks_the_schema_is_said_not_to_be_worth_repeating(
    kubectl: Kubectl, namespace: str, cluster: Cluster
):
    """Repeating it would go on for ever; the message names the field."""
    [made] = await kubectl.inside(namespace).create(pack("pack"))

    broken = status_saying("fine")
    broken["conditions"][0]["status"] = "Maybe"

    with pytest.raises(ClusterRejectedError, match="Maybe") as error:
        await cluster.apply_status(Kind.POLICY_PACK, namespace, "pack", made["metadata"]["uid"], broken)
    assert not error.value.is_retriable


# Events


async def test_an_event_is_seen_where_people_look(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """``kubectl describe`` shows Events of the very object, by its uid."""
    [made] = await kubectl.inside(namespace).create(pack("pack"))

    await cluster.post_event(occurrence(namespace, made, note="chain[0] is wrong. " * 200))

    [event] = await kubectl.items("events.events.k8s.io", f"--namespace={namespace}")
    assert event["regarding"]["uid"] == made["metadata"]["uid"]
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "CompileError", "Compile")
    assert len(event["note"]) == 1024
    described = await kubectl.inside(namespace)("describe", "policypack", "pack")
    assert "CompileError" in described


async def test_an_event_in_a_namespace_that_goes_away_is_dropped(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """Such a namespace takes nothing new, and nobody will look there any more: no error, no second try."""
    inside = kubectl.inside(namespace)
    [made] = await inside.create(pack("pack") | {"metadata": {"name": "pack", "finalizers": ["grokwarden.io/test"]}})
    await kubectl("delete", "namespace", namespace, "--wait=false")

    await cluster.post_event(occurrence(namespace, made, note="late"))

    assert await kubectl.items("events.events.k8s.io", f"--namespace={namespace}") == []
    await inside("patch", "policypack", "pack", "--type=merge", '--patch={"metadata":{"finalizers":null}}')


def occurrence(namespace: str, made: Object, *, note: str) -> Occurrence:
    return Occurrence(
        kind=Kind.POLICY_PACK,
        namespace=namespace,
        name="pack",
        uid=made["metadata"]["uid"],
        is_warning=True,
        reason="CompileError",
        action="Compile",
        note=note,
    )


# Tokens


async def test_a_token_names_its_pod(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A sidecar has no other identity."""
    [pod] = await kubectl.inside(namespace).create(sidecar_pod("bot"))

    identity = await cluster.review_token(await kubectl.mint_token(pod))

    assert identity == PodIdentity(
        namespace=namespace, pod_name="bot", pod_uid=pod["metadata"]["uid"], service_account="default"
    )


async def test_a_token_for_somebody_else_names_nobody(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A pod's ordinary API token is in every container: it must not open the stream of its policies and keys."""
    [pod] = await kubectl.inside(namespace).create(plain_pod("bot"))

    other = await kubectl.mint_token(pod, audience="https://kubernetes.default.svc")

    assert await cluster.review_token(other) is None


async def test_a_token_without_a_pod_names_nobody(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """Whoever may make tokens of a service account is not thereby one of its pods."""
    loose = await kubectl.inside(namespace)("create", "token", "default", "--audience=grokwarden")

    assert await cluster.review_token(loose.strip()) is None


async def test_nonsense_names_nobody(cluster: Cluster):
    """What comes from the network is anything at all."""
    assert await cluster.review_token("no.token.atall") is None


async def test_a_token_of_a_deleted_pod_names_nobody(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A token lives for an hour; its pod may be gone after a minute."""
    inside = kubectl.inside(namespace)
    [pod] = await inside.create(sidecar_pod("bot"))
    token = await kubectl.mint_token(pod)
    assert await cluster.review_token(token)

    await inside("delete", "pod", "bot", "--grace-period=0", "--force")

    async def is_refused() -> bool:
        return await cluster.review_token(token) is None

    await eventually(is_refused, timeout_seconds=15)


# Secrets that targets name


class Follower:
    """What was told of a Secret so far."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.told: list[SecretFact | SecretTrouble] = []
        self._told = cluster.watch_secret(namespace, name)

    async def run(self) -> None:
        async for each in self._told:
            self.told.append(each)

    @property
    def last(self) -> object:
        """A key's value, or the trouble."""
        if not self.told:
            return None
        last = self.told[-1]
        return last.entries.get("KEY") if isinstance(last, SecretFact) else last


@contextlib.asynccontextmanager
async def following(cluster: Cluster, namespace: str, name: str) -> AsyncIterator[Follower]:
    follower = Follower(cluster, namespace, name)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follower.run())
        yield follower
        task.cancel()


async def test_a_secret_is_followed_from_its_making_to_its_end(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A rotated key reaches the sidecars without anybody restarting anything."""
    await let_read_secrets(kubectl, namespace)
    inside = kubectl.inside(namespace)
    hosts = {"grokwarden.io/allowed-hosts": "API.x.ai, proxy.corp:3128"}
    async with following(cluster, namespace, "xai-key") as follower:
        await eventually(
            lambda: follower.last is SecretTrouble.NOT_FOUND, timeout_seconds=10, state=lambda: follower.told
        )

        await inside.apply(secret("xai-key", "first", **hosts), secret("another", "not asked for"))
        await eventually(lambda: follower.last == b"first", timeout_seconds=5, state=lambda: follower.told)
        await inside.apply(secret("xai-key", "second", **hosts))
        await eventually(lambda: follower.last == b"second", timeout_seconds=5, state=lambda: follower.told)
        known = follower.told[-1]
        assert isinstance(known, SecretFact)
        assert known.allowed_hosts == ("api.x.ai", "proxy.corp:3128")
        await inside("delete", "secret", "xai-key")
        await eventually(lambda: follower.last is SecretTrouble.NOT_FOUND, timeout_seconds=5)

    assert len(follower.told) == 4
    assert "first" not in repr(follower.told)


async def test_a_secret_is_followed_over_the_end_of_a_watch(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """Each watch ends after a while; what happens between two of them must not be lost, nor told twice."""
    await let_read_secrets(kubectl, namespace)
    inside = kubectl.inside(namespace)
    await inside.apply(secret("xai-key", "0"))
    async with following(cluster, namespace, "xai-key") as follower:
        for number in range(1, 6):  # each watch lasts a second
            await eventually(lambda number=number: follower.last == str(number - 1).encode(), timeout_seconds=10)
            await asyncio.to_thread(inside.run, "wait", "--for=delete", "secret/none", "--timeout=1s")
            await inside.apply(secret("xai-key", str(number)))
        await eventually(lambda: follower.last == b"5", timeout_seconds=5)

    assert len(follower.told) == 6


async def test_a_secret_that_may_not_be_read_is_said_so_until_it_may(
    kubectl: Kubectl, namespace: str, cluster: Cluster
):
    """The cure is a RoleBinding; once it is there, nobody has to restart the operator."""
    await kubectl.inside(namespace).apply(secret("xai-key", "hidden"))
    async with following(cluster, namespace, "xai-key") as follower:
        await eventually(lambda: follower.last is SecretTrouble.FORBIDDEN, timeout_seconds=10)

        await let_read_secrets(kubectl, namespace)

        await eventually(lambda: follower.last == b"hidden", timeout_seconds=10)


async def test_a_key_is_given_up_only_after_several_refusals(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """An API server that is starting refuses everything for a moment; a key that was known must survive that."""
    await let_read_secrets(kubectl, namespace)
    inside = kubectl.inside(namespace)
    await inside.apply(secret("xai-key", "known"))
    async with following(cluster, namespace, "xai-key") as follower:
        await eventually(lambda: follower.last == b"known", timeout_seconds=10)

        await inside("delete", "rolebinding", "grokwarden-secrets-reader")

        await eventually(lambda: follower.last is SecretTrouble.FORBIDDEN, timeout_seconds=15)
    assert len(follower.told) == 2


async def test_a_role_for_one_secret_is_enough(kubectl: Kubectl, namespace: str, cluster: Cluster):
    """A namespace's owner may let the operator see a single Secret and no other."""
    inside = kubectl.inside(namespace)
    await inside.apply(secret("xai-key", "shown"), secret("other", "hidden"))
    await inside("create", "role", "one-key", "--verb=list,watch", "--resource=secrets", "--resource-name=xai-key")
    await inside("create", "rolebinding", "one-key", "--role=one-key", f"--user={USER}")

    async with following(cluster, namespace, "xai-key") as shown, following(cluster, namespace, "other") as hidden:
        await eventually(lambda: shown.last == b"shown", timeout_seconds=10, state=lambda: shown.told)
        await eventually(lambda: hidden.last is SecretTrouble.FORBIDDEN, timeout_seconds=10)


# The operator's own objects


@pytest.fixture
async def no_authority(
    kubectl: Kubectl, account: ServiceAccountDirectory
) -> AsyncIterator[None]:  # after its namespace
    """None that another test's operator has made, and none that is left for one."""
    delete = ("delete", "secret,configmap", "grokwarden-ca", f"--namespace={NAMESPACE}", "--ignore-not-found")
    await kubectl(*delete)
    yield
    await kubectl(*delete)


@pytest.mark.usefixtures("no_authority")
async def test_of_two_replicas_one_makes_the_authority(cluster: Cluster):
    """Two authorities would split the sidecars into two camps; the second replica must learn that it is second."""
    assert await cluster.read_secret("grokwarden-ca") is None

    first = await cluster.create_secret("grokwarden-ca", {"ca.key": b"\x00first"})
    second = await cluster.create_secret("grokwarden-ca", {"ca.key": b"second"})

    assert second is Write.EXISTS
    assert isinstance(first, OwnSecret)
    assert (await cluster.read_secret("grokwarden-ca")) == first
    assert first.entries == {"ca.key": b"\x00first"}
    assert "first" not in repr(first)


@pytest.mark.usefixtures("no_authority")
async def test_of_two_updates_of_one_version_one_is_told_that_it_is_late(cluster: Cluster):
    """A lost update would lose an authority that sidecars trust already."""
    made = await cluster.create_secret("grokwarden-ca", {"a": b"1", "b": b"2"})
    assert isinstance(made, OwnSecret)

    version = made.resource_version
    first = await cluster.update_secret("grokwarden-ca", {"b": b"3"}, resource_version=version)
    second = await cluster.update_secret("grokwarden-ca", {"b": b"4"}, resource_version=version)

    assert isinstance(first, OwnSecret)
    assert first.entries == {"b": b"3"}
    assert second is Write.CHANGED


async def test_an_update_of_what_is_gone_says_so(cluster: Cluster):
    """Somebody deleted the Secret to have a new authority; the update must not bring the old one back."""
    assert await cluster.update_secret("grokwarden-ca", {"a": b"1"}, resource_version="1") is Write.GONE


@pytest.mark.usefixtures("no_authority")
async def test_what_is_published_is_exactly_what_was_said_last(kubectl: Kubectl, cluster: Cluster):
    """An authority that is not to be trusted any more must vanish from what sidecars read."""
    await cluster.publish("grokwarden-ca", {"ca.crt": "one", "old.crt": "zero"})
    await cluster.publish("grokwarden-ca", {"ca.crt": "two"})

    assert (await kubectl.inside(NAMESPACE).get("configmap", "grokwarden-ca"))["data"] == {"ca.crt": "two"}


async def test_a_stored_resource_comes_back_as_it_was(cluster: Cluster):
    """After a restart the last good version of a broken pack is still in force; it is read from here."""
    document = {"kind": "PolicyPack", "metadata": {"name": "pack", "namespace": "shop"}, "spec": {"n": [1, "ü"]}}

    await cluster.store("uid-1", 6, {"kind": "PolicyPack"})
    await cluster.store("uid-1", 7, document)
    stored = {each.uid: each for each in await cluster.stored()}

    assert (stored["uid-1"].generation, stored["uid-1"].document.content) == (7, document)
    await cluster.forget("uid-1")
    await cluster.forget("uid-1")
    assert "uid-1" not in {each.uid for each in await cluster.stored()}


async def test_a_stored_resource_that_somebody_broke_hides_no_other(kubectl: Kubectl, cluster: Cluster):
    """One bad ConfigMap must not take every last good version away."""
    await cluster.store("uid-2", 1, {"kind": "PolicyPack"})
    await cluster.store("uid-3", 1, {"kind": "PolicyPack"})
    patch = '--patch={"data":{"document":"{no json"}}'
    await kubectl.inside(NAMESPACE)("patch", "configmap", "grokwarden-stored-uid-2", "--type=merge", patch)

    stored = {each.uid for each in await cluster.stored()}
    assert "uid-3" in stored
    assert "uid-2" not in stored

    for uid in ("uid-2", "uid-3"):
        await cluster.forget(uid)


# Connections


async def test_a_token_that_was_exchanged_is_used(kubectl: Kubectl, control_plane: ControlPlane, tmp_path: Path):
    """The kubelet exchanges the token in its file every hour; the old one stops working a while after."""
    directory = account_directory(kubectl, tmp_path / "account", control_plane)
    good = (directory.path / "token").read_text()
    (directory.path / "token").write_text("stale")
    connection = directory.connection()
    async with cluster_of(connection) as cluster:
        with pytest.raises(ClusterUnavailableError):
            await cluster.list_facts(Kind.NAMESPACE)

        (directory.path / "token").write_text(good)

        async def is_believed() -> bool:
            with contextlib.suppress(ClusterUnavailableError):
                return bool((await cluster.list_facts(Kind.NAMESPACE)).facts)
            return False

        await eventually(is_believed, timeout_seconds=5)


async def test_a_kubeconfig_leads_there_too(control_plane: ControlPlane):
    """Developers run the operator on their own machine."""
    connection = await connection_to(control_plane.kubeconfig)
    async with cluster_of(connection) as cluster:
        assert (await cluster.list_facts(Kind.NAMESPACE)).facts
    assert repr(connection) == f"Connection({control_plane.server})"


async def test_a_connection_that_leads_nowhere_says_what_to_do(tmp_path: Path):
    """The first start is where such mistakes are made."""
    broken = tmp_path / "kubeconfig"
    broken.write_text("apiVersion: v1\nkind: Config\n")

    with pytest.raises(ClusterConfigError, match=str(broken)):
        await connection_to(broken)
    with pytest.raises(ClusterConfigError, match="name a kubeconfig file"):
        from_service_account(tmp_path, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"})


async def test_an_api_server_that_is_away_is_a_retriable_error(account: ServiceAccountDirectory):
    """Whoever asked has to know that the same may work in a moment."""
    nowhere = account.connection(server="https://127.0.0.1:9")
    async with cluster_of(nowhere) as cluster:
        with pytest.raises(ClusterUnavailableError) as error:
            await cluster.get_pod("shop", "bot")
    assert error.value.is_retriable


async def test_an_api_server_that_says_nothing_is_given_up(account: ServiceAccountDirectory):
    """Without a bound one dead connection would stop whatever waits for it for ever."""
    timeouts = Timeouts(connect_seconds=0.2, request_seconds=0.4, list_seconds=0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        async with asyncio.timeout(3), cluster_of(account.connection(server=server), timeouts=timeouts) as cluster:
            with pytest.raises(ClusterUnavailableError):
                await cluster.get_pod("shop", "bot")


async def test_what_is_not_allowed_is_told_from_what_is_away(cluster: Cluster):
    """Trying again helps against the one and never against the other."""
    with pytest.raises(ClusterForbiddenError) as error:
        await cluster.read_secret("somebody-elses")
    assert not error.value.is_retriable
