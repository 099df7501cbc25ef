"""The generated files of the repository and the command that writes them."""

from pathlib import Path

import pytest

from grokwarden.edge.generate import GENERATED, main, stale_files

ROOT = Path(__file__).parents[2]


def test_the_repository_is_up_to_date():
    """A CRD that lags behind its model accepts what nothing enforces."""
    assert [str(path) for path, _ in stale_files(ROOT)] == []


@pytest.fixture
def empty_repository(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def test_check_lists_what_is_stale_and_writes_nothing(empty_repository, capsys):
    """CI must fail with the names of the files, and leave them alone."""
    assert main(["--check", "--root", str(empty_repository)]) == 1
    listed = capsys.readouterr().err
    assert all(entry.path in listed for entry in GENERATED)
    assert not (empty_repository / "crds").exists()


def test_a_second_run_has_nothing_to_do(empty_repository, capsys):
    """What is written is what is checked."""
    assert main(["--root", str(empty_repository)]) == 0
    capsys.readouterr()
    assert main(["--root", str(empty_repository)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--check", "--root", str(empty_repository)]) == 0


def test_it_refuses_to_write_elsewhere(tmp_path):
    """Run in the wrong folder, it would litter it."""
    assert main(["--root", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", ["policypack", "providertarget"])
def test_the_reference_has_whole_tables(page):
    """A pipe in a description or a pattern would break its row."""
    text = (ROOT / f"docs/reference/{page}.md").read_text(encoding="utf-8")
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert {row.count("|") for row in rows} == {6}
