"""Facts of raw objects: what an API server sends, reduced to what counts here.

Nothing in here can fail: an object that is not what its kind should be gives ``None`` or a fact that claims less. In
particular ``has_sidecar`` is claimed only of a pod in which nothing but our container holds a token for us.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from grokwarden.api.metadata import API_VERSION
from grokwarden.config_stream import AUDIENCE
from grokwarden.resources import Document
from grokwarden_operator.listing import (
    ALLOWED_HOSTS_ANNOTATION,
    INJECT_ANNOTATION,
    SIDECAR_CONTAINER,
    Kind,
    NamespaceFact,
    PodFact,
    ResourceFact,
    SecretFact,
)

Fact = ResourceFact | PodFact | NamespaceFact
RawObject = Mapping[str, Any]
"""An object as JSON gave it: of any shape, whatever the schema promises."""

_CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_FINISHED_PHASES: Final = frozenset({"Succeeded", "Failed"})
_KEPT_METADATA: Final = ("name", "namespace", "uid", "generation", "labels", "annotations", "creationTimestamp")
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SEPARATORS: Final = re.compile(r"[\s,]+")


def fact_of(kind: Kind, raw: RawObject) -> Fact | None:
    """The fact of an object of that kind; ``None`` if it has no uid or no name, which no API server sends."""
    match kind:
        case Kind.POLICY_PACK | Kind.PROVIDER_TARGET:
            return resource_fact(kind, raw)
        case Kind.POD:
            return pod_fact(raw)
        case Kind.NAMESPACE:
            return namespace_fact(raw)


def resource_fact(kind: Kind, raw: RawObject) -> ResourceFact | None:
    """A PolicyPack or ProviderTarget, without the parts of its metadata that are large and say nothing."""
    metadata = _mapping(raw.get("metadata"))
    namespace, name, uid = (_text(metadata.get(key)) for key in ("namespace", "name", "uid"))
    if not (namespace and name and uid):
        return None
    generation = metadata.get("generation")
    content = {
        "apiVersion": _text(raw.get("apiVersion")) or API_VERSION,
        "kind": kind.value,
        "metadata": _kept_metadata(metadata),
        "spec": raw.get("spec"),
    }
    return ResourceFact(
        kind=kind,
        namespace=namespace,
        name=name,
        uid=uid,
        generation=generation if isinstance(generation, int) else 0,
        resource_version=_text(metadata.get("resourceVersion")),
        document=Document(content=content),
        status=_mapping(raw.get("status")),
    )


def pod_fact(raw: RawObject) -> PodFact | None:
    """A pod, its spec reduced to whether it carries our sidecar."""
    metadata, spec = _mapping(raw.get("metadata")), _mapping(raw.get("spec"))
    namespace, name, uid = (_text(metadata.get(key)) for key in ("namespace", "name", "uid"))
    if not (namespace and name and uid):
        return None
    phase = _text(_mapping(raw.get("status")).get("phase"))
    return PodFact(
        uid=uid,
        namespace=namespace,
        name=name,
        resource_version=_text(metadata.get("resourceVersion")),
        labels=_texts(metadata.get("labels")),
        service_account=_text(spec.get("serviceAccountName")) or "default",
        has_sidecar=has_sidecar(spec),
        is_live=phase not in _FINISHED_PHASES,
        is_ending=bool(metadata.get("deletionTimestamp")),
        is_opted_out=_texts(metadata.get("annotations")).get(INJECT_ANNOTATION) == "false",
    )


def namespace_fact(raw: RawObject) -> NamespaceFact | None:
    """A namespace and its labels."""
    metadata = _mapping(raw.get("metadata"))
    name, uid = _text(metadata.get("name")), _text(metadata.get("uid"))
    if not (name and uid):
        return None
    return NamespaceFact(
        name=name,
        uid=uid,
        resource_version=_text(metadata.get("resourceVersion")),
        labels=_texts(metadata.get("labels")),
    )


def secret_fact(raw: RawObject) -> SecretFact | None:
    """A Secret, decoded. An entry that is not base64 is left out: nobody can use it."""
    metadata = _mapping(raw.get("metadata"))
    namespace, name = _text(metadata.get("namespace")), _text(metadata.get("name"))
    if not (namespace and name):
        return None
    hosts = _texts(metadata.get("annotations")).get(ALLOWED_HOSTS_ANNOTATION, "").lower()
    return SecretFact(
        namespace=namespace,
        name=name,
        allowed_hosts=tuple(host for host in _SEPARATORS.split(hosts) if host),
        entries=decoded_entries(raw),
    )


def decoded_entries(raw: RawObject) -> dict[str, bytes]:
    """A Secret's data."""
    entries = {}
    for key, value in _texts(raw.get("data")).items():
        try:
            entries[key] = base64.b64decode(value, validate=True)
        except binascii.Error:
            continue
    return entries


def has_sidecar(spec: Mapping[str, Any]) -> bool:
    """Whether a pod's spec carries our sidecar, which alone holds a token for us.

    That is a container named ``grokwarden`` that runs beside the application (an ordinary one, or an init container
    that is restarted always) and mounts a projected token of our audience, where no other container of any kind mounts
    such a token. No label or annotation counts: whoever writes a pod can write those.
    """
    tokens = {_text(volume.get("name")) for volume in _mappings(spec.get("volumes")) if _has_token(volume)}
    holders = [
        (where, container)
        for where in _CONTAINER_LISTS
        for container in _mappings(spec.get(where))
        if any(_text(mount.get("name")) in tokens for mount in _mappings(container.get("volumeMounts")))
    ]
    return len(holders) == 1 and _is_our_container(*holders[0])


def _is_our_container(where: str, container: Mapping[str, Any]) -> bool:
    runs_beside = where == "containers" or (where == "initContainers" and container.get("restartPolicy") == "Always")
    return runs_beside and container.get("name") == SIDECAR_CONTAINER


def _has_token(volume: Mapping[str, Any]) -> bool:
    sources = _mappings(_mapping(volume.get("projected")).get("sources"))
    return any(_mapping(source.get("serviceAccountToken")).get("audience") == AUDIENCE for source in sources)


def _kept_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: metadata[key] for key in _KEPT_METADATA if metadata.get(key) is not None}
    if isinstance(annotations := kept.get("annotations"), Mapping):
        kept["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    return kept


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else iter(())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    return {key: each for key, each in _mapping(value).items() if isinstance(key, str) and isinstance(each, str)}
