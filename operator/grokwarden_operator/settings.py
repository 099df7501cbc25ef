"""What the operator is started with. The only module that reads the environment."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from grokwarden.edge.addresses import Address
from grokwarden.edge.logs import LogFormat, LogLevel
from grokwarden.errors import SettingsError
from grokwarden_operator.reconcile.hosts import HostRule, rule_of

DEFAULT_LISTEN_CONFIG: Final = "0.0.0.0:9444"
DEFAULT_LISTEN_HTTP: Final = "0.0.0.0:9090"
DEFAULT_NAMESPACE: Final = "grokwarden-system"
SERVICE: Final = "grokwarden-operator"
"""The Service through which sidecars reach the config stream."""
SERVICE_ACCOUNT_DIR: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE: Final = re.compile(_LABEL)
_DNS_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """The operator's settings, checked and complete.

    Attributes:
        namespace: Its own, which is also the root namespace.
        kubeconfig: ``None``: the service account of the pod that it runs in.
        listen_config: The config stream's address, TLS.
        listen_http: The address of metrics and probes, without TLS.
        dns_names: Whom the config stream's certificate speaks for: DNS names and addresses.
        secret_namespaces: Where Secrets may be read.
        egress_hosts: The hosts that targets may name; none: any but loopback and link-local ones.
    """

    namespace: str
    kubeconfig: Path | None
    listen_config: Address
    listen_http: Address
    dns_names: tuple[str, ...]
    secret_namespaces: tuple[str, ...]
    egress_hosts: tuple[HostRule, ...] = ()
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO


def operator_settings(
    *,
    namespace: str | None = None,
    kubeconfig: Path | None = None,
    listen_config: str = DEFAULT_LISTEN_CONFIG,
    listen_http: str = DEFAULT_LISTEN_HTTP,
    dns_names: Sequence[str] = (),
    secret_namespaces: Sequence[str] = (),
    egress_hosts: Sequence[str] = (),
    log_level: LogLevel = LogLevel.INFO,
    log_format: LogFormat = LogFormat.AUTO,
    environ: Mapping[str, str] | None = None,
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
) -> OperatorSettings:
    """Settings of what the command line says, completed by where the process runs.

    Raises:
        SettingsError: A flag can't be used, or it can't be told how to reach the API server.
    """
    environment = os.environ if environ is None else environ
    own = namespace or _pod_namespace(service_account_dir) or DEFAULT_NAMESPACE
    return OperatorSettings(
        namespace=_namespace(own, flag="--namespace"),
        listen_config=Address.parse(listen_config, flag="--listen-config"),
        listen_http=Address.parse(listen_http, flag="--listen-http"),
        dns_names=tuple(_dns_name(name) for name in dns_names) or default_dns_names(own),
        secret_namespaces=_unique(_namespace(name, flag="--secret-namespace") for name in secret_namespaces) or (own,),
        egress_hosts=tuple(dict.fromkeys(_host_rule(entry) for entry in egress_hosts)),
        kubeconfig=_kubeconfig(kubeconfig, environment, service_account_dir),
        log_level=log_level,
        log_format=log_format,
    )


def default_dns_names(namespace: str) -> tuple[str, ...]:
    """The names of the operator's Service, as pods of any namespace say them."""
    return (f"{SERVICE}.{namespace}.svc", f"{SERVICE}.{namespace}.svc.cluster.local")


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _pod_namespace(service_account_dir: Path) -> str:
    """The namespace of the pod that this process runs in; empty outside one."""
    try:
        return (service_account_dir / "namespace").read_text().strip()
    except OSError:
        return ""


def _kubeconfig(given: Path | None, environ: Mapping[str, str], service_account_dir: Path) -> Path | None:
    """How the API server is reached: the flag, else the pod's own account, else what kubectl would take."""
    if given is not None:
        return _readable(given, flag="--kubeconfig")
    if environ.get("KUBERNETES_SERVICE_HOST") and (service_account_dir / "token").is_file():
        return None
    if named := environ.get("KUBECONFIG", "").split(os.pathsep)[0]:
        return _readable(Path(named), flag="KUBECONFIG")
    usual = Path(environ.get("HOME", "/")) / ".kube" / "config"
    if usual.is_file():
        return usual
    raise SettingsError(
        f"--kubeconfig: not given, this is no pod with a service account, and neither $KUBECONFIG nor {usual} exists; "
        "name a kubeconfig file"
    )


def _readable(path: Path, *, flag: str) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise SettingsError(f"{flag} {path}: can't be read ({error.strerror}); name a kubeconfig file") from error


def _namespace(name: str, *, flag: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise SettingsError(
            f"{flag}: {name!r} is not a namespace; expected one name of at most 63 of a-z, 0-9 and -, no pattern"
        )
    return name


def _dns_name(name: str) -> str:
    if not (_is_address(name) or _is_dns_name(name.lower())):
        raise SettingsError(f"--dns-name: {name!r} is neither a DNS name nor an IP address")
    return name.lower()


def _host_rule(entry: str) -> HostRule:
    if (rule := rule_of(entry)) is None:
        raise SettingsError(
            f"--egress-host: {entry!r} is not a host; expected HOST or HOST:PORT, such as api.x.ai or *.example.com:443"
        )
    return rule


def _is_dns_name(text: str) -> bool:
    return len(text) <= 253 and _DNS_NAME.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
