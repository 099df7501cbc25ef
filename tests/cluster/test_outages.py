"""What goes on while the API server is away, and what comes back by itself when it is there again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from answers import answer
from e2e.cluster.components import Component
from e2e.cluster.local import LocalControlPlane
from eventually import eventually
from kube import Kubectl, namespace_object
from scene import Scene, governed_namespace, is_ready, pack

AWAY_SECONDS = 12.0
"""Longer than a watch is given to come back, so that every one of them has failed and been tried again."""


@pytest.fixture
async def lonely_scene(own_control_plane: LocalControlPlane, tmp_path: Path) -> AsyncIterator[Scene]:
    """A governed namespace on an API server of its own."""
    kubectl = Kubectl(control_plane=own_control_plane, cache=tmp_path / "cache")
    await kubectl.create(namespace_object("shop"))
    await eventually(lambda: _has_account(kubectl), timeout_seconds=20)
    async with governed_namespace(kubectl, "shop", tmp_path) as scene:
        yield scene


async def test_calls_go_on_without_the_api_server_and_edits_after_it(
    lonely_scene: Scene, own_control_plane: LocalControlPlane
):
    """An outage of the control plane must cost no call, and need nobody's hand when it is over."""
    scene = lonely_scene
    scene.grok.reply(json=answer(), times=50_000)
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack())
        await scene.programmed()
        version = await sidecar.bundle()
        with own_control_plane.outage(Component.API_SERVER):
            deadline = asyncio.get_running_loop().time() + AWAY_SECONDS
            while asyncio.get_running_loop().time() < deadline:
                assert (await sidecar.chat("Hello")).status_code == 200
                assert (await sidecar.chat("verboten")).status_code == 400
            health = await scene.operator.probe("/healthz")
            readiness = await scene.operator.probe("/readyz")

            assert (health.status_code, readiness.status_code) == (200, 200)
            assert "API server" in readiness.text
            assert await is_ready(sidecar)
            assert await sidecar.bundle() == version
        await eventually(lambda: _answers(scene.kubectl), timeout_seconds=20)
        await scene.kubectl.apply(pack("afterwards"))
        await scene.programmed(seconds=30)
        refused = await sidecar.chat("afterwards")

        assert refused.status_code == 400
        assert scene.operator.events("error_unhandled") == []


async def _has_account(kubectl: Kubectl) -> bool:
    done = await asyncio.to_thread(kubectl.inside("shop").finish, "get", "serviceaccount", "default")
    return done.returncode == 0


async def _answers(kubectl: Kubectl) -> bool:
    done = await asyncio.to_thread(kubectl.finish, "get", "pp")
    return done.returncode == 0
