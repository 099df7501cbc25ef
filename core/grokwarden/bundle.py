"""The contract between the planes: what a sidecar needs to enforce, and nothing of Kubernetes.

A bundle is a manifest of content-addressed parts. Parts hold everything resolved (defaults, durations in
milliseconds), so that a reader needs msgspec and nothing else. Keys are never in a bundle: a target names where its key
comes from, and rotating one changes no digest. This module refuses to know YAML, pydantic, pods and the network.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self, TypeVar

import msgspec

from grokwarden.errors import BundleChecksumError, BundleError
from grokwarden.vocabulary import (
    Action,
    BlockStyle,
    Endpoint,
    Fallback,
    Mode,
    OnDeviation,
    OnStream,
    Phase,
    Provider,
    RetryCause,
    Strategy,
    Tier,
)

SCHEMA_VERSION: Final = 1
_Part = TypeVar("_Part", bound=msgspec.Struct)


class StepPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a chain, resolved.

    Attributes:
        mode: The effective mode: ``Shadow`` if the pack or the step says so.
        phases: Where the step looks, in the order of ``Phase``.
        on_stream: ``None`` where no phase of the step can occur in a stream.
        settings: The policy's parameters by snake_case name, all present; read by that policy alone.
    """

    name: str
    policy: str
    action: Action
    mode: Mode
    on_error: Fallback
    phases: tuple[Phase, ...]
    on_stream: OnStream | None
    settings: dict[str, Any]


class BlockResponse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the caller is told; ``message`` and ``contact`` are the author's words, empty for the default."""

    style: BlockStyle = BlockStyle.ERROR
    message: str = ""
    contact: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attempts on other targets, or on the same one, before the first byte of an answer."""

    max_retries: int = 0
    retry_on: tuple[RetryCause, ...] = (RetryCause.CONNECT, RetryCause.SERVER_ERROR, RetryCause.RATE_LIMITED)


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the calls go. ``targets`` are ``namespace/name``, in order of preference."""

    strategy: Strategy
    targets: tuple[str, ...]
    retry: Retry


class PackPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One enabled pack, compiled. Equal packs of equal pods are equal bytes."""

    name: str  # namespace/name
    version: str
    endpoints: tuple[Endpoint, ...]
    on_unscannable: Fallback
    steps: tuple[StepPart, ...]
    routing: Routing | None
    block_response: BlockResponse


class KeySource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a target's key is found; exactly one form is set. Never the key itself."""

    secret: str | None = None  # namespace/name/key
    env: str | None = None
    file: str | None = None


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in milliseconds. Grok reasons silently for minutes, hence the long defaults."""

    connect_ms: int
    first_byte_ms: int
    stream_idle_ms: int
    total_ms: int


class CircuitBreaker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open after ``failures`` within ``window_ms``; one probe after ``cooldown_ms``."""

    failures: int
    window_ms: int
    cooldown_ms: int


class Pricing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices in ticks (1 USD = 1e10 ticks) per token; ``None`` where the resource gives no table.

    ``source`` is ``Provider`` (the provider's own figure first, this table where it gives none) or ``Table``.
    """

    source: str = "Provider"
    input_ticks: int | None = None
    cached_input_ticks: int | None = None
    output_ticks: int | None = None


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``Reject``, ``Warn`` or ``Allow`` for a retired model, and for an answer by another model than was asked."""

    on_retired: OnDeviation = OnDeviation.WARN
    on_substitution: OnDeviation = OnDeviation.WARN


class TargetPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider target, resolved. ``model`` is ``None`` where the call's own model is sent."""

    name: str  # namespace/name
    provider: Provider
    model: str | None
    base_url: str
    key: KeySource | None
    weight: int
    timeouts: Timeouts
    circuit_breaker: CircuitBreaker
    pricing: Pricing
    lifecycle: Lifecycle
    proxy_url: str | None = None
    ca_bundle: str | None = None


class PartRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the manifest: which object, which generation of it, and the digest of its part."""

    name: str  # namespace/name
    uid: str
    generation: int
    digest: str
    tier: Tier = Tier.NAMESPACE


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What one sidecar runs. ``packs`` is in order of evaluation: root tier first, then priority, then name."""

    schema_version: int = SCHEMA_VERSION
    packs: tuple[PartRef, ...]
    targets: tuple[PartRef, ...]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest with its parts, verified. ``version`` is the digest of the manifest's canonical bytes."""

    version: str
    manifest: Manifest
    packs: tuple[PackPart, ...]  # same order as manifest.packs
    targets: tuple[TargetPart, ...]

    @classmethod
    def of(
        cls, packs: Iterable[tuple[PackPart, str, int, Tier]], targets: Iterable[tuple[TargetPart, str, int]]
    ) -> Self:
        """A bundle of parts, each given with its object's uid and generation (and tier, for a pack)."""
        return cls.linked(
            (
                (PartRef(name=part.name, uid=uid, generation=generation, digest=digest_of(part), tier=tier), part)
                for part, uid, generation, tier in packs
            ),
            (
                (PartRef(name=part.name, uid=uid, generation=generation, digest=digest_of(part)), part)
                for part, uid, generation in targets
            ),
        )

    @classmethod
    def linked(cls, packs: Iterable[tuple[PartRef, PackPart]], targets: Iterable[tuple[PartRef, TargetPart]]) -> Self:
        """A bundle of parts whose digests are known already: each with its entry of the manifest, taken at its word."""
        packs, targets = tuple(packs), tuple(targets)
        manifest = Manifest(packs=tuple(ref for ref, _ in packs), targets=tuple(ref for ref, _ in targets))
        return cls(
            version=digest_of(manifest),
            manifest=manifest,
            packs=tuple(part for _, part in packs),
            targets=tuple(part for _, part in targets),
        )


class _Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    manifest: Manifest
    parts: dict[str, msgspec.Raw]


def canonical_bytes(value: msgspec.Struct) -> bytes:
    """JSON with sorted keys and no white space: equal values are equal bytes, on every machine."""
    return msgspec.json.encode(value, order="sorted")


def digest_of(value: msgspec.Struct) -> str:
    """``sha256:`` and the hexadecimal digest of the value's canonical bytes."""
    return _digest(canonical_bytes(value))


def encode_bundle(bundle: Bundle) -> bytes:
    """The whole bundle as one canonical JSON document: the manifest, and its parts by digest."""
    parts: Mapping[str, msgspec.Raw] = {
        digest_of(part): msgspec.Raw(canonical_bytes(part)) for part in (*bundle.packs, *bundle.targets)
    }
    return canonical_bytes(_Wire(manifest=bundle.manifest, parts=dict(parts)))


def decode_bundle(data: bytes, *, source: str) -> Bundle:
    """The bundle in ``data``, every digest checked.

    Args:
        data: What ``encode_bundle`` gave.
        source: Where the bytes came from, for the message.

    Raises:
        BundleChecksumError: A part's bytes don't have the digest that the manifest names.
        BundleError: The bytes are no bundle, are of another schema version, or lack a part.
    """
    try:
        wire = msgspec.json.decode(data, type=_Wire)
    except msgspec.DecodeError as error:
        raise BundleError(f"bundle from {source}: not a bundle ({error}); keeping the previous bundle") from error
    manifest = wire.manifest
    if manifest.schema_version != SCHEMA_VERSION:
        raise BundleError(
            f"bundle from {source}: schema version {manifest.schema_version}, this program reads {SCHEMA_VERSION}; "
            "keeping the previous bundle"
        )
    return Bundle(
        version=digest_of(manifest),
        manifest=manifest,
        packs=tuple(_part(wire.parts, ref, PackPart, source) for ref in manifest.packs),
        targets=tuple(_part(wire.parts, ref, TargetPart, source) for ref in manifest.targets),
    )


def _part(parts: Mapping[str, msgspec.Raw], ref: PartRef, kind: type[_Part], source: str) -> _Part:
    if ref.digest not in parts:
        raise BundleError(
            f"bundle from {source}: no part for {ref.name} ({ref.digest[:19]}); keeping the previous bundle"
        )
    data = bytes(parts[ref.digest])
    if (actual := _digest(data)) != ref.digest:
        raise BundleChecksumError(source, expected=ref.digest, actual=actual)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise BundleError(f"bundle from {source}: part of {ref.name}: {error}; keeping the previous bundle") from error


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
