"""The guard against an ``operator`` package, on trees made for it."""

import subprocess
import sys
from pathlib import Path

import pytest


def guard(root: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools/check_shadowing.py"), str(tree)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the planes and a folder of tests, and no package among them."""
    for folder in ("core/grokwarden", "operator/grokwarden_operator", "sidecar/grokwarden_sidecar", "tests/engine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "operator/grokwarden_operator/__init__.py").touch()
    return tmp_path


def test_packages_inside_the_planes_are_no_finding(root: Path, tree: Path):
    """Near miss: only the planes' own folders must stay plain."""
    assert guard(root, tree).returncode == 0


@pytest.mark.parametrize("folder", ["operator", "core", "sidecar", "tests", "tests/engine"])
def test_an_init_file_is_found_and_the_reason_given(root: Path, tree: Path, folder: str):
    """Whoever adds it meant well, and must learn what it breaks."""
    (tree / folder / "__init__.py").touch()

    result = guard(root, tree)

    assert result.returncode == 1
    assert f"{folder}/__init__.py: remove it" in result.stderr
    assert "hides the standard library's operator module" in result.stderr


def test_a_module_of_that_name_is_found_as_well(root: Path, tree: Path):
    """An operator.py in the root does the same harm, and only trying shows it."""
    (tree / "operator.py").touch()

    result = guard(root, tree)

    assert result.returncode == 1
    assert "finds something else" in result.stderr
