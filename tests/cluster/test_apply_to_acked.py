"""From ``kubectl apply`` to acked: the real operator, a real sidecar, a real API server, and calls that feel it."""

from pathlib import Path
from typing import Any

import pytest

from answers import answer
from eventually import eventually
from kube import KubectlError, plain_pod, sidecar_pod
from running_operator import running_operator
from scene import KEY, LABELS, Scene, has_event, is_answered, is_ready, key_secret, pack


async def test_an_applied_pack_is_enforced_and_said_to_be(scene: Scene):
    """What is applied governs the next call, with the key that only the sidecar has, and status says so."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack())
        await scene.programmed()
        scene.grok.reply(json=answer(), times=100)
        allowed = await sidecar.chat("Hello")
        blocked = await sidecar.chat("this is verboten")

        assert (allowed.status_code, blocked.status_code) == (200, 400)
        assert scene.grok.requests[-1].header("authorization") == f"Bearer {KEY}"
        status = await scene.status()
        assert status["sidecars"] == {"desired": 1, "acked": 1, "nacked": 0, "stale": 0, "missing": 0}
        assert {c["type"]: c["status"] for c in status["conditions"]} == {
            "Accepted": "True",
            "ResolvedRefs": "True",
            "TestsPassed": "True",
            "Programmed": "True",
        }
        record = await sidecar.record_of(blocked)
        assert (record["namespace"], record["pod"]) == (scene.namespace, "bot-1")
        assert KEY not in scene.operator.log_text + sidecar.log_text


async def test_programmed_is_false_from_the_moment_of_an_edit_to_its_ack(scene: Scene):
    """``kubectl wait`` right after ``kubectl apply`` must speak of what was just applied."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack("first"))
        await scene.programmed()
        for number in range(3):
            await scene.kubectl.apply(pack(f"word{number}"))
            await scene.programmed()
            refused = await sidecar.chat(f"say word{number}")

            assert refused.status_code == 400

    await scene.kubectl.apply(pack("nobody is there to ack this"))
    with pytest.raises(KubectlError):
        await scene.programmed(seconds=3)


async def test_a_broken_edit_leaves_the_last_good_generation_in_force_even_over_a_restart(scene: Scene, tmp_path: Path):
    """An operator that comes back to a broken pack must know what to keep, or pods start without their policy."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack("good"))
        await scene.programmed()
        failing = {"name": "t", "request": {"user": "hello"}, "expect": {"action": "Block"}}
        await scene.kubectl.apply(pack("worse", tests=[failing]))
        failed = await scene.reason("TestsPassed", "TestsFailed")
        kept = await sidecar.chat("good?")

        assert "generation 1 stays in force" in failed["message"]
        assert (await scene.condition("Programmed"))["status"] == "False"
        assert kept.status_code == 400

        await scene.operator.kill()
        async with running_operator(
            tmp_path / "operator", scene.admin, listen=scene.operator.url.removeprefix("https://")
        ):
            [fresh] = await scene.kubectl.create(sidecar_pod("bot-2", labels=LABELS))
            async with scene.sidecar(fresh, "second") as second:
                await eventually(lambda: is_ready(second), timeout_seconds=20)
                still = await second.chat("good?")

                assert still.status_code == 400


async def test_a_rotated_key_is_used_without_a_restart_and_without_a_new_bundle(scene: Scene):
    """Rotation must be an everyday thing."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack())
        await scene.programmed()
        before = await sidecar.bundle()
        await scene.kubectl.apply(key_secret("xai-second-key-canary"))
        scene.grok.reply(json=answer(), times=100)

        async def sends_the_new_one() -> bool:
            assert (await sidecar.chat("Hello")).status_code == 200
            return scene.grok.requests[-1].header("authorization") == "Bearer xai-second-key-canary"

        await eventually(sends_the_new_one, timeout_seconds=10)
        assert await sidecar.bundle() == before
        assert "canary" not in scene.operator.log_text + sidecar.log_text


async def test_a_key_goes_only_where_its_secret_allows(scene: Scene):
    """Whoever may write a target must not get at a Secret by naming a host of theirs."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(key_secret(hosts="api.x.ai"), pack())
        unresolved = await scene.reason("ResolvedRefs", "HostNotAllowed")
        await scene.programmed()
        refused = await sidecar.chat("Hello")

        assert "kubectl annotate" in unresolved["message"]
        assert refused.status_code >= 500
        assert scene.grok.requests == []
        await scene.kubectl.apply(key_secret(hosts="api.x.ai,127.0.0.1"))
        scene.grok.reply(json=answer(), times=100)
        await eventually(lambda: is_answered(sidecar), timeout_seconds=10)


async def test_a_sidecar_without_its_operator_goes_on_and_comes_back_from_a_restart(scene: Scene, tmp_path: Path):
    """The operator must never be needed for a call."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack())
        await scene.programmed()
        await scene.operator.kill()
        scene.grok.reply(json=answer(), times=100)
        alone = await sidecar.chat("Hello")
    async with scene.sidecar() as restarted:
        await eventually(lambda: is_ready(restarted), timeout_seconds=10)
        again = await restarted.chat("Hello")
        blocked = await restarted.chat("verboten")

        assert (alone.status_code, again.status_code, blocked.status_code) == (200, 200, 400)
        async with running_operator(
            tmp_path / "operator",
            scene.admin,
            secret_namespaces=[scene.namespace],
            listen=scene.operator.url.removeprefix("https://"),
        ):
            await scene.kubectl.apply(pack("anew"))
            await scene.programmed(seconds=30)
            edited = await restarted.chat("anew")

            assert edited.status_code == 400


async def test_status_follows_pods_that_come_go_and_change(scene: Scene):
    """A count that outlives its pod, or a pod that is not counted, makes the proof worthless."""
    async with scene.sidecar():
        await scene.kubectl.apply(pack())
        await scene.programmed()
        await scene.kubectl.create(plain_pod("bare", labels=LABELS))
        await scene.reason("Programmed", "SidecarsMissing")
        bare = (await scene.status())["sidecars"]
        await scene.kubectl("label", "pod", "bare", "app=other", "--overwrite")
        await scene.programmed()
        relabelled = (await scene.status())["sidecars"]
        await scene.kubectl("delete", "pod", "bot-1", "--force", "--grace-period=0")
        await scene.reason("Programmed", "NoMatchingPods")
        gone = (await scene.status())["sidecars"]

    assert bare == {"desired": 2, "acked": 1, "nacked": 0, "stale": 0, "missing": 1}
    assert relabelled == {"desired": 1, "acked": 1, "nacked": 0, "stale": 0, "missing": 0}
    assert gone == {"desired": 0, "acked": 0, "nacked": 0, "stale": 0, "missing": 0}


async def test_a_pack_made_anew_under_its_name_owes_nothing_to_the_one_before(scene: Scene):
    """Both are generation 1; an ack of the old one must not count for the new one."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack("old"))
        await scene.programmed()
        await scene.kubectl.delete("pp", "gateway")
        await scene.kubectl.apply(pack("new"))
        await scene.programmed()
        new, old = await sidecar.chat("new"), await sidecar.chat("verboten")

        assert (await scene.kubectl.get("pp", "gateway"))["metadata"]["generation"] == 1
        assert new.status_code == 400
        assert old.status_code != 400


async def test_a_restarted_sidecar_is_not_counted_before_it_has_acked(scene: Scene):
    """Its predecessor's word says nothing of what runs now."""
    async with scene.sidecar():
        await scene.kubectl.apply(pack())
        await scene.programmed()
    await scene.reason("Programmed", "Pending")
    assert (await scene.status())["sidecars"]["stale"] == 1

    async with scene.sidecar():
        await scene.programmed()


async def test_kubernetes_events_tell_of_changed_conditions(scene: Scene):
    """Who looks with ``kubectl describe`` must find what happened when."""
    async with scene.sidecar():
        await scene.kubectl.apply(pack())
        await scene.programmed()
        await eventually(lambda: has_event(scene, "Programmed"), timeout_seconds=10)
        described = await scene.kubectl("describe", "pp", "gateway")

        assert "Programmed" in described.split("Events:")[1]


async def test_packs_of_the_root_namespace_govern_first_and_others_packs_not_at_all(scene: Scene, new_namespace: Any):
    """A team must not get round the platform's packs, nor have another team's."""
    root, other = scene.kubectl.inside("grokwarden-system"), scene.kubectl.inside(await new_namespace())
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}}}
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack("team"))
        await other.apply(pack("foreign", routing=None))
        await root.apply(pack("platform", name="root-gateway", selector=selector, routing=None))
        try:
            await root("wait", "--for=condition=Programmed", "pp/root-gateway", "--timeout=20s")
            await scene.programmed()
            names = [each["name"] for each in (await sidecar.configuration())["manifest"]["packs"]]
            refused = await sidecar.chat("platform")
        finally:
            await root.delete("pp", "root-gateway")

        assert names == ["grokwarden-system/root-gateway", f"{scene.namespace}/gateway"]
        assert refused.status_code == 400
