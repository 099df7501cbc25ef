"""The writer on a real disk: order, rotation, modes, two writers, and a disk that fails and comes back."""

import asyncio
import json
import os
import resource
import stat
import threading
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_logs import (
    call_record,
    lines_of,
    open_writer,
    records_of,
    segments,
    verify_directory,
    write_log,
)
from eventually import eventually
from grokwarden.audit.errors import (
    AuditDirectoryBusyError,
    AuditKeyError,
    AuditLogDamagedError,
    AuditUnavailableError,
)
from grokwarden.audit.head import Head, public_key_text
from grokwarden_sidecar.audit.writer import Failed, Healthy


@contextmanager
def largest_file(size_bytes):
    """No file of this process may grow past this: a write stops in the middle, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_ten_thousand_records_at_once_arrive_in_order(tmp_path):
    """A burst is when order and completeness are at risk."""
    writer = open_writer(tmp_path / "log")
    for number in range(10_000):
        assert writer.append(call_record(number))
    await writer.close()

    assert [record["decision_id"] for record in records_of(tmp_path / "log")] == [
        f"decision-{n}" for n in range(10_000)
    ]
    assert verify_directory(tmp_path / "log").findings == ()
    assert writer.counters.written == 10_000
    assert writer.counters.size_bytes == sum(map(len, lines_of(tmp_path / "log")))


async def test_records_from_many_threads_are_each_written_once(tmp_path):
    """Policies may run in threads; the chain must not care."""
    writer = open_writer(tmp_path / "log")
    threads = [
        threading.Thread(target=lambda base=base: [writer.append(call_record(base + n)) for n in range(200)])
        for base in range(0, 1000, 200)
    ]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    await writer.close()

    assert sorted(int(r["decision_id"].split("-")[1]) for r in records_of(tmp_path / "log")) == list(range(1000))
    assert verify_directory(tmp_path / "log").is_clean


async def test_a_flush_puts_everything_on_disk_under_a_signed_head(tmp_path):
    """Who was told "flushed" may pull the plug."""
    writer = open_writer(tmp_path / "log", batch_seconds=60, head_seconds=60)
    for number in range(3):
        writer.append(call_record(number))
    await writer.flush()

    report = verify_directory(tmp_path / "log")
    assert (report.last_seq, report.unsigned_records) == (3, 0)
    await writer.close()


async def test_records_and_head_reach_the_disk_without_being_asked(tmp_path):
    """The last call before a quiet night must not wait for the next one."""
    writer = open_writer(tmp_path / "log")
    writer.append(call_record())

    await eventually(lambda: json.loads((tmp_path / "log" / "head.json").read_bytes())["seq"] == 1)
    await writer.close()


async def test_heads_are_signed_per_batch_and_not_per_record(tmp_path):
    """A signature and two syncs cost more than a hundred records."""
    writer = open_writer(tmp_path / "log", head_seconds=60)
    head = tmp_path / "log" / "head.json"
    for number in range(100):
        writer.append(call_record(number))
    await eventually(lambda: len(lines_of(tmp_path / "log")) == 100)

    assert json.loads(head.read_bytes())["seq"] == 0
    await writer.close()
    assert json.loads(head.read_bytes())["seq"] == 100


async def test_the_chain_goes_on_over_rotations_and_restarts(tmp_path):
    """A restart that began a new chain would let anyone drop the old one."""
    for _ in range(3):
        await write_log(tmp_path / "log", 10, segment_bytes=8_000)

    report = verify_directory(tmp_path / "log")
    assert report.findings == ()
    assert report.last_seq == 30
    assert len({record["chain_id"] for record in records_of(tmp_path / "log")}) == 1
    assert all(path.stat().st_size <= 8_000 for path in segments(tmp_path / "log"))


async def test_a_record_larger_than_a_segment_has_one_of_its_own(tmp_path):
    """A limit that a record can't meet must not stop the log."""
    await write_log(tmp_path / "log", 3, segment_bytes=10)

    assert len(segments(tmp_path / "log")) == 3
    assert verify_directory(tmp_path / "log").is_clean


async def test_files_are_for_their_owner_alone_and_finished_segments_for_nobody_to_write(tmp_path):
    """An audit log says who used what; and a finished one has nothing more to be written."""
    await write_log(tmp_path / "log", 30, segment_bytes=12_000)

    assert mode_of(tmp_path / "log") == 0o700
    *finished, last = segments(tmp_path / "log")
    assert {mode_of(path) for path in finished} == {0o400}
    others = [path for path in (tmp_path / "log").iterdir() if path not in finished]
    assert {mode_of(path) for path in others} == {0o600}
    assert last in others


async def test_an_existing_directory_keeps_its_mode(tmp_path):
    """Who points --audit-dir at /tmp must not lose /tmp."""
    tmp_path.chmod(0o755)
    await write_log(tmp_path, 1)

    assert mode_of(tmp_path) == 0o755


async def test_a_restart_after_the_last_segment_was_sealed_begins_the_next(tmp_path):
    """A crash between sealing and the next segment leaves no open one."""
    await write_log(tmp_path / "log", 2)
    segments(tmp_path / "log")[0].chmod(0o400)
    await write_log(tmp_path / "log", 2)

    assert len(segments(tmp_path / "log")) == 2
    assert verify_directory(tmp_path / "log").is_clean


async def test_a_second_writer_is_refused_and_told_who_has_the_directory(tmp_path):
    """Two writers would fork the chain."""
    writer = open_writer(tmp_path / "log")
    with pytest.raises(AuditDirectoryBusyError, match=f"pid {os.getpid()}.*own --audit-dir"):
        open_writer(tmp_path / "log")
    await writer.close()

    await write_log(tmp_path / "log", 1)


async def test_a_full_disk_refuses_calls_loses_nothing_and_heals_by_itself(tmp_path):
    """Disks fill up at night; in the morning somebody makes room, and every call must be there."""
    writer = open_writer(tmp_path / "log")
    writer.append(call_record(0))
    await writer.flush()
    with largest_file(segments(tmp_path / "log")[0].stat().st_size + 300):
        for number in range(1, 50):
            assert writer.append(call_record(number))
        await eventually(lambda: isinstance(writer.state, Failed))
        assert "File too large" in writer.state.reason
        assert writer.counters.queued == 49
        with pytest.raises(AuditUnavailableError, match="File too large"):
            await writer.flush(timeout_seconds=0.1)

    await eventually(lambda: isinstance(writer.state, Healthy))
    await writer.close()
    assert [r["decision_id"] for r in records_of(tmp_path / "log")] == [f"decision-{n}" for n in range(50)]
    assert verify_directory(tmp_path / "log").findings == ()
    assert "File too large" in writer.counters.last_error


async def test_a_disk_that_stays_full_until_the_end_is_said_and_counted(tmp_path):
    """At the very end records are lost with the process: never silently."""
    writer = open_writer(tmp_path / "log")
    with largest_file(0):
        for number in range(5):
            writer.append(call_record(number))
        with pytest.raises(AuditUnavailableError, match="5 records unwritten"):
            await writer.close(timeout_seconds=0.1)

    assert writer.counters.dropped == {"unwritable": 5}
    await write_log(tmp_path / "log", 1)
    assert verify_directory(tmp_path / "log").is_clean


async def test_calls_are_refused_while_too_many_records_wait_but_those_within_are_recorded(tmp_path):
    """The queue is bounded by letting nobody in, not by forgetting who is."""
    writer = open_writer(tmp_path / "log", queue_limit=10)
    with largest_file(0):
        writer.append(call_record(0))
        await eventually(lambda: isinstance(writer.state, Failed))
        accepted = [writer.append(call_record(number)) for number in range(1, 60)]

    assert accepted.index(False) >= 40
    assert writer.counters.dropped == {"queue_full": accepted.count(False)}
    await writer.close()
    assert len(lines_of(tmp_path / "log")) == 1 + accepted.count(True)


async def test_a_full_queue_is_a_failed_state(tmp_path):
    """The proxy asks for the state before each call, and nothing else."""
    writer = open_writer(tmp_path / "log", queue_limit=3, batch_seconds=60)
    for number in range(3):
        writer.append(call_record(number))

    assert isinstance(writer.state, Failed)
    assert writer.failure() == writer.state.reason
    await writer.flush()
    assert isinstance(writer.state, Healthy)
    assert writer.failure() is None
    await writer.close()


@pytest.mark.parametrize("meddling", ["removed", "replaced", "cut", "added to"])
async def test_a_segment_that_somebody_else_touches_stops_the_writer(tmp_path, meddling):
    """Records written to a file that is gone would be lost, and nobody would know."""
    writer = open_writer(tmp_path / "log")
    writer.append(call_record(1))
    await writer.flush()
    path = segments(tmp_path / "log")[0]
    match meddling:
        case "removed":
            path.unlink()
        case "replaced":
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        case "cut":
            os.truncate(path, 10)
        case "added to":
            with path.open("ab") as file:
                file.write(b"x")
    writer.append(call_record(2))

    await eventually(
        lambda: isinstance(writer.state, Failed) and "was changed while it was written" in writer.state.reason
    )
    with pytest.raises(AuditUnavailableError, match="1 records unwritten"):
        await writer.close(timeout_seconds=0.1)


async def test_a_directory_that_is_gone_is_named_when_only_the_head_is_due(tmp_path):
    """Whoever reads the reason must learn what to do, not the name of a temporary file."""
    writer = open_writer(tmp_path / "log", head_seconds=60)
    writer.append(call_record(1))
    await eventually(lambda: writer.counters.written == 1)
    (tmp_path / "log").rename(tmp_path / "aside")

    with pytest.raises(AuditUnavailableError, match=r"found no file.*started again"):
        await writer.close(timeout_seconds=0.1)

    assert writer.counters.lost == 0


async def test_a_closed_writer_counts_what_comes_too_late(tmp_path):
    """A call that outlives the drain is a lost record, and must be seen as one."""
    writer = open_writer(tmp_path / "log")
    await writer.close()
    await writer.close()
    await writer.flush()

    assert not writer.append(call_record())
    assert writer.counters.dropped == {"closed": 1}


async def test_a_given_key_signs_and_another_one_can_not_take_over(tmp_path):
    """A key from a Secret is the one an auditor pins; a silent change would look like a forgery."""
    key = Ed25519PrivateKey.generate()
    assert await write_log(tmp_path / "log", 2, signing_key=key) == public_key_text(key.public_key())
    assert not (tmp_path / "log" / "signing-key.pem").exists()

    with pytest.raises(AuditLogDamagedError, match="expected our key"):
        open_writer(tmp_path / "log", signing_key=Ed25519PrivateKey.generate())


async def test_a_key_file_that_holds_no_key_is_refused(tmp_path):
    """Making a new key over a broken file would disown the log."""
    (tmp_path / "signing-key.pem").write_text("not a key")
    with pytest.raises(AuditKeyError, match=r"signing-key\.pem"):
        open_writer(tmp_path)


async def test_nothing_but_the_fields_of_the_record_is_in_the_files(tmp_path):
    """Prompts and keys pass through the same process; a log that leaked them would be worse than none."""
    await write_log(tmp_path / "log", 3)

    fields = set(call_record().__struct_fields__)
    assert all(set(record) == fields for record in records_of(tmp_path / "log"))
    assert {path.name for path in (tmp_path / "log").iterdir()} == {
        "audit-000001.jsonl",
        "audit.lock",
        "head.json",
        "signing-key.pem",
    }
    assert json.loads((tmp_path / "log" / "head.json").read_bytes()).keys() == set(Head.__struct_fields__)
    assert (tmp_path / "log" / "audit.lock").read_text() == f"pid {os.getpid()}\n"
