"""Everything that is asked of the API server beside kopf's watches, and nothing that is decided.

Each call ends in time. What a caller has to reckon with is a value; what went wrong is a ``ClusterError``, of which
some are retriable. No call is repeated in here: who asked knows best when to ask again.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from grokwarden.api.metadata import API_VERSION
from grokwarden.config_stream import AUDIENCE
from grokwarden_operator.cluster.connection import Connection
from grokwarden_operator.cluster.errors import ClusterKindError, ClusterNamespaceError, ClusterUnavailableError
from grokwarden_operator.cluster.own_objects import OwnObjects
from grokwarden_operator.cluster.paths import (
    FIELD_SELECTORS,
    LIST_PATHS,
    TOKEN_REVIEWS,
    core_path,
    events_path,
    object_path,
    status_path,
)
from grokwarden_operator.cluster.secret_stream import DEFAULT_SECRET_TIMINGS, SecretTimings, follow_secret
from grokwarden_operator.cluster.server import DEFAULT_TIMEOUTS, FIELD_MANAGER, ApiServer, Timeouts
from grokwarden_operator.cluster.values import FactList, Occurrence, OwnSecret, PodIdentity, Write
from grokwarden_operator.listing import Kind, PodFact, SecretFact, SecretTrouble
from grokwarden_operator.watching.facts import Fact, fact_of, pod_fact

__all__ = [
    "Cluster",
    "FactList",
    "Occurrence",
    "OwnSecret",
    "PodIdentity",
    "Timeouts",
    "Write",
    "open_cluster",
]

PAGE: Final = 250
MOST_ATTEMPTS: Final = 3
NOTE_BYTES: Final = 1024
WORD_CHARACTERS: Final = 128
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"


class Cluster(OwnObjects):
    """The API server, as the operator knows it. Made by ``open_cluster``.

    Every method raises ``ClusterError``; ``ClusterUnavailableError`` is retriable, the others are not.
    """

    def __init__(
        self,
        server: ApiServer,
        *,
        namespace: str,
        now: Callable[[], datetime],
        secret_timings: SecretTimings,
        page: int,
    ) -> None:
        super().__init__(server, namespace)
        self._now = now
        self._secret_timings = secret_timings
        self._page = page

    async def list_facts(self, kind: Kind) -> FactList:
        """Every object of a kind; of pods those that have not finished."""
        for _ in range(MOST_ATTEMPTS):
            if (complete := await self._list_pages(kind)) is not None:
                return complete
        raise ClusterUnavailableError(f"list of {kind}", f"expired {MOST_ATTEMPTS} times before it was complete")

    async def get_pod(self, namespace: str, name: str) -> PodFact | None:
        """The pod as it is at this moment, ``None`` if there is none."""
        reply = await self._server.request("GET", core_path(namespace, "pods", name))
        return pod_fact(reply.content) if reply.is_success else None

    async def apply_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str,
        status: Mapping[str, Any],
        *,
        resource_version: str = "",
    ) -> Write:
        """The resource's status is this: DONE; or the resource is GONE or RECREATED.

        An API server ignores a uid in a status that is applied, so that it would land on another object of that name.
        A version is heeded, and belongs to one object: ``resource_version`` is the newest that is known of this one.
        Where that is another than the API server's, or none, the object is looked at first.
        """
        for _ in range(MOST_ATTEMPTS):
            if resource_version:
                metadata = {"namespace": namespace, "name": name, "resourceVersion": resource_version}
                body = {
                    "apiVersion": API_VERSION,
                    "kind": kind.value,
                    "metadata": metadata,
                    "status": status,
                }
                if (await self._server.apply(status_path(kind, namespace, name), body)).is_success:
                    return Write.DONE
            there = await self._server.request("GET", object_path(kind, namespace, name))
            if not there.is_success:
                return Write.GONE
            if there.content["metadata"]["uid"] != uid:
                return Write.RECREATED
            resource_version = there.content["metadata"]["resourceVersion"]
        raise ClusterUnavailableError(f"status of {kind} {namespace}/{name}", "others were writing it all the time")

    async def post_event(self, occurrence: Occurrence) -> None:
        """Told as an Event in the resource's namespace; nothing if that is going away."""
        body = _event(occurrence, self._now())
        try:
            await self._server.request("POST", events_path(occurrence.namespace), body=body)
        except ClusterNamespaceError:
            return

    async def review_token(self, token: str) -> PodIdentity | None:
        """The pod for which that token was made with our audience; ``None`` if it is not valid, or no pod's."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        reply = await self._server.request("POST", TOKEN_REVIEWS, body=body)
        status = reply.content.get("status")
        return _identity(status) if reply.is_success and isinstance(status, Mapping) else None

    def watch_secret(self, namespace: str, name: str) -> AsyncIterator[SecretFact | SecretTrouble]:
        """The Secret as it is, then each change, for ever; raises nothing, an API server that is away only delays."""
        return follow_secret(self._server, namespace, name, self._secret_timings)

    async def _list_pages(self, kind: Kind) -> FactList | None:
        """The list; ``None`` if its pages took so long that the API server forgot what it was listing."""
        facts: list[Fact] = []
        params = {"limit": str(self._page)}
        if selector := FIELD_SELECTORS.get(kind):
            params["fieldSelector"] = selector
        while True:
            reply = await self._server.request(
                "GET", LIST_PATHS[kind], params=params, timeout_seconds=self._server.timeouts.list_seconds
            )
            if reply.status == 410:
                return None
            if not reply.is_success:
                raise ClusterKindError(kind)
            facts += [fact for raw in reply.content.get("items") or () if (fact := fact_of(kind, raw)) is not None]
            metadata = reply.content.get("metadata") or {}
            if not (following := metadata.get("continue")):
                return FactList(facts=facts, resource_version=metadata.get("resourceVersion", ""))
            params["continue"] = following


@asynccontextmanager
async def open_cluster(
    connection: Connection,
    *,
    namespace: str,
    now: Callable[[], datetime],
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    secret_timings: SecretTimings = DEFAULT_SECRET_TIMINGS,
    page: int = PAGE,
) -> AsyncIterator[Cluster]:
    """The cluster that a connection leads to; ``namespace`` is the operator's own, ``now`` has a time zone."""
    async with ApiServer(connection, timeouts) as server:
        yield Cluster(server, namespace=namespace, now=now, secret_timings=secret_timings, page=page)


def _event(occurrence: Occurrence, now: datetime) -> dict[str, Any]:
    note = occurrence.note.encode()[:NOTE_BYTES].decode(errors="ignore")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": occurrence.namespace, "generateName": f"{occurrence.name[:40].rstrip('.-')}-"},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"grokwarden.io/{FIELD_MANAGER}",
        "reportingInstance": FIELD_MANAGER,
        "type": "Warning" if occurrence.is_warning else "Normal",
        "reason": occurrence.reason[:WORD_CHARACTERS],
        "action": occurrence.action[:WORD_CHARACTERS],
        "note": note,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": occurrence.kind.value,
            "namespace": occurrence.namespace,
            "name": occurrence.name,
            "uid": occurrence.uid,
        },
    }


def _identity(status: Mapping[str, Any]) -> PodIdentity | None:
    """Whom a token's review names, if it is a pod's, and made for us."""
    if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    parts = str(user.get("username", "")).split(":")
    extra = user.get("extra") or {}
    names: list[str] = extra.get(_POD_NAME) or []
    uids: list[str] = extra.get(_POD_UID) or []
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or len(names) != 1 or len(uids) != 1:
        return None
    return PodIdentity(namespace=parts[2], pod_name=names[0], pod_uid=uids[0], service_account=parts[3])
