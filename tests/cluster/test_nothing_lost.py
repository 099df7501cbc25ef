"""Calls that are under way all the while, whatever is applied meanwhile."""

import asyncio
from collections import Counter

from answers import answer
from eventually import eventually
from scene import Scene, key_secret, pack, target
from sidecar import Sidecar


async def call_for_ever(sidecar: Sidecar, seen: Counter[int]) -> None:
    """One application, one call after the other."""
    while True:
        seen[(await sidecar.chat("Hello")).status_code] += 1


async def test_a_target_that_names_another_secret_costs_no_call(scene: Scene):
    """A new target that comes before its key would refuse calls until the key is there."""
    other = key_secret("xai-other-key-canary") | {"metadata": key_secret()["metadata"] | {"name": "other-key"}}
    scene.grok.reply(json=answer(), times=100_000)
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack(), other)
        await scene.programmed()
        seen: Counter[int] = Counter()
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(call_for_ever(sidecar, seen)) for _ in range(2)]
            for name in ("other-key", "xai-key", "other-key", "xai-key"):
                await scene.kubectl.apply(
                    target(scene.grok.base_url, secretKeyRef={"name": name, "key": "XAI_API_KEY"})
                )
                key = "xai-other-key-canary" if name == "other-key" else "xai-first-key-canary"
                await eventually(lambda key=key: scene.grok.requests[-1].header("authorization") == f"Bearer {key}")
            for call in calls:
                call.cancel()

    assert set(seen) == {200}, seen
