"""What the tests of the demo share."""

import subprocess
from pathlib import Path

import pytest

from demo_runs import GROKWARDEN, environment


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path, Path]:
    """The whole walk, the directory that it was started in, and the one for temporary files."""
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    (home / "json.py").write_text("raise SystemExit('a module of the working directory was imported')\n")
    done = subprocess.run(
        [GROKWARDEN, "demo"],
        cwd=home,
        env=environment(temporary) | {"HOME": str(home), "XDG_STATE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, home, temporary
