"""The control plane that the other tests stand on, as people and tests bring it up and take it down."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.binaries import PACKAGES, VERSION, cache_key, find_binaries
from e2e.cluster.components import Component
from e2e.cluster.local import LocalControlPlane
from e2e.cluster.processes import Process, recorded, start
from e2e.cluster.state import StateDirectory
from e2e.cluster.toolchain import is_new_enough
from e2e.cluster.waiting import came_true
from eventually import eventually
from kube import Kubectl, KubectlError, sidecar_pod

ROOT = Path(__file__).parents[2]
GO = ROOT / "e2e/cluster/go"

HELD = """
import sys
from pathlib import Path
from e2e.cluster.local import running_cluster
with running_cluster(Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


def cluster(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m e2e.cluster ARGUMENTS…`` in the repository's root."""
    return subprocess.run(
        [sys.executable, "-m", "e2e.cluster", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def up(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return cluster("up", "--control-plane-only", "--state-dir", folder, **environment)


def processes_of(folder: Path) -> dict[Component, Process]:
    """Every process that was written down there."""
    state = StateDirectory(folder)
    found = {component: recorded(state.record(component)) for component in Component}
    return {component: process for component, process in found.items() if process}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a cluster may live during the test; it may have blanks in its name."""
    path = tmp_path / "a cluster"
    yield path
    cluster("down", "--state-dir", path)


def test_a_cluster_from_up_to_down(folder: Path):
    """The whole life as a person sees it; each step starts from what the one before left."""
    assert up(folder).returncode == 0
    first = processes_of(folder)
    keys = [folder / "kubeconfig", *folder.glob("pki/*.key"), *folder.glob("pki/*.kubeconfig")]
    assert len(keys) > 7
    assert [path.name for path in (folder, *keys) if path.stat().st_mode & 0o077] == []

    status = cluster("status", "--state-dir", folder)
    assert status.returncode == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()[:4]] == [[name, "ready,"] for name in Component]
    assert f"Kubernetes {VERSION} at https://127.0.0.1:" in status.stdout

    printed = cluster("kubeconfig", "--state-dir", folder)
    assert printed.stdout == f"{folder / 'kubeconfig'}\n"

    again = up(folder)
    assert (again.returncode, "running already" in again.stderr) == (0, True)
    assert processes_of(folder) == first

    os.kill(first[Component.ETCD].pid, signal.SIGKILL)
    broken = cluster("status", "--state-dir", folder)
    assert (broken.returncode, broken.stdout.splitlines()[0].split()) == (1, ["etcd", "not", "running"])

    anew = up(folder)
    second = processes_of(folder)
    assert (anew.returncode, "making a new one" in anew.stderr) == (0, True)
    assert [process for process in first.values() if process.is_running] == []

    assert cluster("down", "--state-dir", folder).returncode == 0
    assert [process for process in second.values() if process.is_running] == []
    assert not folder.exists()


async def test_an_outage_loses_nothing(own_control_plane: LocalControlPlane, tmp_path: Path):
    """Tests of an outage need the same API server back: same address, same objects, controllers at work."""
    kubectl = Kubectl(control_plane=own_control_plane, cache=tmp_path / "kubectl")
    await kubectl("create", "namespace", "before")

    with own_control_plane.outage(Component.API_SERVER, grace_seconds=0):
        assert not own_control_plane.is_ready(Component.API_SERVER)
        with pytest.raises(KubectlError, match="refused"):
            await kubectl.get("namespace", "before")

    await kubectl.get("namespace", "before")
    await kubectl("create", "namespace", "after")
    account = ("get", "serviceaccounts", "--namespace=after", "--output=name")
    await eventually(lambda: kubectl.finish(*account).stdout, timeout_seconds=20)


async def test_a_cluster_of_a_test_ends_with_the_tests_process(tmp_path: Path):
    """However a run of the tests ends, kill -9 included, it leaves nothing behind."""
    folder = tmp_path / "cluster"
    held = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HELD, folder), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert await held.stdout.readline() == b"up\n"
        started = processes_of(folder)
    finally:
        held.kill()
        await held.wait()

    assert len(started) == len(Component)
    await eventually(lambda: not folder.exists(), timeout_seconds=15)
    assert [process for process in started.values() if process.is_running] == []


def assets_with(folder: Path, name: str, script: str) -> str:
    """All binaries, one of them a shell script instead."""
    folder.mkdir()
    for other, path in find_binaries(say=print).items():
        (folder / other).symlink_to(path)
    (folder / name).unlink()
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    return str(folder)


def test_a_component_that_does_not_start_is_shown_with_its_last_words(folder: Path, tmp_path: Path):
    """A start that fails must say why, and must not leave the half that did start behind."""
    assets = assets_with(tmp_path / "assets", "kube-apiserver", 'echo "no such flag: --moon" >&2; exit 3')

    failed = up(folder, KUBEBUILDER_ASSETS=assets)

    assert failed.returncode == 1
    assert "error: kube-apiserver ended at its start" in failed.stderr
    assert "  no such flag: --moon" in failed.stderr
    assert processes_of(folder) == {}


def test_a_port_that_was_taken_meanwhile_is_given_up_for_another(folder: Path, tmp_path: Path):
    """Clusters of several people, or of several jobs, start on one machine at the same time."""
    script = f'echo "$*" >>"{tmp_path}/starts"; echo "bind: address already in use"; exit 1'

    failed = up(folder, KUBEBUILDER_ASSETS=assets_with(tmp_path / "assets", "etcd", script))

    first, second = (tmp_path / "starts").read_text(encoding="utf-8").splitlines()
    assert failed.returncode == 1
    assert first.partition("--listen-client-urls=")[2].split()[0] not in second


def test_assets_without_an_api_server_are_no_assets(folder: Path, tmp_path: Path):
    """A variable that points nowhere must not be ignored: another version would run than its author believes."""
    failed = up(folder, KUBEBUILDER_ASSETS=str(tmp_path))

    assert failed.returncode == 1
    assert f"KUBEBUILDER_ASSETS={tmp_path} holds no kube-apiserver" in failed.stderr


def test_what_is_missing_in_the_assets_is_taken_from_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Envtest's folder has no controller-manager, without which no namespace can hold a pod."""
    ours = find_binaries(say=print)
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).symlink_to(ours[name])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    said: list[str] = []

    found = find_binaries(say=said.append)

    assert {name for name, path in found.items() if path.parent == tmp_path} == {"etcd", "kube-apiserver", "kubectl"}
    assert found["kube-scheduler"] == ours["kube-scheduler"]
    assert said == [f"{tmp_path} has no kube-controller-manager, kube-scheduler: taking ours, {VERSION}"]


def test_a_process_id_that_was_given_again_is_left_alone(folder: Path):
    """After a reboot the ids on record are other people's processes."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (folder / "pids").mkdir(parents=True)
        (folder / "cluster.json").write_text("{}")
        (folder / "pids/etcd").write_text(json.dumps({"pid": stranger.pid, "birth": "another boot"}))

        assert cluster("down", "--state-dir", folder).returncode == 0

        assert stranger.poll() is None
        assert not folder.exists()


def test_a_process_that_ends_at_once_is_not_taken_for_a_running_one(tmp_path: Path):
    """It may have ended before anybody could ask when it started; then the start would wait for it a whole minute."""
    for _ in range(20):
        ended = start(["/bin/sh", "-c", "exit"], log=tmp_path / "log", record=tmp_path / "record")
        assert came_true(lambda: not ended.is_running, timeout_seconds=5)  # noqa: B023


@pytest.mark.parametrize(("command", "code"), [(("up", "--control-plane-only"), 1), (("down",), 0)])
def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, command: tuple[str, ...], code: int):
    """A wrong --state-dir must not cost anybody a home directory."""
    (tmp_path / "thesis.txt").touch()

    done = cluster(*command, "--state-dir", tmp_path)

    assert done.returncode == code
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up",), "a cluster with a node can't be brought up yet: add --control-plane-only"),
        (("down", "--state-dir", "a", "--kubeconfig", "b"), "not allowed with argument"),
        (("begin",), "invalid choice"),
        ((), "required"),
    ],
)
def test_bad_usage_is_told_from_failure(arguments: tuple[str, ...], words: str):
    """A script has to tell its own mistake from a cluster that doesn't start."""
    done = cluster(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_commands_without_a_cluster_say_so(tmp_path: Path):
    """A path on standard output would be taken for a kubeconfig."""
    status = cluster("status", "--state-dir", tmp_path / "none")
    printed = cluster("kubeconfig", "--state-dir", tmp_path / "none")

    assert (status.returncode, status.stdout) == (1, f"no cluster in {tmp_path / 'none'}\n")
    assert (printed.returncode, printed.stdout) == (1, "")


def test_the_cluster_of_a_kubeconfig_is_used_and_left_alone(kubectl: Kubectl):
    """Whoever has kind, or a cluster in the cloud, needs none of ours."""
    given = ("--kubeconfig", kubectl.control_plane.kubeconfig)

    found = cluster("up", *given)
    assert (found.returncode, found.stdout.split()[0]) == (0, "Kubernetes")
    assert found.stdout.endswith(f" at {kubectl.control_plane.server}\n")
    assert cluster("kubeconfig", *given).stdout == f"{kubectl.control_plane.kubeconfig}\n"
    assert cluster("down", *given).returncode == 0
    kubectl.run("get", "namespaces")


def test_the_key_of_the_cache_is_all_that_a_build_depends_on(tmp_path: Path):
    """Binaries of another version, or another system's, must never be taken for these."""
    (tmp_path / "go.mod").write_text("module a")
    (tmp_path / "go.sum").write_text("sums")
    key = cache_key(tmp_path, platform="Linux-x86_64", flags=("-trimpath",))
    others = [
        cache_key(tmp_path, platform="Linux-aarch64", flags=("-trimpath",)),
        cache_key(tmp_path, platform="Linux-x86_64", flags=("-trimpath", "-s")),
    ]
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text("changed")
        others.append(cache_key(tmp_path, platform="Linux-x86_64", flags=("-trimpath",)))

    assert len({key, *others}) == 5


def test_the_go_module_has_the_programs_and_the_version_that_we_build():
    """The module and the builder name them both; a difference would build something else than it says."""
    module = (GO / "go.mod").read_text(encoding="utf-8")
    tools = module.partition("tool (\n")[2].partition("\n)")[0].split()

    assert sorted(PACKAGES.values()) == sorted(tools)
    assert f"k8s.io/kubernetes {VERSION} " in module


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("go version go1.24.0 linux/amd64", True),
        ("go version go1.26.8 linux/amd64", True),
        ("go version go2.0 linux/amd64", True),
        ("go version go1.23.12 linux/amd64", False),
        ("go version devel", False),
        ("", False),
    ],
)
def test_an_old_go_is_not_asked_to_build(version: str, expected: bool):
    """It would fail after minutes, with a message about a module's syntax."""
    assert is_new_enough(version) is expected


async def test_a_pod_gets_a_token_that_names_it(kubectl: Kubectl, namespace: str):
    """The identity of a sidecar is what such a token says, so the API server must vouch for it without a node."""
    [pod] = await kubectl.inside(namespace).create(sidecar_pod("bot", labels={"app": "bot"}))

    token = await kubectl.mint_token(pod)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    [reviewed] = await kubectl.create(review | {"spec": {"token": token, "audiences": ["grokwarden"]}})

    assert reviewed["status"]["authenticated"] is True
    assert reviewed["status"]["audiences"] == ["grokwarden"]
    assert reviewed["status"]["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]
