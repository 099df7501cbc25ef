"""audit-logger: what the audit log owes its readers. It judges nothing; the sidecar's writer acts on its settings."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from grokwarden.exchange.model import Exchange
from grokwarden.policies.base import Finding, Policy
from grokwarden.vocabulary import Need, Phase


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As ``auditLogger``."""

    immutable: bool = False
    retention_days: int | None = None
    log_all_access: bool = True
    content_capture: str = "None"


class AuditLoggerStep:
    """Carries its settings to the writer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def judge(self, call: Exchange) -> Iterable[Finding]:  # noqa: ARG002 - the protocol's
        return ()


def _build(settings: Mapping[str, Any]) -> AuditLoggerStep:
    return AuditLoggerStep(msgspec.convert(settings, Settings))


POLICY: Final = Policy(
    name="audit-logger",
    summary="Says how long and how strictly the audit log is kept; every call is recorded with or without it.",
    actions=(),
    sees=dict.fromkeys(Phase, Need.CALL),
    build=_build,
)
