"""``grokwarden run``: the proxy on this machine, governed by packs from files."""

from pathlib import Path
from typing import Annotated

import typer

from grokwarden.edge.commands.options import NamespaceOption, PodLabelsOption, parse_pod_labels
from grokwarden.edge.logs import LogFormat, LogLevel
from grokwarden_sidecar.commands.serving import give_place
from grokwarden_sidecar.settings import (
    DEFAULT_ADMIN,
    DEFAULT_LISTEN,
    DRAIN_SECONDS,
    MAX_BODY_BYTES,
    ROOT_NAMESPACE,
    RunOptions,
    default_audit_dir,
)


def run(
    config: Annotated[
        list[str],
        typer.Option("--config", "-c", metavar="PATH", help="Packs and targets: a file or a directory; repeatable."),
    ],
    more: Annotated[list[str] | None, typer.Argument(metavar="[PATH]…", help="More of the same.")] = None,
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where applications call; port 0 takes a free one.")
    ] = DEFAULT_LISTEN,
    admin: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /metrics, /healthz, /readyz, /config and /explain are.")
    ] = DEFAULT_ADMIN,
    audit_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the audit log is; by default in your state directory.")
    ] = None,
    namespace: NamespaceOption = None,
    pod_labels: PodLabelsOption = None,
    root_namespace: Annotated[
        str, typer.Option(metavar="NAME", help="The namespace whose packs come first and can't be weakened.")
    ] = ROOT_NAMESPACE,
    max_body_bytes: Annotated[
        int, typer.Option(min=1024, help="Larger requests are refused with 413.")
    ] = MAX_BODY_BYTES,
    drain_seconds: Annotated[
        float, typer.Option(min=0.0, help="How long calls in flight may go on after SIGTERM.")
    ] = DRAIN_SECONDS,
    log_format: Annotated[LogFormat, typer.Option(help="auto is console on a terminal, else json.")] = LogFormat.AUTO,
    log_level: Annotated[LogLevel, typer.Option(help="debug, info, warning or error.")] = LogLevel.INFO,
) -> None:
    """Run the proxy with packs from files; a changed file takes effect in the running process.

    Applications use it as they use api.x.ai: set their base URL to http://HOST:PORT/v1 and give any key.
    """
    options = RunOptions(
        config=(*config, *(more or ())),
        listen=listen,
        admin=admin,
        audit_dir=str(audit_dir or default_audit_dir()),
        namespace=namespace,
        root_namespace=root_namespace,
        pod_labels=parse_pod_labels(pod_labels),
        max_body_bytes=max_body_bytes,
        drain_seconds=drain_seconds,
        log_format=log_format,
        log_level=log_level,
    )
    give_place(options)
