"""A log is walked once, in order, and everything that is not as its writer left it is named.

Pure: segments come as lines, the head as bytes. What can't be seen from a log alone is not claimed: whoever holds the
signing key can rewrite all of it, and whoever kept an older head can cut the log back to that head.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from grokwarden.audit.chain import GENESIS, Link, is_intact, read_link
from grokwarden.audit.findings import FindingKind, LogFinding, LogReport
from grokwarden.audit.gaps import Gaps
from grokwarden.audit.head import Head, is_signed, read_head
from grokwarden.audit.layout import HEAD_NAME, segment_name, segment_number
from grokwarden.audit.record import RecoveredRecord

MAX_FINDINGS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLines:
    """A segment to walk: the name of its file, and its lines with their newlines."""

    name: str
    lines: Iterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFile:
    """A head to hold the log against; ``name`` is how findings call it."""

    name: str
    raw: bytes


def verify_log(
    segments: Sequence[SegmentLines],
    head: HeadFile | None,
    *,
    trusted_keys: frozenset[str] = frozenset(),
    known_heads: Sequence[HeadFile] = (),
    is_live: bool = False,
) -> LogReport:
    """Walk a log and say what is not as its writer left it.

    Args:
        segments: In the order of their numbers.
        head: ``head.json``, read before the segments: a log may be ahead of its head, never behind.
        trusted_keys: Public keys in base64; without any, every key is accepted.
        known_heads: Heads of this log that were kept elsewhere, each of which it must still contain.
        is_live: A writer is at work, so that an unfinished last line is no finding.
    """
    findings: list[LogFinding] = []
    if head is None:
        findings.append(
            LogFinding(kind=FindingKind.HEAD_MISSING, file=HEAD_NAME, expected="a signed head", found="no file")
        )
    heads = [
        (file.name, _check_head(file, trusted_keys, findings)) for file in ([head] if head else []) + [*known_heads]
    ]
    walk = LogWalk([(name, checked) for name, checked in heads if checked is not None], findings)
    walk.walk_segments(segments, is_live=is_live)
    return walk.report(heads[0][1] if head else None, segments=len(segments))


def _check_head(file: HeadFile, trusted_keys: frozenset[str], findings: list[LogFinding]) -> Head | None:
    """The head in this file, with what is wrong with its key or signature added to the findings."""
    head = read_head(file.raw)
    if head is None:
        findings.append(
            LogFinding(
                kind=FindingKind.HEAD_UNREADABLE,
                file=file.name,
                expected="a head",
                found=f"{len(file.raw)} other bytes",
            )
        )
        return None
    if not is_signed(head):
        expected, found = f"a signature by {head.public_key}", "one that does not verify"
        findings.append(
            LogFinding(kind=FindingKind.BAD_SIGNATURE, file=file.name, seq=head.seq, expected=expected, found=found)
        )
    if trusted_keys and head.public_key not in trusted_keys:
        expected = f"a trusted key, {' or '.join(sorted(trusted_keys))}"
        findings.append(
            LogFinding(
                kind=FindingKind.UNTRUSTED_KEY, file=file.name, seq=head.seq, expected=expected, found=head.public_key
            )
        )
    return head


class LogWalk:
    """The place in the chain where a walk stands: what the next record must be, and what was seen so far."""

    def __init__(self, heads: Sequence[tuple[str, Head]], findings: list[LogFinding]) -> None:
        self._heads = heads
        self._findings = findings
        self._omitted = 0
        self._chain_id = heads[0][1].chain_id if heads else None
        self._next_seq = 1
        self._prev_hash: str | None = GENESIS  # None after a record whose hash can't be known
        self._unreadable = 0  # lines in a row that could stand for a record each
        self._gaps = Gaps()
        self._last_out_of_order: int | None = None
        self._foreign: str | None = None
        self._file = HEAD_NAME
        self._line = 0
        self._records = 0
        self._last_seq = 0
        self._recovered: list[RecoveredRecord] = []

    def walk_segments(self, segments: Sequence[SegmentLines], *, is_live: bool) -> None:
        expected_number = 1
        for segment in segments:
            number = segment_number(segment.name) or expected_number
            if number != expected_number:
                missing = segment_name(expected_number)
                self._add(FindingKind.MISSING_SEGMENT, file=missing, expected="this segment", found=segment.name)
            expected_number = number + 1
            self._file, self._line = segment.name, 0
            for line in segment.lines:
                self._line += 1
                if line.endswith(b"\n"):
                    self._take(line[:-1])
                elif not (is_live and segment is segments[-1]):
                    self._add(
                        FindingKind.TORN_LINE,
                        line=self._line,
                        seq=self._next_seq,
                        expected="a whole line",
                        found=f"{len(line)} bytes without an end",
                    )

    def report(self, head: Head | None, *, segments: int) -> LogReport:
        self._check_ends()
        for gap in self._gaps.missing():
            self._add(
                FindingKind.DELETED,
                file=gap.file,
                line=gap.line,
                seq=gap.first,
                expected=gap.described,
                found=f"record {gap.last + 1}",
            )
        return LogReport(
            chain_id=self._chain_id,
            head=head,
            segments=segments,
            records=self._records,
            last_seq=self._last_seq,
            recovered=tuple(self._recovered),
            findings=tuple(self._findings),
            omitted=self._omitted,
        )

    def _take(self, line: bytes) -> None:
        self._records += 1
        link = read_link(line)
        if link is None or not is_intact(line, link):
            self._take_damaged(link)
        elif self._is_foreign(link):
            pass
        elif link.seq < self._next_seq - self._unreadable:
            self._take_out_of_order(link)
        else:
            self._take_next(line, link)

    def _take_damaged(self, link: Link | None) -> None:
        """Report a line whose bytes are not those that were hashed; it stands for the record expected here."""
        found = "a line that is no record" if link is None else "other content than was hashed"
        seq = self._next_seq if link is None else link.seq
        self._add(
            FindingKind.EDITED, line=self._line, seq=seq, expected=f"record {self._next_seq} as written", found=found
        )
        self._unreadable += 1
        self._next_seq += 1
        self._prev_hash = None

    def _is_foreign(self, link: Link) -> bool:
        """Report the first record of a run that belongs to another chain."""
        if self._chain_id is None:
            self._chain_id = link.chain_id
        if link.chain_id == self._chain_id:
            self._foreign = None
            return False
        if link.chain_id != self._foreign:
            self._foreign = link.chain_id
            self._add(
                FindingKind.FOREIGN_CHAIN,
                line=self._line,
                seq=link.seq,
                expected=f"chain {self._chain_id}",
                found=f"record {link.seq} of chain {link.chain_id}",
            )
        return True

    def _take_out_of_order(self, link: Link) -> None:
        """Report the first record of a run that stands after one with a higher number."""
        self._gaps.fill(link.seq)
        if self._last_out_of_order is None or link.seq != self._last_out_of_order + 1:
            self._add(
                FindingKind.REORDERED,
                line=self._line,
                seq=link.seq,
                expected=f"record {self._next_seq}",
                found=f"record {link.seq}",
            )
        self._last_out_of_order = link.seq
        self._check_heads(link)

    def _take_next(self, line: bytes, link: Link) -> None:
        if link.seq > self._next_seq:
            self._gaps.open(file=self._file, line=self._line, first=self._next_seq, last=link.seq - 1)
        elif self._prev_hash is not None and link.prev_hash != self._prev_hash:
            self._add(
                FindingKind.SPLICED,
                line=self._line,
                seq=link.seq,
                expected=f"prev_hash {self._prev_hash}",
                found=link.prev_hash,
            )
        self._unreadable = 0
        self._last_out_of_order = None
        self._next_seq = link.seq + 1
        self._prev_hash = link.hash
        self._last_seq = link.seq
        self._check_heads(link)
        if link.kind == "recovered":
            self._take_recovered(line)

    def _take_recovered(self, line: bytes) -> None:
        try:
            self._recovered.append(msgspec.json.decode(line, type=RecoveredRecord))
        except msgspec.DecodeError as error:
            self._add(
                FindingKind.EDITED, line=self._line, seq=self._last_seq, expected="a recovered record", found=str(error)
            )

    def _check_heads(self, link: Link) -> None:
        """Report a record that is not the one that was signed for."""
        for name, head in self._heads:
            if head.seq == link.seq and head.chain_id == self._chain_id and head.hash != link.hash:
                self._add(
                    FindingKind.REWRITTEN,
                    line=self._line,
                    seq=link.seq,
                    expected=f"hash {head.hash} as {name} says",
                    found=link.hash,
                )

    def _check_ends(self) -> None:
        """Report every head that the log does not reach, or that speaks of another chain."""
        for name, head in self._heads:
            if head.chain_id != self._chain_id:
                expected = f"chain {self._chain_id}"
                self._add(FindingKind.FOREIGN_CHAIN, file=name, seq=head.seq, expected=expected, found=head.chain_id)
            elif self._next_seq - 1 < head.seq:
                self._add(
                    FindingKind.TRUNCATED,
                    line=self._line,
                    seq=head.seq,
                    expected=f"records up to {head.seq} as {name} says",
                    found=f"an end after {self._next_seq - 1}",
                )

    def _add(
        self,
        kind: FindingKind,
        *,
        expected: str,
        found: str,
        file: str | None = None,
        line: int | None = None,
        seq: int | None = None,
    ) -> None:
        if len(self._findings) >= MAX_FINDINGS:
            self._omitted += 1
            return
        self._findings.append(
            LogFinding(kind=kind, file=file or self._file, line=line, seq=seq, expected=expected, found=found)
        )
