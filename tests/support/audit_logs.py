"""Audit logs made by the real writer, and hands that tamper with their files."""

import json
import time
from pathlib import Path
from typing import Any

from grokwarden.audit.findings import FindingKind, LogReport
from grokwarden.audit.record import AuditRecord, StepRecord, Tokens
from grokwarden.audit.verify import HeadFile, verify_log
from grokwarden.edge.audit_directory import read_audit_directory
from grokwarden_sidecar.audit.writer import AuditWriter


def call_record(number: int = 1, **changes: Any) -> AuditRecord:
    """The record of a governed call, told apart by ``decision_id``."""
    fields: dict[str, Any] = {
        "time": "2026-11-22T03:00:00.000000Z",
        "decision_id": f"decision-{number}",
        "request_id": f"request-{number}",
        "namespace": "shop",
        "pod": "support-bot-7f9",
        "service_account": "support-bot",
        "bundle": "sha256:" + "ab" * 32,
        "endpoint": "ChatCompletions",
        "stream": False,
        "model_requested": "grok-4.3",
        "model_sent": "grok-4.3",
        "model_served": "grok-4.3",
        "provider": "xai",
        "target": "xai-grok",
        "action": "Allow",
        "would_action": "Block",
        "steps": [
            StepRecord(
                pack="shop/xai-gateway",
                step="injection",
                policy="prompt-injection",
                phase="Request",
                mode="Shadow",
                action="Block",
                rule="ignore-previous",
                score=0.93,
                scanned=2048,
                took_us=12,
            )
        ],
        "tokens": Tokens(prompt=10, completion=20, total=30),
        "cost_usd_ticks": 12_345,
        "status": 200,
        "duration_ms": 812.345,
        "overhead_us": 231,
    }
    return AuditRecord(**(fields | changes))


def open_writer(directory: Path, **options: Any) -> AuditWriter:
    """A writer that does not make tests wait."""
    return AuditWriter(
        directory, **({"clock": time.time, "batch_seconds": 0.001, "retry_seconds": (0.01, 0.05)} | options)
    )


async def write_log(directory: Path, count: int, **options: Any) -> str:
    """Write ``count`` records and close; returns the public key."""
    writer = open_writer(directory, **options)
    for number in range(1, count + 1):
        assert writer.append(call_record(number))
    await writer.close()
    return writer.public_key


def verify_directory(directory: Path, *, known_heads: tuple[bytes, ...] = (), **options: Any) -> LogReport:
    """What a verifier finds in the directory."""
    log = read_audit_directory(directory)
    heads = [HeadFile(name="kept.json", raw=raw) for raw in known_heads]
    return verify_log(log.segments, log.head, known_heads=heads, **({"is_live": log.is_live} | options))


def kinds(report: LogReport) -> list[FindingKind]:
    return [finding.kind for finding in report.findings]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("audit-*.jsonl"))


def lines_of(directory: Path) -> list[bytes]:
    """All lines of the log, over its segments."""
    return [line for path in segments(directory) for line in path.read_bytes().splitlines(keepends=True)]


def records_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(directory)]


def rewrite(path: Path, lines: list[bytes]) -> None:
    """Replace a file, sealed or not, as an attacker with the owner's rights would."""
    path.chmod(0o600)
    path.write_bytes(b"".join(lines))
