"""The operator's service account, as a pod would have it: what tests use in the administrator's stead."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from e2e.cluster.control_plane import ControlPlane
from grokwarden_operator.cluster.connection import Connection, from_service_account
from kube import Kubectl

NAMESPACE = "grokwarden-system"
ACCOUNT = "grokwarden-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
MANIFEST = Path(__file__).parents[2] / "operator" / "manifests" / "rbac.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountDirectory:
    """The files that a kubelet would mount, and the API server's address in two variables."""

    path: Path
    environ: dict[str, str]

    def connection(self, *, server: str | None = None, ca: Path | None = None) -> Connection:
        """A connection with this account, to another server if one is given (whose authority ``ca`` is)."""
        if ca is not None:
            (self.path / "ca.crt").write_bytes(ca.read_bytes())
        return from_service_account(self.path, self.environ if server is None else _address(server))


def install_account(kubectl: Kubectl) -> None:
    """The operator's account and its rights are there."""
    kubectl.run("apply", f"--filename={MANIFEST}")


async def let_read_secrets(kubectl: Kubectl, namespace: str) -> None:
    """The operator may read the Secrets of that namespace, by the command that the manifest names."""
    await kubectl.inside(namespace)(
        *("create", "rolebinding", "grokwarden-secrets-reader", "--clusterrole=grokwarden-secrets-reader"),
        f"--serviceaccount={NAMESPACE}:{ACCOUNT}",
    )


def account_directory(kubectl: Kubectl, folder: Path, control_plane: ControlPlane) -> ServiceAccountDirectory:
    """A directory with a fresh token of the operator's account."""
    folder.mkdir(parents=True, exist_ok=True)
    write_token(kubectl, folder)
    (folder / "ca.crt").write_bytes(control_plane.ca.read_bytes())
    return ServiceAccountDirectory(path=folder, environ=_address(control_plane.server))


def write_token(kubectl: Kubectl, folder: Path) -> None:
    """The directory holds a new token, as after the kubelet has exchanged it."""
    token = kubectl.run("create", "token", ACCOUNT, f"--namespace={NAMESPACE}", "--duration=3600s")
    (folder / "token").write_text(token.strip())


def _address(server: str) -> dict[str, str]:
    parts = urlsplit(server)
    return {"KUBERNETES_SERVICE_HOST": parts.hostname or "", "KUBERNETES_SERVICE_PORT": str(parts.port or 443)}
