"""What the walk leaves behind: whose key went where, and an audit log that can be verified."""

import hashlib
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.expectation import Expectation, Seen
from grokwarden_sidecar.demo.instruments import Series
from grokwarden_sidecar.demo.processes import Child, running
from grokwarden_sidecar.demo.stage import Stage

_DROPPED: Final = Series("grokwarden_audit_dropped_total", {})

GENUINE_LOG: Final = (
    Expectation("records", "one per call"),
    Expectation("metric", "0", about=str(_DROPPED)),
    Expectation("log", "exit 0", about="grokwarden audit verify:"),
)
FORGED_COPY: Final = (Expectation("copy", "exit 1", about="grokwarden audit verify:"),)


def key_left_behind(stage: Stage) -> dict[str, Seen]:
    """Which key the client sent and the provider got, and where else either is found."""
    calls = stage.provider.received()
    owners = {stage.application_key: "the application's own key", stage.provider_key: "the sidecar's key"}
    keys = {call.key for call in calls}
    key = keys.pop() if len(keys) == 1 else ""
    at_provider = ["".join([call.body, *map("".join, call.headers)]) for call in calls]
    written = [
        path.read_text(encoding="utf-8") for path in (stage.sidecar.log, stage.sidecar.output, *stage.audit.segments())
    ]
    told = [*written, stage.admin.metrics(), *stage.admin.config_texts()]
    return {
        "sent": Seen(owners[stage.application.key], _fingerprint(stage.application.key)),
        "received": Seen(owners.get(key, "another key"), _fingerprint(key)),
        "forwarded": _count(stage.application_key, at_provider, "calls that the provider got"),
        "leaked": _count(stage.provider_key, told, "outputs: log, audit, metrics, config, readyz"),
    }


def _fingerprint(key: str) -> str:
    return f"(sha256 {hashlib.sha256(key.encode()).hexdigest()[:12]})"


def _count(key: str, texts: list[str], what: str) -> Seen:
    found = sum(key in text for text in texts)
    return Seen(f"in {found}" if found else "in none", f"of {len(texts)} {what}")


def verified(stage: Stage) -> dict[str, Seen]:
    """What ``grokwarden audit verify`` says of the log, and of a copy in which a refusal looks like a success."""
    copy = stage.folder / "audit-copy"
    shutil.copytree(stage.audit.directory, copy)
    _change_one_byte(copy)
    records = sum(1 for _ in stage.audit.records())
    per_call = (
        "one per call" if records == stage.application.calls else f"{records} for {stage.application.calls} calls"
    )
    return {
        "records": Seen(per_call, f"({records})"),
        "metric": Seen(f"{stage.admin.sample(_DROPPED):g}"),
        **_verify(stage.folder, {"log": stage.audit.directory, "copy": copy}),
    }


def _change_one_byte(directory: Path) -> None:
    segment = min(directory.glob("audit-*.jsonl"))
    data = segment.read_bytes()
    edited = data.replace(b'"status":400', b'"status":200', 1)
    if edited == data:
        raise DemoError("no record of the walk has the status 400 that the demo changes")
    segment.chmod(0o600)
    segment.write_bytes(edited)


def _verify(folder: Path, logs: dict[str, Path]) -> dict[str, Seen]:
    """The verdict on each log; the verifiers run side by side."""
    with ExitStack() as stack:
        verifiers = {
            name: stack.enter_context(running("audit", "verify", str(log), folder=folder, name=f"verify-{name}"))
            for name, log in logs.items()
        }
        return {name: _verdict(verifier, logs[name]) for name, verifier in verifiers.items()}


def _verdict(verifier: Child, log: Path) -> Seen:
    code = verifier.finish()
    said = verifier.output.read_text(encoding="utf-8").splitlines()
    return Seen(f"exit {code}", said[0].removeprefix(f"{log}: ") if said else "")
