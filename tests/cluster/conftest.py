"""A real API server for every test here: brought up once, or the one of ``GROKWARDEN_TEST_KUBECONFIG``."""

import itertools
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from e2e.cluster.binaries import find_kubectl
from e2e.cluster.control_plane import ControlPlane, existing_cluster
from e2e.cluster.local import LocalControlPlane, running_cluster
from eventually import eventually
from kube import Kubectl, KubectlError, apply_crds, namespace_object
from scene import Scene, governed_namespace

NewNamespace = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, progress: Callable[[str], None]) -> Iterator[ControlPlane]:
    """The API server that the tests share, with our resources. A test that breaks it takes ``own_control_plane``."""
    folder = tmp_path_factory.mktemp("control-plane")
    if given := os.environ.get("GROKWARDEN_TEST_KUBECONFIG"):
        cluster = existing_cluster(Path(given), kubectl=find_kubectl(say=progress), folder=folder)
        apply_crds(Kubectl(control_plane=cluster, cache=folder / "cache"))
        yield cluster
        return
    with running_cluster(folder / "state", say=progress) as own:
        apply_crds(Kubectl(control_plane=own, cache=folder / "cache"))
        yield own


@pytest.fixture
def own_control_plane(tmp_path: Path) -> Iterator[LocalControlPlane]:
    """An API server that one test has for itself, with our resources: it may stop and start the components."""
    with running_cluster(tmp_path / "control-plane") as cluster:
        apply_crds(Kubectl(control_plane=cluster, cache=tmp_path / "cache"))
        yield cluster


@pytest.fixture(scope="session")
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells the person in front of the terminal what takes so long, although pytest keeps what tests print."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", file=sys.stderr, flush=True)

    return say


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """One kubectl as the administrator of the shared API server."""
    return Kubectl(control_plane=control_plane, cache=tmp_path_factory.mktemp("kubectl"))


@pytest.fixture
async def new_namespace(kubectl: Kubectl) -> AsyncIterator[NewNamespace]:
    """Makes namespaces, with labels if need be, and gives their names; they are deleted after the test."""
    numbers, made = itertools.count(), []

    async def make(labels: Mapping[str, str] | None = None) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}-{next(numbers)}"
        await kubectl.create(namespace_object(name, labels))
        made.append(name)
        await eventually(lambda: _can_hold_pods(kubectl.inside(name)), timeout_seconds=20)
        return name

    yield make
    if made:
        await kubectl.delete("namespaces", *made)


@pytest.fixture
async def namespace(new_namespace: NewNamespace) -> str:
    """A fresh namespace, in which pods can be created."""
    return await new_namespace()


@pytest.fixture
async def scene(tmp_path: Path, kubectl: Kubectl, namespace: str) -> AsyncIterator[Scene]:
    """A governed namespace, with an operator of its own."""
    async with governed_namespace(kubectl, namespace, tmp_path) as scene:
        yield scene


async def _can_hold_pods(kubectl: Kubectl) -> bool:
    """The controllers have made what every pod gets."""
    try:
        await kubectl.get("serviceaccount", "default")
    except KubectlError:
        return False
    return True
