"""Where things are at the API server. kopf and the cluster use the same paths, so a path tells the kind."""

from collections.abc import Mapping
from typing import Final

from grokwarden.api.metadata import API_VERSION, GROUP, VERSION
from grokwarden_operator.listing import Kind

RESOURCES: Final[Mapping[Kind, tuple[str, str, str]]] = {
    Kind.POLICY_PACK: (GROUP, VERSION, "policypacks"),
    Kind.PROVIDER_TARGET: (GROUP, VERSION, "providertargets"),
    Kind.POD: ("", "v1", "pods"),
    Kind.NAMESPACE: ("", "v1", "namespaces"),
}
"""Group, version and plural of each kind that is watched."""

LIST_PATHS: Final[Mapping[Kind, str]] = {
    kind: f"/apis/{group}/{version}/{plural}" if group else f"/api/{version}/{plural}"
    for kind, (group, version, plural) in RESOURCES.items()
}
"""Of each kind's objects in all namespaces."""

FIELD_SELECTORS: Final[Mapping[Kind, str]] = {Kind.POD: "status.phase!=Succeeded,status.phase!=Failed"}
"""What is not even sent: a finished pod never runs again."""

TOKEN_REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path


def status_path(kind: Kind, namespace: str, name: str) -> str:
    """Of the status of one of our own resources."""
    return f"{object_path(kind, namespace, name)}/status"


def object_path(kind: Kind, namespace: str, name: str) -> str:
    """Of one of our own resources."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{RESOURCES[kind][2]}/{name}"


def core_path(namespace: str, plural: str, name: str = "") -> str:
    """Of an object of the core group, or of all of a namespace."""
    path = f"/api/v1/namespaces/{namespace}/{plural}"
    return f"{path}/{name}" if name else path


def events_path(namespace: str) -> str:
    """Of the Events of a namespace."""
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
