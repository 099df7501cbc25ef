"""The programs of a control plane: from ``KUBEBUILDER_ASSETS``, or built once from the Go module in ``go/``."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.cluster.errors import ClusterError, last_lines
from e2e.cluster.settings import assets_directory, build_environment, cache_directory
from e2e.cluster.toolchain import find_go

VERSION: Final = "v1.34.4"
"""Of Kubernetes, as ``go/go.mod`` requires it."""

KUBECTL: Final = "kubectl"
PACKAGES: Final[Mapping[str, str]] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    KUBECTL: "k8s.io/kubernetes/cmd/kubectl",
}
"""Each program, and the tool of the module that it is built from."""

_MODULE: Final = Path(__file__).parent / "go"
_MAJOR, _MINOR, _ = VERSION.removeprefix("v").split(".")
_LINKED: Final = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion={VERSION}"
    f" -X k8s.io/component-base/version.gitMajor={_MAJOR}"
    f" -X k8s.io/component-base/version.gitMinor={_MINOR}"
    f" -X k8s.io/client-go/pkg/version.gitVersion={VERSION}"
)
_FLAGS: Final = ("-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={_LINKED}")
_HEARTBEAT_SECONDS: Final = 15.0

Say = Callable[[str], None]


def find_binaries(*, say: Say) -> Mapping[str, Path]:
    """Every program by its name. Those that ``KUBEBUILDER_ASSETS`` lacks are built, as all are without it.

    Raises:
        ClusterError: The assets hold no API server, there is no Go, or the build failed.
    """
    assets = assets_directory()
    given = _given(assets) if assets else {}
    missing = [name for name in PACKAGES if name not in given]
    if given and missing:
        say(f"{assets} has no {', '.join(missing)}: taking ours, {VERSION}")
    return {**given, **built_binaries(missing, cache=cache_directory(), say=say)}


def find_kubectl(*, say: Say) -> Path:
    """The caller's own kubectl, or else one of ours, for a cluster that others brought up.

    Raises:
        ClusterError: As ``find_binaries``.
    """
    found = shutil.which(KUBECTL)
    return Path(found) if found else built_binaries([KUBECTL], cache=cache_directory(), say=say)[KUBECTL]


def built_binaries(names: list[str], *, cache: Path, say: Say) -> Mapping[str, Path]:
    """The programs, built from the module unless an earlier run has done so."""
    folder = cache / cache_key(_MODULE, platform=f"{platform.system()}-{platform.machine()}")
    paths = {name: folder / name for name in names}
    if all(path.is_file() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, say):
        wanted = [name for name, path in paths.items() if not path.is_file()]
        if wanted:
            _build(wanted, folder, cache, say)
    return paths


def cache_key(module: Path, *, platform: str, flags: tuple[str, ...] = _FLAGS) -> str:
    """A name for what this module, built so, for this kind of machine, results in."""
    parts = [(module / "go.mod").read_bytes(), (module / "go.sum").read_bytes(), platform.encode()]
    digest = hashlib.sha256(b"\0".join([*parts, *(flag.encode() for flag in flags)]))
    return f"{VERSION}-{digest.hexdigest()[:16]}"


def _given(assets: Path) -> dict[str, Path]:
    """What the assets hold."""
    found = {name: assets.absolute() / name for name in PACKAGES if os.access(assets / name, os.X_OK)}
    if "kube-apiserver" not in found:
        raise ClusterError(f"KUBEBUILDER_ASSETS={assets} holds no kube-apiserver; unset it to use {VERSION} of ours")
    return found


def _build(names: list[str], folder: Path, cache: Path, say: Say) -> None:
    say(f"building Kubernetes {VERSION} into {folder} (once, about 5 minutes) …")
    go = find_go(cache, say)
    started = time.monotonic()
    for number, name in enumerate(names, 1):
        _build_one(go, name, folder, prefix=f"  {number}/{len(names)} {name}", say=say)
    say(f"built in {time.monotonic() - started:.0f} s")


def _build_one(go: Path, name: str, folder: Path, *, prefix: str, say: Say) -> None:
    """The program is in the folder: whole, or not at all."""
    say(prefix)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        log, result = folder / f"{name}.log", Path(scratch) / name
        with log.open("wb") as output:
            command = [str(go), "build", *_FLAGS, f"-o={result}", PACKAGES[name]]
            process = subprocess.Popen(command, cwd=_MODULE, env=build_environment(), stdout=output, stderr=output)
            try:
                while not _has_ended(process):
                    say(f"{prefix} … {time.monotonic() - started:.0f} s")
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode != 0:
            raise ClusterError(f"go can't build {name}{last_lines(log)}")
        log.unlink()
        result.replace(folder / name)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """Nobody else builds into the folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building them; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
