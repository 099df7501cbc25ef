"""What docs/audit.md shows is run here as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audit_logs import call_record, rewrite, segments, write_log
from grokwarden.audit.record import RecoveredRecord

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


def shown_verifier():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return code


def run_shown_verifier(directory):
    return subprocess.run(
        [sys.executable, "-I", "-c", shown_verifier(), str(directory)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
async def log(tmp_path):
    """A log with rotations, a repair, and a record that two JSON writers would write differently."""
    directory = tmp_path / "log"
    await write_log(directory, 12, segment_bytes=6_000)
    with segments(directory)[-1].open("ab") as file:
        file.write(b"torn")
    await write_log(directory, 3, segment_bytes=6_000)
    return directory


async def test_the_shown_verifier_accepts_a_log_and_gives_the_hash_of_its_head(log):
    """Evidence that only our own tool can check is no evidence."""
    result = run_shown_verifier(log)

    assert result.returncode == 0, result.stderr
    assert result.stdout == f"16 records, last hash {json.loads((log / 'head.json').read_bytes())['hash']}\n"


async def test_the_shown_verifier_finds_an_edit(log):
    """The near miss: it must be able to say no."""
    first = segments(log)[0]
    lines = first.read_bytes().splitlines(keepends=True)
    rewrite(first, [lines[0], lines[1].replace(b'"status":200', b'"status":400'), *lines[2:]])

    result = run_shown_verifier(log)

    assert result.returncode == 1
    assert "audit-000001.jsonl: record 2" in result.stderr


def test_every_field_of_a_record_is_explained():
    """A field nobody explains is read wrongly."""
    names = {*call_record().__struct_fields__, *RecoveredRecord.__struct_fields__}
    steps = call_record().steps[0].__struct_fields__

    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert ", ".join(steps) in PAGE
