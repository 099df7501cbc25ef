"""The segment that is being written: appended to, synced, cut back after an error, sealed when it is full."""

import os
import stat
from pathlib import Path

from grokwarden.audit.errors import AuditSegmentChangedError
from grokwarden_sidecar.audit.files import FILE_MODE, SEALED_MODE, sync_directory


class OpenSegment:
    """One segment file, open to append.

    Attributes:
        size_bytes: With what is written but not synced.
        synced_bytes: What is known to be on disk.
        is_dirty: A write or a sync failed, so that what the file holds past ``synced_bytes`` can't be known.
    """

    def __init__(self, path: Path, *, expected_bytes: int) -> None:
        """Open the file, or make it if nothing is expected in it.

        Raises:
            AuditSegmentChangedError: It does not hold the bytes that were expected.
            OSError: It can't be opened or made.
        """
        self._path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, FILE_MODE)
        self.size_bytes = self.synced_bytes = expected_bytes
        self.is_dirty = False
        try:
            self.check()
            sync_directory(path.parent)
        except BaseException:
            self.close()
            raise

    def append(self, chunk: bytes) -> None:
        """Write the bytes to the end; not yet synced."""
        self.is_dirty = True
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._fd, view) :]
        self.is_dirty = False
        self.size_bytes += len(chunk)

    def sync(self) -> None:
        """Everything appended is on disk."""
        self.is_dirty = True
        os.fdatasync(self._fd)
        self.is_dirty = False
        self.synced_bytes = self.size_bytes

    def cut(self, size_bytes: int) -> None:
        """Cut the file off here; what came later was kept elsewhere."""
        os.ftruncate(self._fd, size_bytes)
        self.size_bytes = self.synced_bytes = size_bytes
        self.is_dirty = False

    def check(self) -> None:
        """Notice a file that was moved, cut or written by somebody else, before more goes into it.

        Raises:
            AuditSegmentChangedError: It was.
        """
        ours = os.fstat(self._fd)
        try:
            named = self._path.lstat()
        except FileNotFoundError:
            raise AuditSegmentChangedError(str(self._path), expected="the open segment", found="no file") from None
        if (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino):
            raise AuditSegmentChangedError(str(self._path), expected="the open segment", found="another file")
        if ours.st_size != self.size_bytes:
            expected, found = f"{self.size_bytes} bytes", f"{ours.st_size}"
            raise AuditSegmentChangedError(str(self._path), expected=expected, found=found)

    def seal(self) -> None:
        """Finish the segment: it is read-only from now on."""
        os.fchmod(self._fd, SEALED_MODE)
        self.close()

    def close(self) -> None:
        os.close(self._fd)


def is_sealed(fd: int) -> bool:
    """Whether this open file is a finished segment: not even its owner may write."""
    return not os.fstat(fd).st_mode & stat.S_IWUSR
