"""Every way to falsify a log is done to a log of the real writer, and must be named for what it is."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_logs import (
    call_record,
    kinds,
    lines_of,
    open_writer,
    rewrite,
    segments,
    verify_directory,
    write_log,
)
from grokwarden.audit.chain import seal_record
from grokwarden.audit.findings import FindingKind
from grokwarden.audit.head import encode_head, public_key_text, sign_head
from grokwarden.audit.verify import MAX_FINDINGS

COUNT = 30
SEGMENT_BYTES = 12_000  # about ten records


@pytest.fixture
async def log(tmp_path):
    """Thirty records in several segments, closed."""
    directory = tmp_path / "log"
    await write_log(directory, COUNT, segment_bytes=SEGMENT_BYTES)
    assert len(segments(directory)) >= 3
    return directory


def change_first_segment(log, change):
    path = segments(log)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    rewrite(path, change(lines))


def relink(lines, *, first):
    """Forge: recompute every hash from ``first`` on, as one who knows how does."""
    forged = lines[:first]
    for line in lines[first:]:
        fields = json.loads(line)
        number = int(fields["decision_id"].removeprefix("decision-"))
        prev_hash = json.loads(forged[-1])["hash"] if forged else "0" * 64
        record = call_record(number, action="Allow", would_action="Allow", steps=[])
        forged.append(seal_record(record, chain_id=fields["chain_id"], seq=fields["seq"], prev_hash=prev_hash))
    return forged


async def test_an_untouched_log_is_clean(log):
    """Without this the other tests prove nothing."""
    report = verify_directory(log)

    assert report.findings == ()
    assert (report.records, report.last_seq, report.unsigned_records) == (COUNT, COUNT, 0)


async def test_an_edit_is_found(log):
    """The plainest forgery: a block that becomes an allow."""
    change_first_segment(
        log,
        lambda lines: [*lines[:3], lines[3].replace(b'"would_action":"Block"', b'"would_action":"Allow"'), *lines[4:]],
    )

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.file, finding.line, finding.seq) == (FindingKind.EDITED, "audit-000001.jsonl", 4, 4)


async def test_an_edit_with_a_recomputed_hash_is_found_at_the_next_record(log):
    """Who can edit a file can also compute SHA-256."""

    def forge(lines):
        return [*lines[:3], relink(lines, first=3)[3], *lines[4:]]

    change_first_segment(log, forge)

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.line, finding.seq) == (FindingKind.SPLICED, 5, 5)


async def test_a_rewritten_log_does_not_fit_its_head(tmp_path):
    """When every hash is recomputed only the signature is left to disagree."""
    log = tmp_path / "log"
    await write_log(log, 5)
    rewrite(segments(log)[0], relink(lines_of(log), first=2))

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.seq) == (FindingKind.REWRITTEN, 5)


@pytest.mark.parametrize("junk", [b"", b"{}", b"not json", b"\xff\xfe", b'{"seq":"1"}', b"[" * 5000])
async def test_a_line_that_is_no_record_is_an_edit(log, junk):
    """A verifier that stumbles over junk is no verifier."""
    change_first_segment(log, lambda lines: [*lines[:2], junk + b"\n", *lines[3:]])

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.line) == (FindingKind.EDITED, 3)


async def test_a_line_that_was_put_in_is_the_only_finding(log):
    """What comes after it is as it was: a report full of echoes hides the place."""
    change_first_segment(log, lambda lines: [*lines[:2], b"junk\n", *lines[2:]])

    assert kinds(verify_directory(log)) == [FindingKind.EDITED]


async def test_a_deletion_is_found(log):
    """A deleted block is what an audit is for."""
    change_first_segment(log, lambda lines: [*lines[:3], *lines[5:]])

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.line, finding.seq) == (FindingKind.DELETED, 4, 4)
    assert "records 4 to 5" in finding.expected


async def test_deleting_the_beginning_is_found(log):
    """The first record has number 1: an old log can't be made to begin later."""
    change_first_segment(log, lambda lines: lines[1:])

    assert kinds(verify_directory(log)) == [FindingKind.DELETED]


async def test_a_reorder_is_found_and_is_no_deletion(log):
    """What came first may be the whole question."""
    change_first_segment(log, lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]])

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.line, finding.seq) == (FindingKind.REORDERED, 4, 3)


async def test_a_repeated_record_is_found(log):
    """A copied record counts a call twice."""
    change_first_segment(log, lambda lines: [*lines[:3], lines[1], *lines[3:]])

    assert kinds(verify_directory(log)) == [FindingKind.REORDERED]


async def test_a_truncation_is_found(log):
    """The end is where the newest evidence is, and a shorter chain is whole in itself."""
    last = segments(log)[-1]
    rewrite(last, last.read_bytes().splitlines(keepends=True)[:-1])

    (finding,) = verify_directory(log).findings

    assert (finding.kind, finding.seq) == (FindingKind.TRUNCATED, COUNT)


async def test_a_removed_last_segment_is_a_truncation(log):
    """Removing a file is the easiest cut."""
    segments(log)[-1].unlink()

    assert kinds(verify_directory(log)) == [FindingKind.TRUNCATED]


async def test_removing_every_segment_is_a_truncation(log):
    """Nothing left must not mean nothing wrong."""
    for path in segments(log):
        path.unlink()

    assert kinds(verify_directory(log)) == [FindingKind.TRUNCATED]


@pytest.mark.parametrize("index", [0, 1])
async def test_a_missing_segment_is_named(log, index):
    """Who restores a backup must know which file to look for."""
    missing = segments(log)[index]
    missing.unlink()

    report = verify_directory(log)

    assert kinds(report) == [FindingKind.MISSING_SEGMENT, FindingKind.DELETED]
    assert report.findings[0].file == missing.name


async def test_a_segment_of_another_chain_is_found(log, tmp_path):
    """Another pod's quiet day, pasted over this one's."""
    await write_log(tmp_path / "other", COUNT, segment_bytes=SEGMENT_BYTES)
    rewrite(segments(log)[1], lines_of_file(segments(tmp_path / "other")[1]))

    report = verify_directory(log)

    assert kinds(report) == [FindingKind.FOREIGN_CHAIN, FindingKind.DELETED]
    assert (report.findings[0].file, report.findings[0].line) == ("audit-000002.jsonl", 1)


async def test_a_forged_segment_that_names_the_right_chain_is_found(log):
    """Numbers and chain can be copied; the hash of the record before can't be met by what comes after."""
    path = segments(log)[1]
    rewrite(path, relink(lines_of_file(path), first=0))

    report = verify_directory(log)

    assert kinds(report) == [FindingKind.SPLICED, FindingKind.SPLICED]
    assert [finding.file for finding in report.findings] == ["audit-000002.jsonl", "audit-000003.jsonl"]


async def test_segments_that_changed_places_are_found(log):
    """Renaming files reorders records without touching one."""
    first, second, *_ = segments(log)
    shelf = log / "shelf"
    first.rename(shelf)
    second.rename(first)
    shelf.rename(second)

    assert set(kinds(verify_directory(log))) == {FindingKind.REORDERED}


async def test_a_whole_foreign_log_under_this_head_is_found(log, tmp_path):
    """A head must not vouch for another chain's records."""
    await write_log(tmp_path / "other", COUNT, segment_bytes=SEGMENT_BYTES)
    shutil.copy(log / "head.json", tmp_path / "other" / "head.json")

    assert kinds(verify_directory(tmp_path / "other")) == [FindingKind.FOREIGN_CHAIN, FindingKind.TRUNCATED]


async def test_an_older_head_leaves_records_unsigned_and_a_kept_head_shows_a_cut(tmp_path):
    """From the directory alone a log that was cut back to an older head looks whole: somebody else must keep a head."""
    log = tmp_path / "log"
    await write_log(log, 3)
    older = (log / "head.json").read_bytes()
    await write_log(log, 3)
    newer = (log / "head.json").read_bytes()
    (log / "head.json").write_bytes(older)

    assert verify_directory(log).is_clean
    assert verify_directory(log).unsigned_records == 3

    rewrite(segments(log)[0], lines_of(log)[:3])

    assert verify_directory(log).is_clean
    (finding,) = verify_directory(log, known_heads=(newer,)).findings
    assert (finding.kind, finding.seq) == (FindingKind.TRUNCATED, 6)
    assert "kept.json" in finding.expected


async def test_a_head_without_its_file_or_its_form_is_found(log):
    """No head, no end."""
    (log / "head.json").write_bytes(b"{}")
    assert kinds(verify_directory(log)) == [FindingKind.HEAD_UNREADABLE]

    (log / "head.json").unlink()
    assert kinds(verify_directory(log)) == [FindingKind.HEAD_MISSING]


async def test_an_edited_head_is_found(log):
    """A head that says less would make a cut invisible."""
    head = json.loads((log / "head.json").read_bytes())
    (log / "head.json").write_text(json.dumps(head | {"seq": 29}))

    assert FindingKind.BAD_SIGNATURE in kinds(verify_directory(log))


async def test_a_swapped_key_is_found_only_when_the_key_is_pinned(tmp_path):
    """A self-made key proves nothing: that is why there is --trusted-key."""
    log = tmp_path / "log"
    key = await write_log(log, 5)
    lines = relink(lines_of(log), first=0)
    rewrite(segments(log)[0], lines)
    last = json.loads(lines[-1])
    forger = Ed25519PrivateKey.generate()
    forged = sign_head(forger, chain_id=last["chain_id"], seq=5, last_hash=last["hash"], time="2026-11-22T03:00:00Z")
    (log / "head.json").write_bytes(encode_head(forged))

    assert verify_directory(log).is_clean
    (finding,) = verify_directory(log, trusted_keys=frozenset({key})).findings
    assert finding.kind is FindingKind.UNTRUSTED_KEY
    assert finding.found == public_key_text(forger.public_key())


async def test_a_torn_last_line_is_a_finding_only_when_the_writer_is_gone(log):
    """A writer at work is always in the middle of something."""
    with segments(log)[-1].open("ab") as file:
        file.write(b'{"action":"Allow","bund')

    assert kinds(verify_directory(log)) == [FindingKind.TORN_LINE]
    assert verify_directory(log, is_live=True).is_clean


async def test_a_torn_line_in_a_finished_segment_is_a_finding_even_while_a_writer_lives(log):
    """Only the last segment is being written."""
    path = segments(log)[0]
    rewrite(path, [path.read_bytes()[:-1]])

    assert FindingKind.TORN_LINE in kinds(verify_directory(log, is_live=True))


async def test_a_live_log_verifies_clean_at_every_moment(tmp_path):
    """Who checks a running pod must not raise a false alarm."""
    writer = open_writer(tmp_path / "log", segment_bytes=SEGMENT_BYTES, head_seconds=0.0)
    for number in range(1, 200):
        writer.append(call_record(number))
        if number % 20 == 0:
            await writer.flush()
        assert verify_directory(tmp_path / "log").findings == ()
    await writer.close()


async def test_a_flood_of_findings_is_counted_and_not_listed(tmp_path):
    """A ruined log must not fill a terminal, nor memory."""
    log = tmp_path / "log"
    await write_log(log, MAX_FINDINGS + 50)
    rewrite(segments(log)[0], [line.replace(b"shop", b"shoq", 1) for line in lines_of(log)])

    report = verify_directory(log)

    assert len(report.findings) == MAX_FINDINGS
    assert report.omitted == 50


def lines_of_file(path):
    return path.read_bytes().splitlines(keepends=True)
