"""Records become lines of a hash chain that anyone can recompute with a standard library.

A line is the canonical JSON of its record: keys sorted, no white space, UTF-8, the bytes of
``json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)``. ``hash`` is the SHA-256, in
lower-case hexadecimal, of the same bytes without the key ``hash``; ``prev_hash`` is the ``hash`` of the record before,
and 64 zeros for the first, whose ``seq`` is 1. Nothing here reads a file or a clock.
"""

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Final

import msgspec

from grokwarden.audit.record import AuditRecord, RecoveredRecord

GENESIS: Final = "0" * 64

_EMPTY_HASH: Final = b'"hash":"",'  # no text can look like this: inside one, a quotation mark has a backslash before it
# Between these, msgspec and the standard library write a float with the same digits.
_SMALLEST_PLAIN: Final = 1e-4
_LARGEST_PLAIN: Final = 1e15

_sorted_encoder: Final = msgspec.json.Encoder(order="sorted")


class Link(msgspec.Struct, kw_only=True, gc=False):
    """What chains a line to its neighbours; ``kind`` is absent on a call."""

    chain_id: str
    seq: int
    prev_hash: str
    hash: str
    kind: str | None = None


_link_decoder: Final = msgspec.json.Decoder(Link)


def seal_record(record: AuditRecord | RecoveredRecord, *, chain_id: str, seq: int, prev_hash: str) -> bytes:
    """Put the record at its place in the chain, hash included, and return its line with the newline.

    Never fails on what a record may hold: NaN and infinity become null, a lone surrogate becomes U+FFFD.
    """
    record.chain_id = chain_id
    record.seq = seq
    record.prev_hash = prev_hash
    record.hash = ""
    if isinstance(record, AuditRecord) and not _is_plain(record):
        return _seal_slowly(record)
    try:
        encoded = _sorted_encoder.encode(record)
    except UnicodeEncodeError:
        return _seal_slowly(record)
    cut = encoded.index(_EMPTY_HASH)
    rest = encoded[cut + len(_EMPTY_HASH) :]
    start = encoded[:cut]
    digest = hashlib.sha256(start + rest).hexdigest()
    record.hash = digest
    return b'%b"hash":"%b",%b\n' % (start, digest.encode(), rest)


def canonical_json(value: object) -> bytes:
    """The canonical JSON of a struct or of plain data."""
    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_type_name)
    return json.dumps(
        _portable(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_link(line: bytes) -> Link | None:
    """The chain fields of a line, or ``None`` when it is no record."""
    try:
        return _link_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_intact(line: bytes, link: Link) -> bool:
    """Whether the line, without its newline, is what its own hash was computed over."""
    before, _, after = line.partition(b'"hash":"%s",' % link.hash.encode())
    return hashlib.sha256(before + after).hexdigest() == link.hash


def rfc3339(seconds: float) -> str:
    """Unix seconds as ``2026-11-22T03:00:00.000000Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _is_plain(record: AuditRecord) -> bool:
    """Whether the fast encoder is known to give canonical bytes."""
    if record.content is not None or not _is_plain_number(record.duration_ms):
        return False
    for step in record.steps:  # noqa: SIM110 - a generator costs 0.6 us more on every call
        if not _is_plain_number(step.score):
            return False
    return True


def _is_plain_number(number: float | None) -> bool:
    return not number or _SMALLEST_PLAIN <= number <= _LARGEST_PLAIN


def _seal_slowly(record: AuditRecord | RecoveredRecord) -> bytes:
    fields = msgspec.to_builtins(record, str_keys=True, enc_hook=_type_name)
    del fields["hash"]
    fields["hash"] = record.hash = hashlib.sha256(canonical_json(fields)).hexdigest()
    return canonical_json(fields) + b"\n"


def _portable(value: object) -> object:
    """The value with what JSON can't say replaced, so that no record is lost for a detail."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if value.isascii() else value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        case dict():
            return {_portable(key): _portable(item) for key, item in value.items()}
        case list():
            return [_portable(item) for item in value]
        case _:
            return value


def _type_name(value: object) -> str:
    return f"<{type(value).__name__}>"
