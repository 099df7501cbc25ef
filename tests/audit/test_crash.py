"""A writer that is killed: what was promised is there, what was torn is kept, and the chain goes on."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import audit_logs
from audit_logs import kinds, lines_of, open_writer, records_of, rewrite, segments, verify_directory, write_log
from eventually import eventually
from grokwarden.audit.errors import AuditLogDamagedError
from grokwarden.audit.findings import FindingKind
from grokwarden.audit.head import encode_head, sign_head

SUPPORT = Path(audit_logs.__file__).parent


@contextmanager
def writing_child(directory, *arguments):
    """A process that writes to the directory; killed with SIGKILL at the end."""
    child = subprocess.Popen(
        [sys.executable, str(SUPPORT / "audit_child.py"), str(directory), *arguments], stdout=subprocess.PIPE
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=10)
        child.stdout.close()


def size_of(directory):
    return sum(path.stat().st_size for path in segments(directory)) if directory.exists() else 0


async def test_a_killed_writer_leaves_a_log_that_can_be_continued(tmp_path):
    """Kill -9 is how nodes end."""
    log = tmp_path / "log"
    with writing_child(log):
        await eventually(lambda: size_of(log) > 100_000, timeout_seconds=10)
        assert FindingKind.TORN_LINE not in kinds(verify_directory(log))
    before = [line for line in lines_of(log) if line.endswith(b"\n")]

    await write_log(log, 5)

    assert verify_directory(log).findings == ()
    assert lines_of(log)[: len(before)] == before
    calls = [record["decision_id"] for record in records_of(log) if "kind" not in record]
    assert calls[: len(before)] == [f"decision-{n}" for n in range(1, len(before) + 1)]


async def test_the_torn_line_of_a_killed_writer_is_kept_aside_and_recorded(tmp_path):
    """Nothing is lost, not even half a record; and a repair that left no trace would be a place to hide an edit."""
    log = tmp_path / "log"
    with writing_child(log, "20000") as child:
        assert await asyncio.to_thread(child.stdout.readline) == b"failed\n"
        await eventually(lambda: not lines_of(log)[-1].endswith(b"\n"))
    torn = lines_of(log)[-1]
    offset = size_of(log) - len(torn)
    assert kinds(verify_directory(log)) == [FindingKind.TORN_LINE]

    await write_log(log, 3)

    report = verify_directory(log)
    assert report.findings == ()
    (recovered,) = report.recovered
    assert (recovered.segment, recovered.offset, recovered.lost_bytes) == ("audit-000001.jsonl", offset, len(torn))
    assert (log / recovered.kept_in).read_bytes() == torn
    assert recovered.lost_sha256 == hashlib.sha256(torn).hexdigest()
    assert [record.get("kind") for record in records_of(log)[-4:]] == ["recovered", None, None, None]


@pytest.mark.parametrize("kept_bytes", [0, 1, 40])
async def test_a_repair_that_was_itself_interrupted_is_finished(tmp_path, kept_bytes):
    """The first thing a crash-looping pod does is to crash in its recovery."""
    log = tmp_path / "log"
    await write_log(log, 3)
    path = segments(log)[0]
    offset = path.stat().st_size
    with path.open("ab") as file:
        file.write(b'{"torn":')
    open_writer_and_abandon(log)
    repaired = path.read_bytes()[offset:]
    os.truncate(path, offset + kept_bytes)  # the repair's own record did not reach the disk whole
    assert len(repaired) > kept_bytes
    restore_head(log, seq=3)

    await write_log(log, 1)

    report = verify_directory(log)
    assert report.findings == ()
    (recovered,) = report.recovered
    assert (log / recovered.kept_in).read_bytes() == b'{"torn":'
    assert recovered.lost_bytes == 8


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(lambda log: cut_lines(log, 1), "whole records up to 5", id="cut behind its head"),
        pytest.param(lambda log: cut_lines(log, 5), "whole records up to 5", id="emptied"),
        pytest.param(
            lambda log: os.truncate(segments(log)[0], 20), "whole records up to 5", id="cut in the first line"
        ),
        pytest.param(lambda log: segments(log)[0].unlink(), "records up to 5", id="segment removed"),
        pytest.param(lambda log: (log / "head.json").unlink(), "the signed head", id="head removed"),
        pytest.param(lambda log: (log / "head.json").write_bytes(b"{}"), "a signed head", id="head overwritten"),
        pytest.param(lambda log: (log / "signing-key.pem").unlink(), "our key", id="key removed"),
    ],
)
async def test_a_log_behind_its_head_is_not_continued(tmp_path, damage, expected):
    """Going on would turn a cut into history; the operator is told what to do instead."""
    log = tmp_path / "log"
    await write_log(log, 5)
    damage(log)

    with pytest.raises(AuditLogDamagedError, match=expected):
        open_writer(log)


async def test_a_crash_right_after_a_rotation_is_resumed(tmp_path):
    """The head then covers exactly the segments before the last one."""
    log = tmp_path / "log"
    await write_log(log, 20, segment_bytes=8_000)
    number = len(segments(log)) + 1
    segments(log)[-1].chmod(0o400)
    (log / f"audit-{number:06d}.jsonl").write_bytes(b'{"half')

    await write_log(log, 2)

    report = verify_directory(log)
    assert report.findings == ()
    assert [crash.segment for crash in report.recovered] == [f"audit-{number:06d}.jsonl"]


async def test_zeros_after_a_power_cut_are_set_aside(tmp_path):
    """A file system may grow a file before its data: the tail is then neither text nor torn in one place."""
    log = tmp_path / "log"
    await write_log(log, 3)
    with segments(log)[0].open("ab") as file:
        file.write(b"\0" * 4096 + b"\n" + b"\0" * 10)

    await write_log(log, 1)

    report = verify_directory(log)
    assert report.findings == ()
    assert report.recovered[0].lost_bytes == 4107


def cut_lines(log, count):
    rewrite(segments(log)[0], lines_of(log)[:-count])


def open_writer_and_abandon(log):
    """Start and end a writer in a process of its own, so that it repairs the log."""
    code = "import asyncio, sys; from pathlib import Path; from audit_logs import open_writer\n"
    code += "writer = open_writer(Path(sys.argv[1]))\nasyncio.run(writer.close())"
    subprocess.run([sys.executable, "-c", code, str(log)], check=True, env={"PYTHONPATH": str(SUPPORT)}, timeout=20)


def restore_head(log, *, seq):
    """The head as it was when the log had ``seq`` records."""
    record = json.loads(lines_of(log)[seq - 1])
    key = load_pem_private_key((log / "signing-key.pem").read_bytes(), password=None)
    head = sign_head(key, chain_id=record["chain_id"], seq=seq, last_hash=record["hash"], time="2026-11-22T03:00:00Z")
    (log / "head.json").write_bytes(encode_head(head))
