"""``grokwarden sidecar``: the proxy in a pod, governed by the packs that the operator streams."""

from pathlib import Path
from typing import Annotated

import typer

from grokwarden.edge.logs import LogFormat, LogLevel
from grokwarden_sidecar.commands.serving import give_place
from grokwarden_sidecar.settings import (
    CA_FILE,
    CONFIG_SOCKET,
    DEFAULT_LISTEN,
    DRAIN_SECONDS,
    MAX_BODY_BYTES,
    OPERATOR,
    POD_ADMIN,
    POD_AUDIT_DIR,
    STATE_DIR,
    TOKEN_FILE,
    SidecarOptions,
)


def sidecar(
    *,
    operator: Annotated[str, typer.Option(metavar="URL", help="Where the operator streams configurations.")] = OPERATOR,
    ca_file: Annotated[
        Path, typer.Option(metavar="FILE", help="The authorities that the operator's certificate may be of.")
    ] = Path(CA_FILE),
    token_file: Annotated[
        Path, typer.Option(metavar="FILE", help="The pod's service-account token for the audience grokwarden.")
    ] = Path(TOKEN_FILE),
    state_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the last good configuration and its keys are kept; in memory.")
    ] = Path(STATE_DIR),
    config_socket: Annotated[
        Path, typer.Option(metavar="FILE", help="The Unix socket where /config and /explain are.")
    ] = Path(CONFIG_SOCKET),
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the application calls; port 0 takes a free one.")
    ] = DEFAULT_LISTEN,
    admin: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /metrics, /healthz and /readyz are.")
    ] = POD_ADMIN,
    audit_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where the audit log is.")] = Path(POD_AUDIT_DIR),
    max_body_bytes: Annotated[
        int, typer.Option(min=1024, help="Larger requests are refused with 413.")
    ] = MAX_BODY_BYTES,
    drain_seconds: Annotated[
        float, typer.Option(min=0.0, help="How long calls in flight may go on after SIGTERM.")
    ] = DRAIN_SECONDS,
    log_format: Annotated[LogFormat, typer.Option(help="auto is console on a terminal, else json.")] = LogFormat.AUTO,
    log_level: Annotated[LogLevel, typer.Option(help="debug, info, warning or error.")] = LogLevel.INFO,
) -> None:
    """Run the proxy in a pod, with the packs and keys that the operator streams.

    It starts whether or not the operator can be reached, and is not ready before the first configuration is in force.
    """
    give_place(
        SidecarOptions(
            operator=operator,
            ca_file=str(ca_file),
            token_file=str(token_file),
            state_dir=str(state_dir),
            config_socket=str(config_socket),
            listen=listen,
            admin=admin,
            audit_dir=str(audit_dir),
            max_body_bytes=max_body_bytes,
            drain_seconds=drain_seconds,
            log_format=log_format,
            log_level=log_level,
        )
    )
