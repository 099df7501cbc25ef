"""A governed namespace on a real API server: a pod with a sidecar, a target with its key, an operator, and packs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventually import eventually
from fake_grok import FakeGrok
from kube import Kubectl, Object, sidecar_pod
from operator_account import let_read_secrets
from running_operator import RunningOperator, running_operator
from sidecar import Sidecar, running_pod_sidecar

LABELS = {"app": "bot"}
KEY = "xai-first-key-canary"


@dataclass(kw_only=True)
class Scene:
    """A namespace with one governed pod, a target with its key, and an operator."""

    admin: Kubectl
    kubectl: Kubectl
    namespace: str
    operator: RunningOperator
    grok: FakeGrok
    pod: Object
    folder: Path

    async def status(self, name: str = "gateway", kind: str = "pp") -> dict[str, Any]:
        """The resource's status as it is now."""
        return (await self.kubectl.get(kind, name)).get("status", {})

    async def condition(self, kind: str, name: str = "gateway", resource: str = "pp") -> dict[str, Any]:
        """One condition of it; empty if there is none."""
        found = (await self.status(name, resource)).get("conditions", ())
        return next((each for each in found if each["type"] == kind), {})

    async def programmed(self, name: str = "gateway", seconds: int = 20) -> None:
        """``kubectl wait`` says so."""
        await self.kubectl("wait", "--for=condition=Programmed", f"pp/{name}", f"--timeout={seconds}s")

    async def reason(self, kind: str, reason: str, *, name: str = "gateway", resource: str = "pp") -> dict[str, Any]:
        """The condition, once it has this reason for the newest generation."""

        async def has_come() -> dict[str, Any] | None:
            found = await self.kubectl.get(resource, name)
            conditions = found.get("status", {}).get("conditions", ())
            current = (c for c in conditions if c.get("observedGeneration") == found["metadata"]["generation"])
            return next((c for c in current if (c["type"], c["reason"]) == (kind, reason)), None)

        return await eventually(
            has_come, timeout_seconds=20, state=lambda: self.kubectl.run("get", resource, name, "--output=yaml")
        )

    @asynccontextmanager
    async def sidecar(self, pod: Object | None = None, name: str = "sidecar") -> AsyncIterator[Sidecar]:
        """The pod's sidecar, in force or not."""
        files = await self.operator.files_for(self.kubectl, pod or self.pod, self.folder / f"{name}-files")
        async with running_pod_sidecar(self.folder / name, files) as sidecar:
            yield sidecar


@asynccontextmanager
async def governed_namespace(
    kubectl: Kubectl, namespace: str, folder: Path, *, server: str = ""
) -> AsyncIterator[Scene]:
    """The scene, with an operator that is ready. ``server`` is another way to the API server, for it alone."""
    here = kubectl.inside(namespace)
    await let_read_secrets(kubectl, namespace)
    running = running_operator(folder / "operator", kubectl, secret_namespaces=[namespace], server=server)
    async with FakeGrok() as grok, running as operator:
        [pod] = await here.create(sidecar_pod("bot-1", labels=LABELS))
        await here.apply(key_secret(), target(grok.base_url))
        yield Scene(
            admin=kubectl, kubectl=here, namespace=namespace, operator=operator, grok=grok, pod=pod, folder=folder
        )


def key_secret(key: str = KEY, hosts: str = "127.0.0.1") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "xai-key", "annotations": {"grokwarden.io/allowed-hosts": hosts}},
        "stringData": {"XAI_API_KEY": key},
    }


def target(base_url: str, name: str = "xai-grok", **spec: Any) -> Object:
    return resource(
        "ProviderTarget",
        name,
        {
            "provider": "xai",
            "model": "grok-4.3",
            "baseURL": base_url,
            "secretKeyRef": {"name": "xai-key", "key": "XAI_API_KEY"},
            **spec,
        },
    )


def pack(word: str = "verboten", *, name: str = "gateway", **spec: Any) -> Object:
    """A pack for the bots that forbids a word."""
    step = {"name": "words", "policy": "prompt-injection", "promptInjection": {"attackPatterns": [word]}}
    return resource(
        "PolicyPack",
        name,
        {
            "version": "0.1.0",
            "selector": {"podSelector": {"matchLabels": LABELS}},
            "chain": [step],
            "routing": {"targets": [{"name": "xai-grok"}]},
            **spec,
        },
    )


def resource(kind: str, name: str, spec: dict[str, Any]) -> Object:
    return {"apiVersion": "grokwarden.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


async def is_ready(sidecar: Sidecar) -> bool:
    """It serves calls."""
    return (await sidecar.readiness())[0] == 200


async def is_answered(sidecar: Sidecar) -> bool:
    """A harmless call gets through it."""
    return (await sidecar.chat("Hello")).status_code == 200


async def has_event(scene: Scene, reason: str) -> bool:
    """A Kubernetes Event tells of the pack."""
    events = await scene.kubectl.items("events.events.k8s.io")
    return any((e["reason"], e["regarding"]["name"]) == (reason, "gateway") for e in events)
