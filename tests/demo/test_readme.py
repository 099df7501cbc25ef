"""The README says what is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from code_blocks import code_blocks, commands, missing_lines
from command_line import run_grokwarden
from grokwarden.edge.cli import SUMMARIES
from grokwarden_sidecar.demo.steps import WALK


@pytest.fixture(scope="module")
def readme(root: Path) -> Path:
    return root / "README.md"


def test_the_shown_output_is_the_demos(readme: Path, finished):
    """Output that is made up would be found out by the reader's first command."""
    [shown] = [block.text for block in code_blocks(readme, "text") if block.text.startswith("simulator")]

    assert missing_lines(shown.splitlines(), finished[0].stdout) == []


def test_every_target_of_make_is_one(readme: Path, root: Path):
    """The two commands are the first thing that is tried."""
    used = re.findall(r"(?:^\$ |`)make ([a-z]+)", readme.read_text(encoding="utf-8"), re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert {"demo", "test"} <= set(used) <= set(targets)


def test_the_pack_is_valid_and_validate_says_what_is_shown(readme: Path, tmp_path: Path):
    """It is copied as it stands."""
    [pack] = code_blocks(readme, "yaml")
    (tmp_path / "pack.yaml").write_text(pack.text, encoding="utf-8")

    done = run_grokwarden("validate", tmp_path / "pack.yaml")

    assert done.returncode == 0, done.stderr
    [validate] = [
        command
        for block in code_blocks(readme, "console")
        for command in commands(block.text)
        if command.line.startswith("grokwarden validate")
    ]
    assert done.stdout.splitlines() == validate.output


def test_every_command_and_option_exists(readme: Path):
    """A renamed option must not live on in the first page that is read."""
    lines = [command.line for block in code_blocks(readme, "console") for command in commands(block.text)]
    calls = [line.split() for line in lines if line.startswith("grokwarden ")]

    assert calls
    for _, name, *rest in calls:
        assert name in SUMMARIES
        text = run_grokwarden(name, "--help").stdout
        assert [option for option in rest if option.startswith("--") and option not in text] == []


def test_the_client_code_runs(readme: Path):
    """Two lines, and both must be right."""
    [code] = code_blocks(readme, "python")

    done = subprocess.run([sys.executable, "-c", code.text], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_link_leads_somewhere(readme: Path, root: Path):
    """A page that was renamed is missed here first."""
    links = re.findall(r"\]\(([^)#]+)", readme.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not (root / link).is_file()] == []


def test_the_number_of_steps_is_the_walks(readme: Path):
    """It is written out in a sentence, which nobody regenerates."""
    assert len(WALK) == 14
    assert "four of fourteen steps" in readme.read_text(encoding="utf-8")


def test_a_line_that_does_not_come_is_missing():
    """The comparison behind this page and the tutorial must be able to fail, and must keep the order."""
    came = "one 0123456789abcdef  at 2026-11-22T03:58:21.817857Z\ntwo\nthree and the rest\n"

    assert missing_lines(["one fedcba9876543210 at 2027-01-01T00:00:00Z", "…", "three and…"], came) == []
    assert missing_lines(["two", "one 0123456789abcdef at 2026-11-22T03:58:21.817857Z"], came) == ["one HEX at TIME"]
    assert missing_lines(["three and"], came) == ["three and"]
