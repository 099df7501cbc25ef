"""Everything that is asked of the API server beside kopf's watches, and nothing that is decided.

Each call ends in time. What a caller has to reckon with is a value; what went wrong is a ``ClusterError``, of which
some are retriable. No call is repeated in here: who asked knows best when to ask again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from grokwarden_operator.api_server import FIELD_MANAGER, ApiServer, BodyType, Reply, Timeouts
from grokwarden_operator.connection import Connection
from grokwarden_operator.facts import Fact
from grokwarden_operator.listing import Kind, PodFact, SecretFact, SecretTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class FactList:
    """Every object of a kind, at one moment."""

    facts: Sequence[Fact]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    """The pod that a token was made for, as the API server says."""

    namespace: str
    pod_name: str
    pod_uid: str
    service_account: str


class Write(StrEnum):
    """What became of a write, where it depends on what others did meanwhile."""

    DONE = "Done"
    GONE = "Gone"  # there is no such object any more
    RECREATED = "Recreated"  # an object of that name is there, but it is another one
    EXISTS = "Exists"  # somebody else made it first
    CHANGED = "Changed"  # somebody else wrote it since it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSecret:
    """A Secret of the operator's own. Its entries are never shown."""

    name: str
    resource_version: str
    entries: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What a Kubernetes Event tells of a resource.

    Attributes:
        reason: One PascalCase word; ``action`` likewise: what was being done.
        note: For a person; cut at 1 KiB.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str
    is_warning: bool
    reason: str
    action: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """A resource as it last was good, kept over restarts: apiVersion, kind, metadata and spec."""

    uid: str
    generation: int
    document: Mapping[str, Any]


class Cluster:
    """The API server, as the operator knows it. Made by ``open_cluster``.

    Every method raises ``ClusterError``; ``ClusterUnavailableError`` is retriable, the others are not.
    """

    async def list_facts(self, kind: Kind) -> FactList:
        """Every object of a kind; of pods those that have not finished."""
        raise NotImplementedError

    async def get_pod(self, namespace: str, name: str) -> PodFact | None:
        """The pod as it is at this moment, ``None`` if there is none."""
        raise NotImplementedError

    async def apply_status(self, kind: Kind, namespace: str, name: str, uid: str, document: Mapping[str, Any]) -> Write:
        """The resource's status is what ``document`` says (of ``conditions.apply_document``): DONE, GONE, RECREATED."""
        raise NotImplementedError

    async def post_event(self, occurrence: Occurrence) -> None:
        """Told as an Event in the resource's namespace; nothing if that is going away."""
        raise NotImplementedError

    async def review_token(self, token: str) -> PodIdentity | None:
        """The pod for which that token was made with our audience; ``None`` if it is not valid, or no pod's."""
        raise NotImplementedError

    def watch_secret(self, namespace: str, name: str) -> AsyncIterator[SecretFact | SecretTrouble]:
        """The Secret as it is, then each change, for ever; raises nothing, an API server that is away only delays."""
        raise NotImplementedError

    async def read_secret(self, name: str) -> OwnSecret | None:
        """A Secret of the operator's own namespace."""
        raise NotImplementedError

    async def create_secret(self, name: str, entries: Mapping[str, bytes]) -> OwnSecret | Write:
        """The new Secret, or EXISTS."""
        raise NotImplementedError

    async def update_secret(self, secret: OwnSecret, entries: Mapping[str, bytes]) -> OwnSecret | Write:
        """The Secret with these entries alone, or CHANGED or GONE since ``secret`` was read."""
        raise NotImplementedError

    async def publish(self, name: str, entries: Mapping[str, str]) -> None:
        """The ConfigMap of that name in the operator's namespace says that."""
        raise NotImplementedError

    async def stored(self) -> Sequence[StoredResource]:
        """Every resource that was stored; one that can't be read is left out, and logged."""
        raise NotImplementedError

    async def store(self, uid: str, generation: int, document: Mapping[str, Any]) -> None:
        """The resource survives restarts, in this version, until it is forgotten."""
        raise NotImplementedError

    async def forget(self, uid: str) -> None:
        """The resource is stored no more."""
        raise NotImplementedError


@asynccontextmanager
async def open_cluster(
    connection: Connection,
    *,
    namespace: str,
    now: Callable[[], datetime],
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> AsyncIterator[Cluster]:
    """The cluster that a connection leads to.

    Args:
        namespace: The operator's own.
        now: With a time zone, for Events.
    """
    raise NotImplementedError
    yield
