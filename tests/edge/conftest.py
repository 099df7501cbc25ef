"""What the tests of the edge share."""

import io
import subprocess
import sys

import pytest

from command_line import Run
from grokwarden.edge.cli import main


@pytest.fixture
def grokwarden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line inside this process, which saves starting one for every case."""

    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = ["grokwarden", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(argv, returncode=ended.value.code, stdout=out, stderr=err)

    return run
