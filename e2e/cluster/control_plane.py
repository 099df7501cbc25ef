"""A cluster as whoever uses it sees it, whoever started it."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.errors import ClusterError

_KUBECTL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """An API server and the way to it.

    Attributes:
        kubeconfig: The administrator's.
        kubectl: A kubectl that fits.
        server: The API server's URL.
        ca: The authority that signed its certificate, as PEM.
    """

    kubeconfig: Path
    kubectl: Path
    server: str
    ca: Path


def existing_cluster(kubeconfig: Path, *, kubectl: Path, folder: Path) -> ControlPlane:
    """The cluster of somebody's kubeconfig, in its current context.

    Args:
        kubeconfig: The file.
        kubectl: Which one to use.
        folder: Where the authority's certificate is written, if the kubeconfig holds it inside.

    Raises:
        ClusterError: The file can't be used, or the cluster doesn't answer.
    """
    if not kubeconfig.is_file():
        raise ClusterError(f"{kubeconfig}: no such file")
    kubeconfig = kubeconfig.absolute()
    context = json.loads(_asked(kubectl, kubeconfig, "config", "view", "--raw", "--minify", "--output=json"))
    cluster = context["clusters"][0]["cluster"]
    if data := cluster.get("certificate-authority-data"):
        ca = folder / "ca.crt"
        ca.write_bytes(base64.b64decode(data))
    elif path := cluster.get("certificate-authority"):
        ca = kubeconfig.parent / path
    else:
        raise ClusterError(f"{kubeconfig} names no certificate authority for {cluster['server']}")
    found = ControlPlane(kubeconfig=kubeconfig, kubectl=kubectl, server=cluster["server"], ca=ca)
    version_of(found)
    return found


def version_of(cluster: ControlPlane) -> str:
    """The API server's version, such as ``v1.34.4``.

    Raises:
        ClusterError: It doesn't answer.
    """
    return str(json.loads(_asked(cluster.kubectl, cluster.kubeconfig, "get", "--raw=/version"))["gitVersion"])


def _asked(kubectl: Path, kubeconfig: Path, *arguments: str) -> str:
    command = [str(kubectl), f"--kubeconfig={kubeconfig}", "--request-timeout=5s", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_KUBECTL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"the cluster of {kubeconfig} doesn't answer within {_KUBECTL_SECONDS:g} s") from error
    if done.returncode != 0:
        raise ClusterError(f"the cluster of {kubeconfig} can't be used: {done.stderr.strip()}")
    return done.stdout
