"""What the cluster holds, as far as it matters here: small frozen facts, taken from objects once, when they come.

Everything that decides (``reconcile``) works on a ``Listing`` and on nothing else, so that an event's order, and
whether it came twice or not at all, can never matter. This module refuses to speak to the API server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from grokwarden.resources import Document

INJECTION_LABEL: Final = "grokwarden.io/injection"
INJECTION_ENABLED: Final = "enabled"
INJECT_ANNOTATION: Final = "grokwarden.io/inject"
ALLOWED_HOSTS_ANNOTATION: Final = "grokwarden.io/allowed-hosts"
SIDECAR_CONTAINER: Final = "grokwarden"


class Kind(StrEnum):
    """The kinds that are watched."""

    POLICY_PACK = "PolicyPack"
    PROVIDER_TARGET = "ProviderTarget"
    POD = "Pod"
    NAMESPACE = "Namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFact:
    """A PolicyPack or a ProviderTarget as the API server has it.

    Attributes:
        document: apiVersion, kind, metadata and spec; what the compiler takes.
        status: As last seen, ours or empty; read for the conditions' ``lastTransitionTime`` alone.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    document: Document
    status: Mapping[str, Any]

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFact:
    """A pod.

    Attributes:
        has_sidecar: Its containers carry our sidecar, judged by their spec and never by a mark.
        is_live: Not finished, so that its sidecar may still serve calls.
        is_ending: Being deleted: what it runs is kept up to date to its end, and counted no more.
        is_opted_out: Annotated ``grokwarden.io/inject: "false"``.
    """

    uid: str
    namespace: str
    name: str
    resource_version: str
    labels: Mapping[str, str]
    service_account: str
    has_sidecar: bool
    is_live: bool
    is_opted_out: bool = False
    is_ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceFact:
    """A namespace and its labels."""

    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]

    @property
    def is_opted_in(self) -> bool:
        """Its pods are to have a sidecar."""
        return self.labels.get(INJECTION_LABEL) == INJECTION_ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFact:
    """A Secret that some target names.

    Attributes:
        allowed_hosts: Of ``grokwarden.io/allowed-hosts``, lower case, ``host`` or ``host:port``; none else may get it.
        entries: Its data, decoded. Never shown.
    """

    namespace: str
    name: str
    allowed_hosts: tuple[str, ...]
    entries: Mapping[str, bytes] = field(repr=False)


class SecretTrouble(StrEnum):
    """Why there is no fact for a Secret that a target names."""

    NOT_FOUND = "NotFound"
    FORBIDDEN = "Forbidden"  # the operator may not read Secrets in that namespace
    UNREAD = "Unread"  # not asked yet, or the API server did not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """A version of a pack or a target that was good, as it is kept over restarts of the operator."""

    uid: str
    generation: int
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything that is there now.

    Attributes:
        packs: By ``namespace/name``.
        targets: By ``namespace/name``.
        pods: By uid.
        namespaces: By name.
        secrets: By ``namespace/name``; those that targets name, in their newest version or in the one in force.
    """

    packs: Mapping[str, ResourceFact]
    targets: Mapping[str, ResourceFact]
    pods: Mapping[str, PodFact]
    namespaces: Mapping[str, NamespaceFact]
    secrets: Mapping[str, SecretFact | SecretTrouble]
