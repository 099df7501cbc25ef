"""``grokwarden audit``: whether a log is as its writer left it, and what it says."""

import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, NoReturn

import msgspec
import typer

from grokwarden.audit.chain import read_link
from grokwarden.audit.errors import AuditError, AuditKeyError
from grokwarden.audit.findings import FindingKind, LogReport
from grokwarden.audit.head import parse_public_key, public_key_text
from grokwarden.audit.record import AuditRecord, RecoveredRecord
from grokwarden.audit.verify import HeadFile, verify_log
from grokwarden.edge.audit_directory import LogTail, read_audit_directory, segment_numbers
from grokwarden.edge.output import Exit, Output, OutputOption, fail, print_json, print_line
from grokwarden.edge.sources import open_file

_POLL_SECONDS: Final = 0.2
_WIDTHS: Final = (27, 20, 32, 24, 6, 10)

app = typer.Typer(help="Verify and read audit logs.", no_args_is_help=True, add_completion=False)

DirectoryArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The directory that --audit-dir named.")]


class FindingDocument(msgspec.Struct, kw_only=True):
    """A finding as ``--output json`` shows it."""

    kind: str
    file: str
    line: int | None
    seq: int | None
    expected: str
    found: str


class VerifyDocument(msgspec.Struct, kw_only=True):
    """The result of ``audit verify --output json``."""

    directory: str
    is_clean: bool
    is_live: bool
    is_key_pinned: bool
    chain_id: str | None
    public_key: str | None
    segments: int
    records: int
    last_seq: int
    head_seq: int | None
    unsigned_records: int
    recovered: tuple[RecoveredRecord, ...]
    findings: list[FindingDocument]
    omitted: int


class ErrorDocument(msgspec.Struct, kw_only=True):
    """What ``audit verify --output json`` shows when nothing could be verified."""

    directory: str
    error: str


@app.command()
def verify(
    directory: DirectoryArgument,
    *,
    trusted_key: Annotated[
        list[str] | None,
        typer.Option(help="A public key that may have signed: hex, base64, or a file with PEM or one key per line."),
    ] = None,
    known_head: Annotated[
        list[Path] | None,
        typer.Option(help="A head.json kept elsewhere: the log must still hold what it covers."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Find edits, deletions, reorderings, truncations and splices in an audit log.

    Exit codes: 0 nothing found, 1 findings, 2 there is no log that can be read.
    """
    try:
        keys = frozenset(key for text in trusted_key or () for key in _trusted_keys(text))
        known_heads = [HeadFile(name=str(path), raw=_read(path)) for path in known_head or ()]
        log = read_audit_directory(directory)
        if log.is_empty:
            message = f"{directory}: there is no audit log here; expected head.json and audit-000001.jsonl"
            _fail(directory, message, output)
        report = verify_log(log.segments, log.head, trusted_keys=keys, known_heads=known_heads, is_live=log.is_live)
    except OSError as error:
        _fail(directory, f"{error.filename or directory}: {error.strerror}; nothing verified", output)
    except AuditError as error:
        _fail(directory, str(error), output)
    if output is Output.JSON:
        print_json(_document(directory, report, is_live=log.is_live, is_key_pinned=bool(keys)))
    else:
        _print_report(directory, report, is_key_pinned=bool(keys))
    if not report.is_clean:
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def tail(
    directory: DirectoryArgument,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")] = False,
    count: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many records to begin with.")] = 10,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the last records of an audit log; nothing is verified."""
    try:
        if not follow and not segment_numbers(directory):
            fail(f"{directory}: there is no audit log here; expected audit-000001.jsonl")
        log = LogTail(directory)
        if output is Output.TEXT:
            print_line(_row("TIME", "ACTION", "STEP/RULE", "MODEL", "STATUS", "DURATION"), style="bold")
        _print_lines(log.last(count), output)
        pause = threading.Event()
        while follow:
            pause.wait(_POLL_SECONDS)
            _print_lines(log.added(), output)
    except OSError as error:
        fail(f"{error.filename or directory}: {error.strerror}")
    except KeyboardInterrupt:
        return


def _fail(directory: Path, message: str, output: Output) -> NoReturn:
    """Nothing was verified: a script that reads JSON gets some, and a person the sentence."""
    if output is Output.JSON:
        print_json(ErrorDocument(directory=str(directory), error=message))
    fail(message)


def _read(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read()


def _trusted_keys(text: str) -> list[str]:
    """The keys that the option names, in base64: itself, or what the file of that name holds."""
    path = Path(text)
    try:
        is_file = path.is_file()
        content = path.read_text(encoding="utf-8").strip() if is_file else text
    except (OSError, UnicodeDecodeError) as error:
        raise AuditKeyError(f"{text}: the trusted key can't be read: {error}") from error
    if content.startswith("-----BEGIN"):
        return [public_key_text(parse_public_key(content))]
    keys = [line.strip() for line in content.splitlines() if line.strip() and not line.startswith("#")]
    if not keys:
        raise AuditKeyError(f"{text}: expected a public key, found an empty file")
    return [public_key_text(parse_public_key(key)) for key in keys]


def _document(directory: Path, report: LogReport, *, is_live: bool, is_key_pinned: bool) -> VerifyDocument:
    return VerifyDocument(
        directory=str(directory),
        is_clean=report.is_clean,
        is_live=is_live,
        is_key_pinned=is_key_pinned,
        chain_id=report.chain_id,
        public_key=report.head.public_key if report.head else None,
        segments=report.segments,
        records=report.records,
        last_seq=report.last_seq,
        head_seq=report.head.seq if report.head else None,
        unsigned_records=report.unsigned_records,
        recovered=report.recovered,
        findings=[
            FindingDocument(
                kind=finding.kind,
                file=finding.file,
                line=finding.line,
                seq=finding.seq,
                expected=finding.expected,
                found=finding.found,
            )
            for finding in report.findings
        ],
        omitted=report.omitted,
    )


def _print_report(directory: Path, report: LogReport, *, is_key_pinned: bool) -> None:
    for finding in report.findings:
        print_line(_printable(str(finding)))
    if report.omitted:
        print_line(f"and {report.omitted} more findings")
    if report.is_clean:
        print_line(f"{directory}: nothing was changed")
    else:
        print_line(f"{directory}: this is not the log as it was written", style="bold red")
    print_line(f"  chain      {_printable(report.chain_id or 'unknown')}")
    files = "segment" if report.segments == 1 else "segments"
    print_line(f"  records    {report.records}, up to {report.last_seq}, in {report.segments} {files}")
    if report.head is not None:
        is_trusted = is_key_pinned and not any(f.kind is FindingKind.UNTRUSTED_KEY for f in report.findings)
        pinned = "trusted" if is_trusted else "not trusted" if is_key_pinned else "not pinned; see --trusted-key"
        print_line(f"  signed     up to {report.head.seq} at {_printable(report.head.time)}")
        print_line(f"  key        {_printable(report.head.public_key)} ({pinned})")
    if report.unsigned_records:
        print_line(f"  unsigned   {report.unsigned_records} at the end: a live or a crashed writer leaves some")
    for crash in report.recovered:
        lost = f"{crash.lost_bytes} bytes of {crash.segment} are in {crash.kept_in}"
        print_line(_printable(f"  recovered  record {crash.seq} at {crash.time}: {lost}"))


def _print_lines(lines: Iterable[bytes], output: Output) -> None:
    for line in lines:
        if output is Output.JSON:
            sys.stdout.write(line.decode("utf-8", "replace"))
        else:
            print_line(_printable(_described(line)))
    sys.stdout.flush()


def _described(line: bytes) -> str:
    """One record as a row."""
    link = read_link(line)
    try:
        if link is not None and link.kind == "recovered":
            crash = msgspec.json.decode(line, type=RecoveredRecord)
            return _row(crash.time, "recovered", f"{crash.lost_bytes} bytes in {crash.kept_in}", "", "", "")
        record = msgspec.json.decode(line, type=AuditRecord)
    except msgspec.DecodeError:
        return f"no record: {line[:80].decode('utf-8', 'replace').strip()}"
    action = record.action
    if record.would_action != record.action:
        action = f"{action} (would {record.would_action})"
    model = record.model_served or record.model_sent or record.model_requested or "-"
    return _row(record.time, action, _deciding_step(record), model, str(record.status), f"{record.duration_ms:.1f} ms")


def _deciding_step(record: AuditRecord) -> str:
    """The first step that decided what the call came to, with its rule."""
    for step in record.steps:
        if step.action == record.would_action != "Allow":
            return f"{step.step}/{step.rule}" if step.rule else step.step
    return "-"


def _row(*cells: str) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _printable(text: str) -> str:
    """The text without what would steer a terminal: model names come from clients."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
