"""What a sidecar is started with. The only module that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from grokwarden.errors import GrokwardenError

DEFAULT_LISTEN: Final = "127.0.0.1:41002"
DEFAULT_ADMIN: Final = "127.0.0.1:41003"
ROOT_NAMESPACE: Final = "grokwarden-system"
MAX_BODY_BYTES: Final = 20 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
DRAIN_SECONDS: Final = 30.0


class SettingsError(GrokwardenError):
    """A flag or variable can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, flag: str) -> "Address":
        """``HOST:PORT``, with an IPv6 host in brackets.

        Raises:
            SettingsError: It is something else.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"{flag}: {text!r} is not an address; expected HOST:PORT, such as {DEFAULT_LISTEN}")
        return cls(host=host.strip("[]"), port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def default_audit_dir() -> Path:
    """Where a standalone proxy keeps its audit log if nobody says otherwise: in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "grokwarden" / "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """A standalone proxy's settings.

    Attributes:
        pod_labels: What selectors are matched against; ``None`` applies every pack.
        environ: Where ``secretKeyRef.env`` looks; never shown.
        drain_seconds: How long calls in flight may go on after SIGTERM.
    """

    config: tuple[str, ...]
    listen: Address
    admin: Address
    audit_dir: Path
    namespace: str | None = None
    root_namespace: str = ROOT_NAMESPACE
    pod_labels: Mapping[str, str] | None = None
    pod: str = ""
    service_account: str = ""
    max_body_bytes: int = MAX_BODY_BYTES
    max_answer_bytes: int = MAX_ANSWER_BYTES
    drain_seconds: float = DRAIN_SECONDS
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
