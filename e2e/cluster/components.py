"""The components of a control plane, in the order in which they start, and what each is told."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from e2e.cluster.state import Description, Ports, StateDirectory


class Component(StrEnum):
    """A process of the control plane; its value is the name of its binary."""

    ETCD = "etcd"
    API_SERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"


def port_of(component: Component, ports: Ports) -> int:
    """Where it answers HTTPS requests about its health."""
    match component:
        case Component.ETCD:
            return ports.etcd
        case Component.API_SERVER:
            return ports.api_server
        case Component.CONTROLLER_MANAGER:
            return ports.controller_manager
        case Component.SCHEDULER:
            return ports.scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A component is ready for work when it answers 200, with this text in the body."""

    path: str
    mentions: str = ""


def health_check(component: Component) -> HealthCheck:
    """How the component says that it is ready for work."""
    match component:
        case Component.ETCD:
            return HealthCheck(path="/health")
        case Component.API_SERVER | Component.SCHEDULER:
            return HealthCheck(path="/readyz")
        case Component.CONTROLLER_MANAGER:  # it is healthy long before its controllers have started, and are listed
            return HealthCheck(path="/healthz?verbose", mentions="namespace-controller")


def command(component: Component, state: StateDirectory, description: Description) -> list[str]:
    """The whole command line."""
    ports, keys = description.ports, state.keys
    match component:
        case Component.ETCD:
            flags = _etcd(ports, keys, state.data)
        case Component.API_SERVER:
            flags = _api_server(ports, keys)
        case Component.CONTROLLER_MANAGER:
            flags = _controller_manager(ports, keys)
        case Component.SCHEDULER:
            flags = _with_api("kube-scheduler", ports.scheduler, keys)
    return [str(description.binaries[component]), *(f"--{name}={value}" for name, value in flags.items())]


def kubeconfig_of(component: Component, keys: Path) -> Path:
    """The component's own way to the API server."""
    return keys / f"{component}.kubeconfig"


def _etcd(ports: Ports, keys: Path, data: Path) -> dict[str, str | int]:
    clients, peers = f"https://127.0.0.1:{ports.etcd}", f"https://127.0.0.1:{ports.etcd_peers}"
    certificate = {"cert-file": keys / "etcd.crt", "key-file": keys / "etcd.key", "trusted-ca-file": keys / "ca.crt"}
    return {
        "data-dir": str(data),
        "listen-client-urls": clients,
        "advertise-client-urls": clients,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "client-cert-auth": "true",
        "peer-client-cert-auth": "true",
        **{name: str(path) for name, path in certificate.items()},
        **{f"peer-{name}": str(path) for name, path in certificate.items()},
        "unsafe-no-fsync": "true",
        "heartbeat-interval": 20,
        "election-timeout": 200,
        "log-level": "warn",
    }


def _api_server(ports: Ports, keys: Path) -> dict[str, str | int]:
    return {
        "etcd-servers": f"https://127.0.0.1:{ports.etcd}",
        "etcd-cafile": str(keys / "ca.crt"),
        "etcd-certfile": str(keys / "kube-apiserver.crt"),
        "etcd-keyfile": str(keys / "kube-apiserver.key"),
        "bind-address": "127.0.0.1",
        "secure-port": ports.api_server,
        "endpoint-reconciler-type": "none",  # the loopback interface can't be an endpoint of the kubernetes Service
        "service-cluster-ip-range": "10.96.0.0/16",
        "tls-cert-file": str(keys / "kube-apiserver.crt"),
        "tls-private-key-file": str(keys / "kube-apiserver.key"),
        "client-ca-file": str(keys / "ca.crt"),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(keys / "service-accounts.pub"),
        "service-account-signing-key-file": str(keys / "service-accounts.key"),
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "profiling": "false",
    }


def _controller_manager(ports: Ports, keys: Path) -> dict[str, str | int]:
    return {
        **_with_api("kube-controller-manager", ports.controller_manager, keys),
        "service-account-private-key-file": str(keys / "service-accounts.key"),
        "root-ca-file": str(keys / "ca.crt"),
        "use-service-account-credentials": "true",
        "kube-api-qps": 500,
        "kube-api-burst": 500,
        "cluster-signing-cert-file": str(keys / "ca.crt"),
        "cluster-signing-key-file": str(keys / "ca.key"),
    }


def _with_api(name: str, port: int, keys: Path) -> dict[str, str | int]:
    """What the components that work through the API server have in common."""
    return {
        "kubeconfig": str(keys / f"{name}.kubeconfig"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "tls-cert-file": str(keys / f"{name}.crt"),
        "tls-private-key-file": str(keys / f"{name}.key"),
        "profiling": "false",
    }
