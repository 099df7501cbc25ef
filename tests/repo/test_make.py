"""The Makefile as a newcomer meets it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest


def make(folder: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def fresh(root: Path, tmp_path: Path) -> Path:
    """A folder in which nothing was set up."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def test_every_command_in_the_docs_is_a_target(root: Path, tracked: list[Path]):
    """The first command that a reader tries must work."""
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [path for path in tracked if path.suffix == ".md"]
    code = re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE)
    unknown = [
        f"{page.relative_to(root)}: make {name}"
        for page in pages
        for name in code.findall(page.read_text(encoding="utf-8"))
        if name not in targets
    ]

    assert {"demo", "test", "test-cluster", "check", "bench"} <= targets
    assert unknown == []


def test_help_lists_every_target(root: Path, fresh: Path, plain_env: dict[str, str]):
    """A target that help doesn't name is one that nobody finds."""
    declared = re.findall(r"^\.PHONY: ([a-z-]+)$", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    listed = re.findall(r"^  make ([a-z-]+)", make(fresh, plain_env).stdout, re.MULTILINE)

    assert listed == declared


def test_an_old_python_is_named_in_the_message(fresh: Path, plain_env: dict[str, str]):
    """`python3` is still older than 3.11 on many machines, and pip's own message says nothing of it."""
    old = fresh / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit 0\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)

    result = make(fresh, plain_env, "setup", f"PYTHON={old}")

    assert result.returncode != 0
    assert "is Python 3.9.2: Python 3.11 or newer is needed" in result.stderr
    assert not (fresh / ".venv").exists()


def test_a_missing_python_is_named_in_the_message(fresh: Path, plain_env: dict[str, str]):
    """The message must say what to install, not only that a command failed."""
    result = make(fresh, plain_env, "setup", "PYTHON=python9")

    assert result.returncode != 0
    assert "python9 not found: install Python 3.11 or newer" in result.stderr


@pytest.mark.parametrize("name", ["PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_TARGET", "PIP_REQUIRE_HASHES", "PYTHONPATH"])
def test_settings_of_the_callers_shell_don_t_reach_pip(fresh: Path, plain_env: dict[str, str], name: str):
    """A folder of wheels, a constraint or a target of the caller's would change what the lock file fixed."""
    result = make(fresh, plain_env | {name: "/nowhere"}, "--eval=show: ; @env", "show")

    assert result.returncode == 0
    assert f"{name}=" not in result.stdout


def test_a_mirror_of_the_callers_reaches_pip(fresh: Path, plain_env: dict[str, str]):
    """Near miss: where packages come from is the caller's business, their hashes are ours."""
    result = make(fresh, plain_env | {"PIP_INDEX_URL": "http://127.0.0.1:1/"}, "--eval=show: ; @env", "show")

    assert "PIP_INDEX_URL=http://127.0.0.1:1/" in result.stdout


def test_a_finished_set_up_is_not_repeated(fresh: Path, plain_env: dict[str, str]):
    """The second run of any target must start at once."""
    python = fresh / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    (fresh / ".venv/.ready").write_text(f"{fresh} {python}\n", encoding="utf-8")

    assert make(fresh, plain_env, "setup").stdout == ".venv is ready\n"


def test_a_moved_checkout_is_set_up_again(fresh: Path, plain_env: dict[str, str]):
    """The scripts of a virtual environment name the folder that it was made in."""
    python = fresh / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    (fresh / ".venv/.ready").write_text(f"/elsewhere {python}\n", encoding="utf-8")

    assert "Setting up .venv" in make(fresh, plain_env, "--dry-run", "setup").stdout
