"""Kubeconfigs, and questions to the components' own HTTPS endpoints."""

import base64
import http.client
import json
import ssl
from pathlib import Path
from typing import Final

import yaml

from e2e.cluster.components import HealthCheck

_ANSWER_SECONDS: Final = 2.0


def write_kubeconfig(path: Path, *, server: str, keys: Path, name: str) -> None:
    """A kubeconfig that needs no other file, readable by its owner alone."""
    user = {
        "client-certificate-data": _encoded(keys / f"{name}.crt"),
        "client-key-data": _encoded(keys / f"{name}.key"),
    }
    cluster = {"server": server, "certificate-authority-data": _encoded(keys / "ca.crt")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "grokwarden",
        "contexts": [{"name": "grokwarden", "context": {"cluster": "grokwarden", "user": name}}],
        "clusters": [{"name": "grokwarden", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


class Questioner:
    """Asks components on the loopback interface, as the administrator."""

    def __init__(self, keys: Path) -> None:
        self._context = ssl.create_default_context(cafile=keys / "ca.crt")
        self._context.load_cert_chain(keys / "admin.crt", keys / "admin.key")

    def is_passed(self, check: HealthCheck, port: int) -> bool:
        """Whether the component says that it is ready."""
        status, body = self._ask(port, check.path)
        return status == http.client.OK and check.mentions.encode() in body

    def version(self, port: int) -> str:
        """The API server's version, such as ``v1.34.4``."""
        return str(json.loads(self._ask(port, "/version")[1])["gitVersion"])

    def _ask(self, port: int, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS, context=self._context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
