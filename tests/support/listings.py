"""What a cluster holds, in a line each: facts from short texts, and listings of facts."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from grokwarden.resources import Document
from grokwarden_operator.listing import (
    INJECTION_ENABLED,
    INJECTION_LABEL,
    Kind,
    Listing,
    NamespaceFact,
    PodFact,
    ResourceFact,
    SecretFact,
    SecretTrouble,
)

ROOT = "grokwarden-system"
CHAIN = "chain: [{name: core, policy: core-policy}]"
BOT = {"app": "bot"}
KEY = "xai-key-of-a-test"
BROKEN = "{chain: [{name: core, policy: core-policy, action: Block}]}"
XAI = "{provider: xai, model: grok-4.3, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"

Fact = ResourceFact | PodFact | NamespaceFact | SecretFact


def pack(
    spec: str = f"{{{CHAIN}}}",
    *,
    name: str = "gateway",
    namespace: str = "shop",
    uid: str = "",
    generation: int = 1,
    status: Mapping[str, Any] | None = None,
) -> ResourceFact:
    """A pack with this spec, given as a flow mapping; its uid follows from its name unless given."""
    return _resource(
        Kind.POLICY_PACK, spec, name=name, namespace=namespace, uid=uid, generation=generation, status=status
    )


def target(
    spec: str = XAI,
    *,
    name: str = "xai-grok",
    namespace: str = "shop",
    uid: str = "",
    generation: int = 1,
    status: Mapping[str, Any] | None = None,
) -> ResourceFact:
    """A target with this spec, given as a flow mapping."""
    return _resource(
        Kind.PROVIDER_TARGET, spec, name=name, namespace=namespace, uid=uid, generation=generation, status=status
    )


def pod(
    name: str = "bot-0",
    *,
    namespace: str = "shop",
    labels: Mapping[str, str] | None = None,
    has_sidecar: bool = True,
    is_live: bool = True,
    is_ending: bool = False,
    is_opted_out: bool = False,
    uid: str = "",
) -> PodFact:
    """A live pod ``app: bot`` with a sidecar, unless said otherwise."""
    return PodFact(
        uid=uid or f"uid-of-pod-{namespace}-{name}",
        namespace=namespace,
        name=name,
        resource_version="1",
        labels=BOT if labels is None else labels,
        service_account="default",
        has_sidecar=has_sidecar,
        is_live=is_live,
        is_ending=is_ending,
        is_opted_out=is_opted_out,
    )


def namespace_of(name: str = "shop", *, is_opted_in: bool = False, **labels: str) -> NamespaceFact:
    """A namespace with these labels."""
    opted_in = {INJECTION_LABEL: INJECTION_ENABLED} if is_opted_in else {}
    return NamespaceFact(name=name, uid=f"uid-of-{name}", resource_version="1", labels={**labels, **opted_in})


def secret(
    *hosts: str, name: str = "xai-key", namespace: str = "shop", entries: Mapping[str, bytes] | None = None
) -> SecretFact:
    """A Secret with a key, which these hosts may get."""
    return SecretFact(
        namespace=namespace,
        name=name,
        allowed_hosts=hosts,
        entries={"XAI_API_KEY": KEY.encode()} if entries is None else entries,
    )


def listing(*facts: Fact, troubles: Mapping[str, SecretTrouble] | None = None) -> Listing:
    """A listing of these facts; a namespace that somebody is in is there, with a name and nothing else."""
    named = {fact.namespace for fact in facts if not isinstance(fact, NamespaceFact)} | {ROOT}
    spaces = {fact.name: fact for fact in facts if isinstance(fact, NamespaceFact)}
    secrets = {f"{fact.namespace}/{fact.name}": fact for fact in facts if isinstance(fact, SecretFact)}
    return Listing(
        packs=_by_name(facts, Kind.POLICY_PACK),
        targets=_by_name(facts, Kind.PROVIDER_TARGET),
        pods={fact.uid: fact for fact in facts if isinstance(fact, PodFact)},
        namespaces={**{name: namespace_of(name) for name in named}, **spaces},
        secrets={**(troubles or {}), **secrets},
    )


def _by_name(facts: Iterable[Fact], kind: Kind) -> dict[str, ResourceFact]:
    return {fact.full_name: fact for fact in facts if isinstance(fact, ResourceFact) and fact.kind is kind}


def _resource(
    kind: Kind, spec: str, *, name: str, namespace: str, uid: str, generation: int, status: Mapping[str, Any] | None
) -> ResourceFact:
    identity = uid or f"uid-of-{kind}-{namespace}-{name}"
    content = {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": kind.value,
        "metadata": {"name": name, "namespace": namespace, "uid": identity, "generation": generation},
        "spec": yaml.safe_load(spec),
    }
    return ResourceFact(
        kind=kind,
        namespace=namespace,
        name=name,
        uid=identity,
        generation=generation,
        resource_version=str(generation),
        document=Document(content=content),
        status=status or {},
    )
