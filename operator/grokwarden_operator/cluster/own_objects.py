"""The operator's own objects, in its own namespace: its authority, what is to be trusted, the last good versions."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from grokwarden.resources import Document
from grokwarden_operator.cluster.errors import ClusterUnavailableError
from grokwarden_operator.cluster.paths import core_path
from grokwarden_operator.cluster.server import ApiServer, Reply
from grokwarden_operator.cluster.values import OwnSecret, Write
from grokwarden_operator.listing import StoredResource
from grokwarden_operator.watching.facts import decoded_entries

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STORED_LABEL: Final = "grokwarden.io/stored"
STORED_RESOURCE: Final = "resource"


class OwnObjects:
    """Secrets and ConfigMaps of one namespace. Every method raises ``ClusterError``."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self._server = server
        self._namespace = namespace

    async def read_secret(self, name: str) -> OwnSecret | None:
        """A Secret of the operator's own namespace."""
        reply = await self._server.request("GET", self._own("secrets", name))
        return _own_secret(reply) if reply.is_success else None

    async def create_secret(self, name: str, entries: Mapping[str, bytes]) -> OwnSecret | Write:
        """The new Secret, or EXISTS."""
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": _encoded(entries)}
        reply = await self._server.request("POST", self._own("secrets"), body=body)
        return _own_secret(reply) if reply.is_success else Write.EXISTS

    async def update_secret(
        self, name: str, entries: Mapping[str, bytes], *, resource_version: str
    ) -> OwnSecret | Write:
        """The Secret with these entries alone; or CHANGED if it was not of that version any more, or GONE."""
        metadata = {"name": name, "resourceVersion": resource_version}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": _encoded(entries)}
        reply = await self._server.request("PUT", self._own("secrets", name), body=body)
        if reply.is_success:
            return _own_secret(reply)
        return Write.GONE if reply.status == 404 else Write.CHANGED

    async def publish(self, name: str, entries: Mapping[str, str]) -> None:
        """The ConfigMap of that name in the operator's namespace says that."""
        await self._apply_config_map(name, entries, labels={})

    async def stored(self) -> Sequence[StoredResource]:
        """Every resource that was stored; one that can't be read is left out, and logged."""
        params = {"labelSelector": f"{STORED_LABEL}={STORED_RESOURCE}"}
        reply = await self._server.request(
            "GET", self._own("configmaps"), params=params, timeout_seconds=self._server.timeouts.list_seconds
        )
        return [stored for raw in reply.content.get("items") or () if (stored := _stored(raw)) is not None]

    async def store(self, uid: str, generation: int, document: Mapping[str, Any]) -> None:
        """The resource survives restarts, in this version, until it is forgotten."""
        entries = {"uid": uid, "generation": str(generation), "document": msgspec.json.encode(document).decode()}
        await self._apply_config_map(_stored_name(uid), entries, labels={STORED_LABEL: STORED_RESOURCE})

    async def forget(self, uid: str) -> None:
        """The resource is stored no more."""
        await self._server.request("DELETE", self._own("configmaps", _stored_name(uid)))

    async def _apply_config_map(self, name: str, entries: Mapping[str, str], labels: Mapping[str, str]) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": dict(labels)},
            "data": dict(entries),
        }
        reply = await self._server.apply(self._own("configmaps", name), body)
        if not reply.is_success:
            raise ClusterUnavailableError(f"ConfigMap {self._namespace}/{name}", f"status {reply.status}")

    def _own(self, plural: str, name: str = "") -> str:
        return core_path(self._namespace, plural, name)


def _own_secret(reply: Reply) -> OwnSecret:
    metadata = reply.content["metadata"]
    return OwnSecret(
        name=metadata["name"], resource_version=metadata["resourceVersion"], entries=decoded_entries(reply.content)
    )


def _encoded(entries: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in entries.items()}


def _stored_name(uid: str) -> str:
    return f"grokwarden-stored-{uid}"


def _stored(raw: Mapping[str, Any]) -> StoredResource | None:
    entries = raw.get("data") or {}
    try:
        document = msgspec.json.decode(entries.get("document", ""))
        generation = int(entries.get("generation", ""))
    except (msgspec.DecodeError, ValueError):
        document, generation = None, 0
    uid = entries.get("uid")
    if not (uid and isinstance(document, dict)):
        log.warning("stored_resource_unreadable", name=raw.get("metadata", {}).get("name", ""))
        return None
    return StoredResource(uid=uid, generation=generation, document=Document(content=document))
