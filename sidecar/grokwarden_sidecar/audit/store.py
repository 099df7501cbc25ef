"""An audit directory under one writer: segments, the signed head, and what a crash left.

Everything here blocks and belongs to one thread. Lines that are not known to be on disk are kept in memory; after an
error the segment is cut back to what was synced and they are written again, because what a failed ``fdatasync`` left
on disk can't be known. The head is written after the records it covers.
"""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grokwarden.audit.chain import GENESIS, read_link, rfc3339, seal_record
from grokwarden.audit.errors import AuditLogDamagedError
from grokwarden.audit.head import Head, encode_head, is_signed, public_key_text, read_head, sign_head
from grokwarden.audit.layout import HEAD_NAME, KEY_NAME, segment_name, segment_number
from grokwarden.audit.record import AuditRecord, RecoveredRecord
from grokwarden.audit.recovery import ResumePoint, Tip, find_resume_point
from grokwarden_sidecar.audit.files import (
    FILE_MODE,
    lock_directory,
    read_or_make_key,
    set_torn_tail_aside,
    sync_directory,
    write_durably,
)
from grokwarden_sidecar.audit.segment import OpenSegment, is_sealed

_WRITE_BYTES: Final = 64 * 1024
_TAIL_BYTES: Final = 1024 * 1024


class AuditStore:
    """The open log of one directory, locked, continued where it ended."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float],
        new_chain_id: Callable[[], str],
        segment_bytes: int,
        signing_key: Ed25519PrivateKey | None,
    ) -> None:
        """Lock the directory and make it ready for the next record.

        Raises:
            AuditDirectoryBusyError: Another writer has it.
            AuditLogDamagedError: The log in it lacks what its head covers, or the head is not ours.
            AuditKeyError: The key file holds no Ed25519 key.
            OSError: The directory can't be read or written.
        """
        self._directory = directory
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._unsynced: list[tuple[bytes, Tip]] = []
        self._written = 0  # how many of these are written, though not synced
        self._segment: OpenSegment | None = None
        self._number = 1
        self._tip = self.synced = Tip(seq=0, hash=GENESIS)
        self.head_seq = 0
        self.appended_bytes = 0
        self._lock = lock_directory(directory)
        try:
            self._key = signing_key or read_or_make_key(directory / KEY_NAME)
            self.public_key = public_key_text(self._key.public_key())
            self._open(new_chain_id)
        except BaseException:
            self.close()
            raise

    def link(self, record: AuditRecord | RecoveredRecord) -> None:
        """Chain the record; it is in memory until ``write`` and ``sync``."""
        seq = self._tip.seq + 1
        line = seal_record(record, chain_id=self.chain_id, seq=seq, prev_hash=self._tip.hash)
        self._tip = Tip(seq=seq, hash=record.hash)
        self._unsynced.append((line, self._tip))

    def write(self) -> None:
        """Write what is linked, over as many segments as it takes. After an error call again: nothing is lost."""
        segment = self._segment or self._open_segment()
        if segment.is_dirty:
            segment.cut(segment.synced_bytes)
            self._written = 0
        elif not self._written:
            segment.check()
        while self._written < len(self._unsynced):
            chunk, count = self._next_chunk(segment.size_bytes)
            if count:
                segment.append(chunk)
                self.appended_bytes += len(chunk)
                self._written += count
            else:
                segment = self._rotate(segment)

    def sync(self) -> None:
        """Everything written is on disk, whatever happens to this machine's power."""
        if not self._written or self._segment is None:
            return
        self._segment.sync()
        self.synced = self._unsynced[self._written - 1][1]
        del self._unsynced[: self._written]
        self._written = 0

    def write_head(self) -> None:
        """Sign how far the log is on disk.

        Raises:
            AuditSegmentChangedError: The directory is gone.
            OSError: It can't be written to.
        """
        head = sign_head(
            self._key,
            chain_id=self.chain_id,
            seq=self.synced.seq,
            last_hash=self.synced.hash,
            time=rfc3339(self._clock()),
        )
        try:
            write_durably(self._directory / HEAD_NAME, encode_head(head), mode=FILE_MODE)
        except FileNotFoundError:
            if self._segment is not None:
                self._segment.check()  # says what is gone, and what helps
            raise
        self.head_seq = head.seq

    @property
    def pending_records(self) -> int:
        """Linked, and not yet on disk."""
        return len(self._unsynced)

    def close(self) -> None:
        """Release the directory; what was not synced is left to the next start."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        os.close(self._lock)

    # How a log is begun or continued.

    def _open(self, new_chain_id: Callable[[], str]) -> None:
        numbers = sorted(n for entry in self._directory.iterdir() if (n := segment_number(entry.name)) is not None)
        head = self._read_own_head(has_segments=bool(numbers))
        self.chain_id = head.chain_id if head else new_chain_id()
        if head is None:
            self.write_head()
            sync_directory(self._directory)
        elif numbers:
            self.head_seq = head.seq
            self._number = numbers[-1]
            self._resume(head)
        elif head.seq:
            raise AuditLogDamagedError(str(self._directory), expected=f"records up to {head.seq}", found="no segment")
        if self._segment is None:
            self._open_segment()

    def _read_own_head(self, *, has_segments: bool) -> Head | None:
        path = self._directory / HEAD_NAME
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            if has_segments:
                raise AuditLogDamagedError(str(path), expected="the signed head of the log", found="no file") from None
            return None
        head = read_head(raw)
        if head is None or not is_signed(head):
            raise AuditLogDamagedError(str(path), expected="a signed head", found="one that does not verify")
        if head.public_key != self.public_key:
            raise AuditLogDamagedError(str(path), expected=f"our key {self.public_key}", found=head.public_key)
        return head

    def _resume(self, head: Head) -> None:
        """Continue the last segment after its last whole record, or begin the next one if it was sealed."""
        path = self._directory / segment_name(self._number)
        starts_at_head = self._covers_all_before(head)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sealed = is_sealed(file.fileno())
            if size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                    point = find_resume_point(view, head, starts_at_head=starts_at_head)
            else:
                point = find_resume_point(b"", head, starts_at_head=starts_at_head)
        if point is None or (sealed and point.offset < size):
            raise AuditLogDamagedError(str(path), expected=f"whole records up to {head.seq}", found=f"{size} bytes")
        self._tip = self.synced = point.tip
        if sealed:
            self._number += 1
        else:
            self._mend_tail(self._open_segment(expected_bytes=size), point)

    def _covers_all_before(self, head: Head) -> bool:
        if self._number == 1:
            return head.seq == 0
        try:
            with (self._directory / segment_name(self._number - 1)).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                last_line = file.read().removesuffix(b"\n").rpartition(b"\n")[2]
        except FileNotFoundError:
            return False
        link = read_link(last_line)
        return link is not None and link.hash == head.hash

    def _mend_tail(self, segment: OpenSegment, point: ResumePoint) -> None:
        """Keep a torn tail aside, cut it off, and say so in the chain."""
        path = self._directory / segment_name(self._number)
        torn = set_torn_tail_aside(path, offset=point.offset, size=segment.size_bytes)
        if torn is None:
            return
        segment.cut(point.offset)
        self.link(
            RecoveredRecord(
                time=rfc3339(self._clock()),
                segment=path.name,
                offset=point.offset,
                lost_bytes=torn.size_bytes,
                lost_sha256=torn.sha256,
                kept_in=torn.name,
            )
        )
        self.write()
        self.sync()
        self.write_head()

    # How segments follow one another.

    def _open_segment(self, *, expected_bytes: int = 0) -> OpenSegment:
        path = self._directory / segment_name(self._number)
        self._segment = OpenSegment(path, expected_bytes=expected_bytes)
        return self._segment

    def _next_chunk(self, segment_size: int) -> tuple[bytes, int]:
        """The next lines to write at once, and how many: none when the segment is full."""
        lines: list[bytes] = []
        chunk_size = 0
        for line, _ in self._unsynced[self._written :]:
            size = segment_size + chunk_size
            if chunk_size >= _WRITE_BYTES or (size and size + len(line) > self._segment_bytes):
                break
            lines.append(line)
            chunk_size += len(line)
        return b"".join(lines), len(lines)

    def _rotate(self, full: OpenSegment) -> OpenSegment:
        """Seal the full segment under a head that covers it, and begin the next one."""
        self.sync()
        self.write_head()
        self._segment = None
        self._number += 1
        full.seal()
        return self._open_segment()
