"""Files that are none, and an output that nobody takes: a command ends with a sentence, or quietly, and never hangs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from command_line import COMMAND, ROOT, run_grokwarden

EXAMPLE = "examples/xai-gateway.yaml"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that nobody writes to."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "PIPE"),
        ("test", "PIPE"),
        ("import", "PIPE"),
        ("explain", EXAMPLE, "--request", "PIPE"),
        ("audit", "verify", ".", "--known-head", "PIPE"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_pipe_is_refused_and_not_waited_for(pipe: Path, arguments: tuple[str, ...]):
    """A job that hangs for ever is worse than one that fails."""
    ended = run_grokwarden(*(pipe if argument == "PIPE" else argument for argument in arguments))

    assert ended.returncode == 2
    assert "not a regular file" in ended.stderr
    assert str(pipe) in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [(), ("--output", "json")], ids=["text", "json"])
def test_a_full_disk_is_said(arguments: tuple[str, ...]):
    """A result that was cut off must not look like a success."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [COMMAND, "validate", EXAMPLE, *arguments], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False
        )

    assert ended.returncode == 1
    assert ended.stderr == b"error: the output could not be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [(), ("--output", "json")], ids=["text", "json"])
def test_a_reader_that_leaves_ends_it_quietly(arguments: tuple[str, ...]):
    """``| head`` is no mistake, and exit code 1 would mean findings."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [COMMAND, "validate", EXAMPLE, *arguments], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize(
    "arguments", [("nowhere",), (".",), (".", "--trusted-key", "rubbish")], ids=["no directory", "no log", "no key"]
)
def test_verify_answers_a_script_in_json_when_there_is_nothing_to_verify(tmp_path: Path, arguments: tuple[str, ...]):
    """A script that parses the result must not fail on the very case that it was written for."""
    directory = str(tmp_path / arguments[0])
    ended = run_grokwarden("audit", "verify", directory, *arguments[1:], "--output", "json")
    said = json.loads(ended.stdout)

    assert ended.returncode == 2
    assert said["directory"] == directory
    assert said["error"] in ended.stderr
