"""``grokwarden operator``: the control plane, in a cluster."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from grokwarden.edge.logs import LogFormat, LogLevel, configure_logs
from grokwarden_operator.settings import DEFAULT_LISTEN_CONFIG, DEFAULT_LISTEN_HTTP, operator_settings

_NEEDS = ("aiohttp", "fastapi", "kopf", "kubernetes", "prometheus_client", "uvicorn", "uvloop", "zstandard")
for _module in _NEEDS:  # told here, by what to install, before anything of it is loaded
    if find_spec(_module) is None:
        raise ModuleNotFoundError(f"No module named {_module!r}", name=_module)


def operator(
    *,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The operator's own namespace, whose packs come first; by default that of its pod.",
        ),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="How to reach the API server; by default the pod's service account."),
    ] = None,
    listen_config: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where sidecars get their configuration, with TLS.")
    ] = DEFAULT_LISTEN_CONFIG,
    listen_http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /metrics, /healthz and /readyz are, without TLS.")
    ] = DEFAULT_LISTEN_HTTP,
    dns_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name or address by which sidecars reach the operator; repeatable; by default its Service's.",
        ),
    ] = None,
    secret_namespace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Where Secrets may be read; repeatable; by default its own namespace."),
    ] = None,
    egress_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="A host that targets may name, or *.HOST; repeatable; by default any but loopback, link-local.",
        ),
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="auto is console on a terminal, else json.")] = LogFormat.AUTO,
    log_level: Annotated[LogLevel, typer.Option(help="debug, info, warning or error.")] = LogLevel.INFO,
) -> None:
    """Watch packs and targets, and keep every sidecar on the newest of them.

    An API server that is away or refuses is waited for. SIGTERM ends the streams; sidecars go on with what they have.
    """
    settings = operator_settings(
        namespace=namespace,
        kubeconfig=kubeconfig,
        listen_config=listen_config,
        listen_http=listen_http,
        dns_names=dns_name or (),
        secret_namespaces=secret_namespace or (),
        egress_hosts=egress_host or (),
        log_level=log_level,
        log_format=log_format,
    )
    configure_logs(level=settings.log_level, form=settings.log_format)
    from grokwarden_operator.main import run  # noqa: PLC0415 - so that --help loads no Kubernetes client

    raise typer.Exit(run(settings))
