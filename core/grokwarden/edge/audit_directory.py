"""An audit directory as a reader finds it: perhaps while its writer is at work, perhaps a copy on another machine."""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grokwarden.audit.layout import HEAD_NAME, LOCK_NAME, segment_name, segment_number
from grokwarden.audit.verify import HeadFile, SegmentLines
from grokwarden.edge.sources import open_file


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDirectory:
    """What there is to verify; segments are read when their lines are asked for.

    Attributes:
        is_live: A writer holds the directory.
    """

    is_live: bool
    head: HeadFile | None
    segments: tuple[SegmentLines, ...]

    @property
    def is_empty(self) -> bool:
        return self.head is None and not self.segments


def read_audit_directory(directory: Path) -> AuditDirectory:
    """Read the head first and the segments after it, so that a log that grows meanwhile is ahead of its head.

    Raises:
        OSError: The directory can't be read.
    """
    is_live = has_writer(directory)
    path = directory / HEAD_NAME
    head = HeadFile(name=HEAD_NAME, raw=_read(path)) if path.exists() else None
    names = [segment_name(number) for number in segment_numbers(directory)]
    segments = tuple(SegmentLines(name=name, lines=_Lines(directory / name)) for name in names)
    return AuditDirectory(is_live=is_live, head=head, segments=segments)


def _read(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read()


def has_writer(directory: Path) -> bool:
    """Whether a writer of this machine holds the directory's lock; ``False`` for a copy."""
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def segment_numbers(directory: Path) -> list[int]:
    """The numbers of the segments there, in order."""
    return sorted(n for entry in directory.iterdir() if (n := segment_number(entry.name)) is not None)


class LogTail:
    """The end of a log, and what is added to it, over rotations. Only whole lines are seen."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 1
        self._offset = 0

    def last(self, count: int) -> list[bytes]:
        """The last ``count`` lines; ``added`` goes on from here."""
        lines: deque[bytes] = deque()
        numbers = segment_numbers(self._directory)
        self._number = numbers[-1] if numbers else 1
        for number in reversed(numbers):
            kept: deque[bytes] = deque(maxlen=count - len(lines))
            for line in _Lines(self._directory / segment_name(number)):
                if line.endswith(b"\n"):
                    kept.append(line)
                    self._offset += len(line) if number == self._number else 0
            lines.extendleft(reversed(kept))
            if len(lines) >= count:
                break
        return list(lines)

    def added(self) -> Iterator[bytes]:
        """The lines that were added since the last time."""
        while True:
            # Seen before the read below: once the next segment exists, nothing more comes to this one.
            has_next = (self._directory / segment_name(self._number + 1)).exists()
            yield from self._rest_of_segment()
            if not has_next:
                return
            self._number += 1
            self._offset = 0

    def _rest_of_segment(self) -> Iterator[bytes]:
        path = self._directory / segment_name(self._number)
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield line


@dataclass(frozen=True, slots=True)
class _Lines:
    path: Path

    def __iter__(self) -> Iterator[bytes]:
        with open_file(self.path) as file:
            yield from file
