"""What a walk through a log reports: typed, so that a person, a script and a test read the same facts."""

from dataclasses import dataclass
from enum import StrEnum

from grokwarden.audit.head import Head
from grokwarden.audit.record import RecoveredRecord


class FindingKind(StrEnum):
    """What is wrong with a log."""

    EDITED = "Edited"
    DELETED = "Deleted"
    REORDERED = "Reordered"
    REWRITTEN = "Rewritten"
    SPLICED = "Spliced"
    FOREIGN_CHAIN = "ForeignChain"
    MISSING_SEGMENT = "MissingSegment"
    TRUNCATED = "Truncated"
    TORN_LINE = "TornLine"
    HEAD_MISSING = "HeadMissing"
    HEAD_UNREADABLE = "HeadUnreadable"
    BAD_SIGNATURE = "BadSignature"
    UNTRUSTED_KEY = "UntrustedKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFinding:
    """One thing that is not as the writer left it.

    Attributes:
        line: One-based, in ``file``.
        seq: Of the record meant, as far as it is known.
    """

    kind: FindingKind
    file: str
    line: int | None = None
    seq: int | None = None
    expected: str
    found: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.kind}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """The outcome of a walk.

    Attributes:
        head: The log's own head, if one could be read.
        last_seq: The highest ``seq`` seen; 0 in a log without records.
        recovered: Crashes that the writer mended; no findings.
        omitted: How many more findings there were than are listed.
    """

    chain_id: str | None
    head: Head | None
    segments: int
    records: int
    last_seq: int
    recovered: tuple[RecoveredRecord, ...]
    findings: tuple[LogFinding, ...]
    omitted: int

    @property
    def is_clean(self) -> bool:
        return not self.findings

    @property
    def unsigned_records(self) -> int:
        """How many records at the end no signature covers yet: a live or a crashed writer leaves some."""
        return max(0, self.last_seq - self.head.seq) if self.head else self.records
