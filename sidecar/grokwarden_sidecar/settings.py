"""What a sidecar is started with. The only module that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from grokwarden.edge.addresses import Address
from grokwarden.edge.logs import LogFormat, LogLevel
from grokwarden.errors import SettingsError

DEFAULT_LISTEN: Final = "127.0.0.1:41002"
DEFAULT_ADMIN: Final = "127.0.0.1:41003"
POD_ADMIN: Final = "0.0.0.0:41003"
OPERATOR: Final = "https://grokwarden-operator.grokwarden-system.svc:9444"
CA_FILE: Final = "/var/run/grokwarden/trust/ca.crt"
TOKEN_FILE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
STATE_DIR: Final = "/var/run/grokwarden/state"
CONFIG_SOCKET: Final = "/var/run/grokwarden/admin/admin.sock"
POD_AUDIT_DIR: Final = "/var/lib/grokwarden/audit"
ROOT_NAMESPACE: Final = "grokwarden-system"
MAX_BODY_BYTES: Final = 20 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
DRAIN_SECONDS: Final = 30.0


def default_audit_dir() -> Path:
    """Where a standalone proxy keeps its audit log if nobody says otherwise: in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "grokwarden" / "audit"


def https_origin(text: str, *, flag: str) -> str:
    """``https://HOST`` or ``https://HOST:PORT``, without a slash at its end.

    Raises:
        SettingsError: It is something else. In clear, the pod's token could be read on its way.
    """
    text = text.rstrip("/")
    try:
        parts = urlsplit(text)
        is_origin = parts.scheme == "https" and parts.hostname is not None and parts.port != 0
    except ValueError:
        is_origin = False
    if not is_origin or text != f"https://{parts.netloc}" or "@" in parts.netloc:
        raise SettingsError(f"{flag}: {text!r} is not the operator's address; expected https://HOST:PORT")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """What every sidecar has to know.

    Attributes:
        drain_seconds: How long calls in flight may go on after SIGTERM.
    """

    listen: Address
    admin: Address
    audit_dir: Path
    max_body_bytes: int = MAX_BODY_BYTES
    max_answer_bytes: int = MAX_ANSWER_BYTES
    drain_seconds: float = DRAIN_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings(ServingSettings):
    """A standalone proxy's settings.

    Attributes:
        pod_labels: What selectors are matched against; ``None`` applies every pack.
        environ: Where ``secretKeyRef.env`` looks; never shown.
    """

    config: tuple[str, ...]
    namespace: str | None = None
    root_namespace: str = ROOT_NAMESPACE
    pod_labels: Mapping[str, str] | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSettings(ServingSettings):
    """A sidecar's settings in a pod.

    Attributes:
        operator: ``https://HOST:PORT``.
        state_dir: Where the last good configuration and its keys are; in memory.
        config_socket: Where ``/config`` and ``/explain`` are, for whoever may enter this container.
    """

    operator: str
    ca_file: Path
    token_file: Path
    state_dir: Path
    config_socket: Path


class RunOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="run"):
    """What ``grokwarden run`` was told. Nothing in it is secret."""

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


class SidecarOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sidecar"):
    """What ``grokwarden sidecar`` was told. Nothing in it is secret."""

    operator: str
    ca_file: str
    token_file: str
    state_dir: str
    config_socket: str
    listen: str
    admin: str
    audit_dir: str
    max_body_bytes: int
    drain_seconds: float
    log_format: LogFormat
    log_level: LogLevel

    def settings(self) -> SidecarSettings:
        """The same, checked and complete.

        Raises:
            SettingsError: An address is none.
        """
        return SidecarSettings(
            operator=https_origin(self.operator, flag="--operator"),
            ca_file=Path(self.ca_file),
            token_file=Path(self.token_file),
            state_dir=Path(self.state_dir),
            config_socket=Path(self.config_socket),
            listen=Address.parse(self.listen, flag="--listen"),
            admin=Address.parse(self.admin, flag="--admin"),
            audit_dir=Path(self.audit_dir),
            max_body_bytes=self.max_body_bytes,
            drain_seconds=self.drain_seconds,
        )


LaunchOptions = RunOptions | SidecarOptions
"""What a command was told, as it tells the process that serves."""


def encode_options(options: LaunchOptions) -> str:
    """For a command line."""
    return msgspec.json.encode(options).decode()


def decode_options(text: str) -> LaunchOptions:
    """What ``encode_options`` gave."""
    options: LaunchOptions = msgspec.json.decode(text, type=LaunchOptions)
    return options
