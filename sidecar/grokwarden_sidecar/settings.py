"""What a sidecar is started with. The only module that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from grokwarden.errors import GrokwardenError
from grokwarden_sidecar.logs import LogFormat, LogLevel

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


class LaunchOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``grokwarden run`` was told, as it tells the process that serves. Nothing in it is secret."""

    config: tuple[str, ...]
    listen: str
    admin: str
    audit_dir: str
    namespace: str | None
    root_namespace: str
    pod_labels: dict[str, str] | None
    max_body_bytes: int
    drain_seconds: float
    log_format: LogFormat
    log_level: LogLevel

    def encode(self) -> str:
        """For a command line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> "LaunchOptions":
        """What ``encode`` gave."""
        return msgspec.json.decode(text, type=cls)

    def settings(self) -> RunSettings:
        """The same, checked and complete.

        Raises:
            SettingsError: An address is none.
        """
        return RunSettings(
            config=self.config,
            listen=Address.parse(self.listen, flag="--listen"),
            admin=Address.parse(self.admin, flag="--admin"),
            audit_dir=Path(self.audit_dir),
            namespace=self.namespace,
            root_namespace=self.root_namespace,
            pod_labels=self.pod_labels,
            max_body_bytes=self.max_body_bytes,
            drain_seconds=self.drain_seconds,
        )
