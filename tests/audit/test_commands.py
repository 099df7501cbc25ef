"""``grokwarden audit verify`` and ``tail``, as a person and a script use them."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from audit_logs import call_record, lines_of, open_writer, rewrite, segments, write_log
from grokwarden.audit.head import parse_public_key
from grokwarden.edge.commands.audit import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
async def log(tmp_path):
    directory = tmp_path / "log"
    await write_log(directory, 12, segment_bytes=6_000)
    return directory


def public_key(log):
    return json.loads((log / "head.json").read_bytes())["public_key"]


async def test_verify_says_what_was_verified(log):
    """A bare "ok" leaves open what was looked at."""
    result = run("verify", log)

    assert result.exit_code == 0
    assert "nothing was changed" in result.stdout
    assert f"12, up to 12, in {len(segments(log))} segments" in result.stdout
    assert public_key(log) in result.stdout
    assert "not pinned" in result.stdout


async def test_verify_names_the_place_and_exits_with_one(log):
    """A cron job reads the code, a person the line."""
    first = segments(log)[0]
    rewrite(first, first.read_bytes().splitlines(keepends=True)[1:])

    result = run("verify", log)

    assert result.exit_code == 1
    assert "audit-000001.jsonl:1: Deleted: expected record 1, found record 2" in result.stdout


async def test_verify_answers_a_script_in_json(log):
    """Whoever ships findings elsewhere needs them typed."""
    clean = json.loads(run("verify", log, "--output", "json").stdout)
    segments(log)[1].unlink()
    result = run("verify", log, "--output", "json")
    found = json.loads(result.stdout)

    assert (clean["is_clean"], clean["records"], clean["is_live"], clean["findings"]) == (True, 12, False, [])
    assert result.exit_code == 1
    assert [finding["kind"] for finding in found["findings"]] == ["MissingSegment", "Deleted"]


async def test_a_trusted_key_may_be_given_in_any_usual_form(log, tmp_path):
    """Keys arrive from ConfigMaps, tickets and other tools."""
    key = public_key(log)
    (tmp_path / "key.pem").write_bytes(
        parse_public_key(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "keys").write_text(f"# of last year\n{'00' * 32}\n\n{key}\n")
    for form in (key, base64.b64decode(key).hex(), tmp_path / "key.pem", tmp_path / "keys"):
        result = run("verify", log, "--trusted-key", form)
        assert result.exit_code == 0, result.output
        assert "(trusted)" in result.stdout

    result = run("verify", log, "--trusted-key", "00" * 32)
    assert result.exit_code == 1
    assert "UntrustedKey" in result.stdout


async def test_what_is_no_key_is_an_error_and_not_a_finding(log, tmp_path):
    """A typing error must not look like a forged log."""
    result = run("verify", log, "--trusted-key", "nonsense")

    assert result.exit_code == 2
    assert "expected PEM" in result.stderr
    (tmp_path / "empty").write_text("")
    assert run("verify", log, "--trusted-key", tmp_path / "empty").exit_code == 2


async def test_a_kept_head_shows_a_cut(log, tmp_path):
    """The one forgery that a directory alone can't show."""
    kept = tmp_path / "kept.json"
    kept.write_bytes((log / "head.json").read_bytes())
    assert run("verify", log, "--known-head", kept).exit_code == 0
    for path in (log, *log.iterdir()):
        path.chmod(0o700)
    for path in segments(log):
        path.unlink()
    (log / "head.json").unlink()
    (log / "signing-key.pem").unlink()
    await write_log(log, 1)

    assert run("verify", log).exit_code == 0
    assert run("verify", log, "--known-head", kept).exit_code == 1


def test_a_directory_without_a_log_can_not_be_verified(tmp_path):
    """To find nothing wrong with the wrong directory would be a false comfort."""
    assert run("verify", tmp_path).exit_code == 2
    assert run("verify", tmp_path / "absent").exit_code == 2
    assert run("tail", tmp_path).exit_code == 2
    assert run("tail", tmp_path / "absent").exit_code == 2


async def test_a_running_writer_is_seen_as_live(tmp_path):
    """Its unfinished last line is no finding."""
    writer = open_writer(tmp_path / "log")
    writer.append(call_record())
    await writer.flush()
    segment = segments(tmp_path / "log")[0]
    whole = segment.stat().st_size
    with segment.open("ab") as file:
        file.write(b'{"half')

    document = json.loads(run("verify", tmp_path / "log", "--output", "json").stdout)

    assert (document["is_live"], document["is_clean"]) == (True, True)
    os.truncate(segment, whole)
    await writer.close()


async def test_tail_shows_the_last_records_over_rotations(log):
    """What happened just now is the first question."""
    result = run("tail", log, "-n", "5", "--output", "json")

    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [8, 9, 10, 11, 12]
    assert len(run("tail", log, "-n", "100", "--output", "json").stdout.splitlines()) == 12
    assert run("tail", log, "-n", "0", "--output", "json").stdout == ""


async def test_tail_shows_one_readable_row_per_call(log):
    """A person wants to see what was decided, and by what."""
    header, row = run("tail", log, "-n", "1").stdout.splitlines()

    assert header.split() == ["TIME", "ACTION", "STEP/RULE", "MODEL", "STATUS", "DURATION"]
    assert row.split() == [
        "2026-11-22T03:00:00.000000Z",
        *("Allow", "(would", "Block)"),
        *("injection/ignore-previous", "grok-4.3", "200", "812.3", "ms"),
    ]


async def test_tail_prints_nothing_that_steers_a_terminal(tmp_path):
    """A client chooses the model's name, and an operator's terminal shows it."""
    writer = open_writer(tmp_path)
    writer.append(call_record(model_served="\x1b]0;owned\x07\x9b2J"))
    await writer.close()

    output = run("tail", tmp_path).stdout

    assert "\x1b" not in output
    assert "\x9b" not in output
    assert "owned" in output


async def test_tail_shows_a_repair_and_what_is_no_record(tmp_path):
    """A reader must not stop at what it does not understand."""
    await write_log(tmp_path, 1)
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"torn")
    await write_log(tmp_path, 1)
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"junk\n")

    rows = run("tail", tmp_path).stdout.splitlines()

    assert "recovered" in rows[2]
    assert "4 bytes in audit-000001-" in rows[2]
    assert rows[4] == "no record: junk"


async def test_tail_follows_a_log_over_rotations_until_it_is_interrupted(tmp_path):
    """Watching a rollout must not end at midnight's rotation, and Ctrl-C is no error."""
    log = tmp_path / "log"
    writer = open_writer(log, segment_bytes=3_000)
    command = [sys.executable, "-c", "from grokwarden.edge.commands.audit import app; app()"]
    follower = await asyncio.create_subprocess_exec(
        *(*command, "tail", str(log), "--follow", "-n", "2", "--output", "json"),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    try:
        seen = []
        for number in range(1, 13):
            writer.append(call_record(number))
            await writer.flush()
            line = await asyncio.wait_for(follower.stdout.readline(), 10)
            seen.append(json.loads(line)["seq"])
        assert seen == list(range(1, 13))
        assert len(segments(log)) > 3
        follower.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(follower.wait(), 10) == 0
    finally:
        if follower.returncode is None:
            follower.kill()
            await follower.wait()
        await writer.close()
    assert len(lines_of(log)) == 12
