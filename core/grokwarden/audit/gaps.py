"""Sequence numbers that a walk has passed over: a record found later was moved, one never found was deleted."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRecords:
    """Records ``first`` to ``last`` should stand before ``line`` of ``file``."""

    file: str
    line: int
    first: int
    last: int
    count: int

    @property
    def described(self) -> str:
        if self.first == self.last:
            return f"record {self.first}"
        return f"records {self.first} to {self.last} ({self.count} of them missing)"


class Gaps:
    """The gaps of one walk, in the order in which they were met."""

    def __init__(self) -> None:
        self._gaps: list[tuple[MissingRecords, set[int]]] = []

    def open(self, *, file: str, line: int, first: int, last: int) -> None:
        """Records ``first`` to ``last`` were passed over."""
        gap = MissingRecords(file=file, line=line, first=first, last=last, count=last - first + 1)
        self._gaps.append((gap, set()))

    def fill(self, seq: int) -> None:
        """The record was found after all, at another place."""
        for gap, found in self._gaps:
            if gap.first <= seq <= gap.last:
                found.add(seq)

    def missing(self) -> Iterator[MissingRecords]:
        """What was never found."""
        for gap, found in self._gaps:
            if len(found) < gap.count:
                yield MissingRecords(
                    file=gap.file, line=gap.line, first=gap.first, last=gap.last, count=gap.count - len(found)
                )
