"""What can go wrong with an audit log; each text says what happens now and what a person can do."""

from grokwarden.errors import GrokwardenError


class AuditError(GrokwardenError):
    """The audit log can't be written, read or trusted."""


class AuditKeyError(AuditError):
    """A key is not an Ed25519 key in a form that is understood."""


class AuditDirectoryBusyError(AuditError):
    """Another writer holds the directory."""

    def __init__(self, directory: str, *, holder: str) -> None:
        super().__init__(
            f"audit directory {directory} is in use by another writer ({holder}); "
            "not started, because two writers would break the chain: give each its own --audit-dir"
        )


class AuditLogDamagedError(AuditError):
    """The log that should be continued is not the one that was signed."""

    def __init__(self, place: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{place}: expected {expected}, found {found}; not started, because records would go to a log that "
            "can't be proven: keep the directory as evidence, run `grokwarden audit verify` on it, "
            "and start with an empty one"
        )


class AuditSegmentChangedError(AuditError):
    """Somebody else moved, cut or wrote the file that is being written."""

    def __init__(self, place: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{place} was changed while it was written: expected {expected}, found {found}; "
            "calls are refused until that very file is back as it was, or the proxy is started again"
        )


class AuditUnavailableError(AuditError):
    """Records could not be put on disk in the time given."""
