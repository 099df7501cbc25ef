"""The names of the files in an audit directory: one writer, one chain, one directory."""

import re
from typing import Final

HEAD_NAME: Final = "head.json"
LOCK_NAME: Final = "audit.lock"
KEY_NAME: Final = "signing-key.pem"

_SEGMENT: Final = re.compile(r"audit-([0-9]{6,})\.jsonl")


def segment_name(number: int) -> str:
    """The file of the ``number``-th segment, counted from 1: ``audit-000001.jsonl``."""
    return f"audit-{number:06d}.jsonl"


def segment_number(name: str) -> int | None:
    """The number of a segment's file, or ``None`` for every other name."""
    match = _SEGMENT.fullmatch(name)
    if match is None or segment_name(int(match[1])) != name:
        return None
    return int(match[1])


def torn_name(segment: str, offset: int) -> str:
    """The file that keeps what a crash left of an unfinished record: ``audit-000001-4711.torn``."""
    return f"{segment.removesuffix('.jsonl')}-{offset}.torn"
