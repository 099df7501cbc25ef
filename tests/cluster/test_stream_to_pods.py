"""The config stream with the API server's own tokens: who gets what, and what answers do to a pack's status."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from eventually import eventually
from grokwarden.bundle import Manifest, decode_manifest
from grokwarden.config_stream import Ack, AckedPack, StreamEvent
from kube import Object, plain_pod, sidecar_pod
from scene import KEY, LABELS, Scene, key_secret, pack, target
from stream_client import Stream, StreamClient, StreamRefused, stream_client

Connect = Callable[..., AbstractAsyncContextManager[StreamClient]]


@pytest.fixture
def connect(scene: Scene) -> Connect:
    """Connects with a pod's token, or with another one."""

    @asynccontextmanager
    async def make(pod: Object, *, token: str = "", instance: str = "process-1") -> AsyncIterator[StreamClient]:
        token = token or await scene.kubectl.mint_token(pod)
        trust = ssl.create_default_context(cafile=str(scene.operator.ca_file))
        port = int(scene.operator.url.rpartition(":")[2])
        async with stream_client(port, trust, token=token, instance=instance) as client:
            yield client

    return make


async def test_a_pod_gets_its_own_namespaces_packs_and_keys_and_nothing_of_others(
    scene: Scene, new_namespace: Any, connect: Connect
):
    """A token of one team must never show what another team's policy is, let alone its key."""
    other = scene.kubectl.inside(await new_namespace())
    [foreign] = await other.create(sidecar_pod("bot-1", labels=LABELS))
    await scene.kubectl.apply(pack("ours"))
    await other.apply(pack("theirs", routing=None))
    async with connect(scene.pod) as client, client.stream() as mine:
        ours = await manifest_with(mine, f"{scene.namespace}/gateway")
        async with connect(foreign) as stranger, stranger.stream() as stream:
            theirs = await manifest_with(stream, f"{other.namespace}/gateway")

            assert [ref.name for ref in theirs.packs] == [f"{other.namespace}/gateway"]
            assert not stream.keys
            assert b"ours" not in b"".join(stream.parts.values())
        assert [ref.name for ref in ours.packs] == [f"{scene.namespace}/gateway"]
        assert list((mine.keys or {}).values()) == [KEY]


async def test_another_teams_target_can_be_used_only_where_it_says_so(
    scene: Scene, new_namespace: Any, connect: Connect
):
    """A shared key is shared by who holds it, not by who wants it."""
    other = scene.kubectl.inside(await new_namespace())
    [foreign] = await other.create(sidecar_pod("bot-1", labels=LABELS))
    wanted = [{"name": "xai-grok", "namespace": scene.namespace}]
    await other.apply(pack(routing={"targets": wanted}))
    async with connect(foreign) as client, client.stream() as stream:
        refused = await manifest_with(stream, f"{other.namespace}/gateway")
        assert refused.targets == ()
        assert not stream.keys

        await scene.kubectl.apply(target(scene.grok.base_url, allowedNamespaces={"from": "All"}))
        await eventually(lambda: follows(stream, lambda: bool(stream.keys)), timeout_seconds=10)
        assert list((stream.keys or {}).values()) == [KEY]


@pytest.mark.parametrize("reason", ["audience", "no pod", "no sidecar", "deleted", "nonsense"])
async def test_who_is_no_live_governed_pod_gets_nothing(scene: Scene, connect: Connect, reason: str):
    """Packs and keys are given to sidecars alone, as the API server knows them."""
    here = scene.kubectl
    await here.apply(pack())
    token = "nonsense"
    pod = scene.pod
    match reason:
        case "audience":
            token = await here.mint_token(pod, audience="another")
        case "no pod":
            token = (await here("create", "token", "default", "--audience=grokwarden")).strip()
        case "no sidecar":
            [pod] = await here.create(plain_pod("bare", labels=LABELS))
            token = await here.mint_token(pod)
        case "deleted":
            token = await here.mint_token(pod)
            await here("delete", "pod", "bot-1", "--force", "--grace-period=0")
    async with connect(pod, token=token) as client:
        with pytest.raises(StreamRefused) as refused:
            async with client.stream():
                pass
        unheard = await client.ack(Ack(manifest="sha256:0", packs=()))

    assert refused.value.answer.status in {401, 403}
    assert unheard.status in {401, 403, 409}


async def test_a_stream_ends_with_its_pod(scene: Scene, connect: Connect):
    """A pod that is gone must not go on to hear of keys."""
    await scene.kubectl.apply(pack())
    async with connect(scene.pod) as client, client.stream() as stream:
        await manifest_with(stream, f"{scene.namespace}/gateway")
        await scene.kubectl("delete", "pod", "bot-1", "--force", "--grace-period=0")
        await stream.end()


async def test_a_pod_that_connects_at_once_is_served(scene: Scene, connect: Connect):
    """A sidecar may be quicker than the watch that tells of its pod."""
    await scene.kubectl.apply(pack())
    for number in range(5):
        [pod] = await scene.kubectl.create(sidecar_pod(f"quick-{number}", labels=LABELS))
        async with connect(pod) as client, client.stream() as stream:
            await manifest_with(stream, f"{scene.namespace}/gateway")


async def test_a_nack_is_told_for_its_pack_alone_and_cleared_by_the_mend(scene: Scene, connect: Connect):
    """One bad pack must neither hide in the numbers nor spoil those of the others."""
    await scene.kubectl.apply(pack("bad"), pack("fine", name="fine"))
    async with connect(scene.pod) as client, client.stream() as stream:
        manifest = await manifest_with(stream, f"{scene.namespace}/gateway", f"{scene.namespace}/fine")
        await ack(client, stream, manifest, refusing=f"{scene.namespace}/gateway")
        await scene.reason("Programmed", "Nacked")
        await scene.programmed("fine")
        status = await scene.status()

        assert status["sidecars"] == {"desired": 1, "acked": 0, "nacked": 1, "stale": 0, "missing": 0}
        assert status["nacks"] == [
            {"pod": "bot-1", "generation": 1, "reason": "UnknownPolicy", "message": "this sidecar is older"}
        ]
        await scene.kubectl.apply(pack("mended"))
        mended = await eventually(lambda: newer(stream, f"{scene.namespace}/gateway", generation=2), timeout_seconds=10)
        await ack(client, stream, mended)
        await scene.programmed()
        assert (await scene.status()).get("nacks", []) == []


async def test_a_rotated_key_travels_alone(scene: Scene, connect: Connect):
    """A new key is no new policy: nothing else may be sent, and no digest may change."""
    await scene.kubectl.apply(pack())
    async with connect(scene.pod) as client, client.stream() as stream:
        await manifest_with(stream, f"{scene.namespace}/gateway")
        versions = list(stream.versions)
        await scene.kubectl.apply(key_secret("xai-other-key"))
        await eventually(
            lambda: follows(stream, lambda: list((stream.keys or {}).values()) == ["xai-other-key"]), timeout_seconds=10
        )

        assert stream.versions == versions


async def ack(client: StreamClient, stream: Stream, manifest: Manifest, *, refusing: str = "") -> None:
    """The manifest is answered: applied, but for one pack."""
    packs = tuple(
        AckedPack(
            name=ref.name,
            uid=ref.uid,
            generation=ref.generation,
            applied=ref.name != refusing,
            reason="UnknownPolicy" if ref.name == refusing else "",
            message="this sidecar is older" if ref.name == refusing else "",
        )
        for ref in manifest.packs
    )
    answer = await client.ack(Ack(manifest=stream.versions[-1], packs=packs))
    assert answer.status == 204, answer.body


async def manifest_with(stream: Stream, *names: str) -> Manifest:
    """The first manifest that names these packs, with all its parts."""

    async def has_come() -> Manifest | None:
        await advance(stream)
        manifest = newest(stream)
        is_there = manifest is not None and set(names) <= {ref.name for ref in manifest.packs}
        return manifest if manifest is not None and is_there and _is_complete(stream, manifest) else None

    return await eventually(has_come, timeout_seconds=15)


async def newer(stream: Stream, name: str, *, generation: int) -> Manifest | None:
    """The newest manifest, if it has that generation of a pack."""
    await advance(stream)
    manifest = newest(stream)
    found = [ref for ref in manifest.packs if (ref.name, ref.generation) == (name, generation)] if manifest else []
    return manifest if found and manifest is not None and _is_complete(stream, manifest) else None


async def follows(stream: Stream, condition: Callable[[], bool]) -> bool:
    """Whether it holds, after what comes next."""
    await advance(stream)
    return condition()


async def advance(stream: Stream) -> None:
    """What has come is read, waiting for it a moment."""
    try:
        await stream.next(0.2)
    except TimeoutError:
        return


def newest(stream: Stream) -> Manifest | None:
    """The manifest that came last."""
    data = [event.data for event in stream.events if event.kind is StreamEvent.MANIFEST]
    return decode_manifest(data[-1], source="the operator") if data else None


def _is_complete(stream: Stream, manifest: Manifest) -> bool:
    return all(ref.digest in stream.parts for ref in (*manifest.packs, *manifest.targets))
