"""Where a log that was left behind can be continued: pure, over the bytes of its last segment."""

import mmap
from dataclasses import dataclass

from grokwarden.audit.chain import is_intact, read_link
from grokwarden.audit.head import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The last record of a chain: the next one has ``seq + 1`` and this ``hash`` as its ``prev_hash``."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """The log is whole up to ``offset``; what follows is torn."""

    offset: int
    tip: Tip


def find_resume_point(segment: bytes | mmap.mmap, head: Head, *, starts_at_head: bool) -> ResumePoint | None:
    """Find how far the last segment is whole, or ``None`` when it lacks records that the head covers.

    Args:
        segment: The bytes of the last segment.
        head: The signed head, its signature checked.
        starts_at_head: The head covers exactly the segments before this one.
    """
    offset = 0
    if not starts_at_head:
        found = segment.rfind(b',"hash":"%s",' % head.hash.encode())
        line_end = segment.find(b"\n", found) if found >= 0 else -1
        if line_end < 0:
            return None
        offset = line_end + 1
    return _follow_chain(segment, ResumePoint(offset=offset, tip=Tip(seq=head.seq, hash=head.hash)), head.chain_id)


def _follow_chain(segment: bytes | mmap.mmap, start: ResumePoint, chain_id: str) -> ResumePoint:
    """Go on from the head for as long as whole lines follow that belong to the chain."""
    offset, tip = start.offset, start.tip
    while (line_end := segment.find(b"\n", offset)) >= 0:
        line = bytes(segment[offset:line_end])
        link = read_link(line)
        if link is None or link.chain_id != chain_id or link.seq != tip.seq + 1:
            break
        if link.prev_hash != tip.hash or not is_intact(line, link):
            break
        offset, tip = line_end + 1, Tip(seq=link.seq, hash=link.hash)
    return ResumePoint(offset=offset, tip=tip)
