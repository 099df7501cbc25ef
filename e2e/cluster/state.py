"""The one directory that holds a cluster: what it is, its keys, data, logs and process ids."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.errors import ClusterError

_MARK: Final = "cluster.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the components listen, on the loopback interface."""

    etcd: int
    etcd_peers: int
    api_server: int
    controller_manager: int
    scheduler: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What was started.

    Attributes:
        binaries: Each program by its name, kubectl among them.
    """

    ports: Ports
    binaries: Mapping[str, Path]

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports.api_server}"


class StateDirectory:
    """The places in the directory. It may not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.kubeconfig = self.path / "kubeconfig"
        self.keys = self.path / "pki"
        self.ca = self.keys / "ca.crt"
        self.data = self.path / "etcd"

    def log(self, component: str) -> Path:
        return self.path / "logs" / f"{component}.log"

    def record(self, component: str) -> Path:
        """Where it is written down which process the component is."""
        return self.path / "pids" / component

    @property
    def is_ours(self) -> bool:
        """There is a cluster in it, running or not; nothing else is ever removed."""
        return (self.path / _MARK).is_file()

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Nobody else brings up or takes down this cluster meanwhile. The directory is made if there is none."""
        while True:
            self._make()
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _lock(handle, self.path, say)
                if self.path.is_dir() and os.path.samestat(os.fstat(handle), self.path.stat()):
                    yield
                    return
            finally:
                os.close(handle)

    def describe(self, description: Description) -> None:
        """What is about to be started is written down, and the folders for it are there."""
        for folder in (self.keys, self.data, self.path / "logs", self.path / "pids"):
            folder.mkdir(mode=0o700, exist_ok=True)
        binaries = {name: str(path) for name, path in description.binaries.items()}
        text = json.dumps({"ports": asdict(description.ports), "binaries": binaries}, indent=2)
        (self.path / _MARK).write_text(text, encoding="utf-8")

    def description(self) -> Description | None:
        """What was started; ``None`` if nothing was, or its start broke off before that was written down."""
        try:
            found = json.loads((self.path / _MARK).read_text(encoding="utf-8"))
            binaries = {name: Path(path) for name, path in found["binaries"].items()}
            return Description(ports=Ports(**found["ports"]), binaries=binaries)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """The directory is gone."""
        self.clear()
        self.path.rmdir()

    def clear(self) -> None:
        """The directory is empty; its mark goes last, so that a removal that breaks off can be repeated."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _MARK:
                entry.unlink()
        (self.path / _MARK).unlink(missing_ok=True)

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_foreign = not self.is_ours and any(self.path.iterdir())
        except OSError as error:
            raise ClusterError(f"{self.path} can't hold the cluster's state: {error.strerror}") from error
        if is_foreign:
            raise ClusterError(f"{self.path} holds something else than a cluster; name an empty or a new directory")


def _lock(handle: int, path: Path, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another command is at work in {path}; waiting for it")
        fcntl.flock(handle, fcntl.LOCK_EX)
