"""The API server as a test speaks to it: kubectl, and the objects that most tests need."""

import asyncio
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2e.cluster.control_plane import ControlPlane

Object = dict[str, Any]

SIDECAR = "grokwarden"
"""The container's name, and the audience of its token."""

TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ROOT = Path(__file__).parents[2]


class KubectlError(Exception):
    """kubectl refused, or the API server did.

    Attributes:
        stderr: All that it said.
    """

    def __init__(self, arguments: Iterable[str], code: int, stderr: str) -> None:
        self.stderr = stderr
        super().__init__(f"kubectl {' '.join(arguments)} ended with {code}: {stderr.strip()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl on one cluster: ``await kubectl("get", "pods")`` in tests that have a loop, ``kubectl.run(…)`` in others.

    Attributes:
        cache: Where it may keep what it learns of the API.
        namespace: Given with every command, if any.
    """

    control_plane: ControlPlane
    cache: Path
    namespace: str | None = None

    def inside(self, namespace: str) -> "Kubectl":
        """The same, in a namespace."""
        return replace(self, namespace=namespace)

    def run(self, *arguments: str, stdin: object = None, timeout_seconds: float = 30) -> str:
        """What it writes to standard output.

        Args:
            arguments: The command.
            stdin: Text as it is, or objects as one JSON document each.
            timeout_seconds: How long it may take.

        Raises:
            KubectlError: It ended with another code than 0.
        """
        done = self.finish(*arguments, stdin=stdin, timeout_seconds=timeout_seconds)
        if done.returncode != 0:
            raise KubectlError(arguments, done.returncode, done.stderr)
        return done.stdout

    def finish(
        self, *arguments: str, stdin: object = None, timeout_seconds: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """The same, however it ends, for tests of what it says."""
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        where = [] if self.namespace is None else [f"--namespace={self.namespace}"]
        return subprocess.run(
            [
                str(self.control_plane.kubectl),
                *(f"--kubeconfig={self.control_plane.kubeconfig}", f"--cache-dir={self.cache}"),
                *(*where, *arguments),
            ],
            input=text or "",
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    async def __call__(self, *arguments: str, stdin: object = None, timeout_seconds: float = 30) -> str:
        """``run``, off the loop."""
        return await asyncio.to_thread(self.run, *arguments, stdin=stdin, timeout_seconds=timeout_seconds)

    async def get(self, kind: str, name: str) -> Object:
        """The object as it is now."""
        return json.loads(await self("get", kind, name, "--output=json"))

    async def items(self, kind: str, *arguments: str) -> list[Object]:
        """Every object of a kind."""
        return json.loads(await self("get", kind, *arguments, "--output=json"))["items"]

    async def apply(self, *objects: Object) -> list[Object]:
        """The objects as the API server stored them."""
        return _listed(await self("apply", "--filename=-", "--output=json", stdin=as_text(*objects)))

    async def create(self, *objects: Object) -> list[Object]:
        """The new objects as the API server stored them."""
        return _listed(await self("create", "--filename=-", "--output=json", stdin=as_text(*objects)))

    async def delete(self, kind: str, *names: str) -> None:
        """The objects are gone, or about to be where something holds them."""
        await self("delete", kind, *names, "--wait=false")

    async def mint_token(self, pod: Object, *, audience: str = SIDECAR, seconds: int = 600) -> str:
        """A token as the pod's projected volume would hold it: bound to that very pod."""
        metadata = pod["metadata"]
        return (
            await self.inside(metadata["namespace"])(
                *("create", "token", pod["spec"].get("serviceAccountName", "default")),
                *("--bound-object-kind=Pod", f"--bound-object-name={metadata['name']}"),
                *(f"--bound-object-uid={metadata['uid']}", f"--audience={audience}", f"--duration={seconds}s"),
            )
        ).strip()


def apply_crds(kubectl: Kubectl) -> None:
    """Our resources can be used."""
    kubectl.run("apply", "--server-side", "--force-conflicts", f"--filename={_ROOT / 'crds'}")
    kubectl.run("wait", "--for=condition=Established", "--timeout=20s", f"--filename={_ROOT / 'crds'}")


def as_text(*objects: Object) -> str:
    """Several objects as one file has them; kubectl judges the members of a List otherwise than single objects."""
    return "".join(f"---\n{json.dumps(entry)}\n" for entry in objects)


def namespace_object(name: str, labels: Mapping[str, str] | None = None) -> Object:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def plain_pod(name: str, *, labels: Mapping[str, str] | None = None, containers: Iterable[str] = ("app",)) -> Object:
    """A pod without our sidecar. Nothing runs it: there is no node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {"containers": [{"name": container, "image": "example.invalid/app"} for container in containers]},
    }


def sidecar_pod(name: str, *, labels: Mapping[str, str] | None = None, containers: Iterable[str] = ("app",)) -> Object:
    """A pod that carries our sidecar, with its token and no other."""
    pod = plain_pod(name, labels=labels, containers=containers)
    token = {"serviceAccountToken": {"audience": SIDECAR, "expirationSeconds": 3600, "path": "token"}}
    pod["spec"]["initContainers"] = [
        {
            "name": SIDECAR,
            "image": "example.invalid/grokwarden",
            "args": ["sidecar"],
            "restartPolicy": "Always",
            "volumeMounts": [{"name": "grokwarden-token", "mountPath": TOKEN_MOUNT, "readOnly": True}],
        }
    ]
    pod["spec"]["volumes"] = [{"name": "grokwarden-token", "projected": {"sources": [token]}}]
    return pod


def _listed(text: str) -> list[Object]:
    """What was printed: one object, a list, or as ``create`` does it, objects one after the other."""
    found: list[Object] = []
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        found += document["items"] if document["kind"] == "List" else [document]
        text = text[end:]
    return found
