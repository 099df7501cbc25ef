"""The contract between the planes: what a sidecar needs to enforce, and nothing of Kubernetes.

A bundle is a manifest of content-addressed parts. Parts hold everything resolved (defaults, durations in
milliseconds), so that a reader needs msgspec and nothing else. Keys are never in a bundle: a target names where its key
comes from, and rotating one changes no digest. This module refuses to know YAML, pydantic, pods and the network.

Operator and sidecar may differ by one schema version: a reader takes its own and the one before, and whoever writes for
a reader that is one behind writes that one's. Within a version no field is ever added: a reader refuses a part with a
field that it does not know, rather than enforce the rest of it in silence.
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
READABLE_SCHEMA_VERSIONS: Final = frozenset({SCHEMA_VERSION - 1, SCHEMA_VERSION} - {0})
"""This one and the one before; there is none before the first."""


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

    secret: str | None = None  # namespace/name/key@host:port, with the hosts that it may go to; to be taken as it is
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


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no text, or nested deeper than it follows."""
_Part = TypeVar("_Part", PackPart, TargetPart)


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
    manifest: msgspec.Raw
    parts: dict[str, msgspec.Raw]


class _Schema(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What can be read of a manifest of any version."""

    schema_version: int


def canonical_bytes(value: msgspec.Struct) -> bytes:
    """JSON with sorted keys and no white space: equal values are equal bytes, on every machine."""
    return msgspec.json.encode(value, order="sorted")


def digest_of(value: msgspec.Struct) -> str:
    """``sha256:`` and the hexadecimal digest of the value's canonical bytes."""
    return digest_of_bytes(canonical_bytes(value))


def digest_of_bytes(data: bytes) -> str:
    """``sha256:`` and the hexadecimal digest of canonical bytes as they were received."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode_part(part: PackPart | TargetPart) -> bytes:
    """The part's canonical bytes, which its digest is of."""
    return canonical_bytes(part)


def decode_part(data: bytes, ref: PartRef, kind: type[_Part], *, source: str) -> _Part:
    """The part that ``ref`` names.

    Args:
        data: What ``encode_part`` gave.
        ref: The part's entry in the manifest.
        kind: ``PackPart`` or ``TargetPart``.
        source: Where the bytes came from, for the message.

    Raises:
        BundleChecksumError: The bytes don't have the digest that the manifest names.
        BundleError: They are no such part, say something that this program does not know, or are another object's.
    """
    if (actual := digest_of_bytes(data)) != ref.digest:
        raise BundleChecksumError(source, expected=ref.digest, actual=actual)
    try:
        part = msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise BundleError(f"bundle from {source}: part of {ref.name}: {error}; keeping the previous bundle") from error
    if part.name != ref.name:
        raise BundleError(
            f"bundle from {source}: the part for {ref.name} is of {part.name}; keeping the previous bundle"
        )
    return part


def decode_manifest(data: bytes, *, source: str) -> Manifest:
    """The manifest in ``data``. Its version is ``digest_of_bytes(data)``, also where it is of the schema before.

    Raises:
        BundleError: The bytes are no manifest, or are of a schema version that this program does not read.
    """
    try:
        schema_version = msgspec.json.decode(data, type=_Schema).schema_version
        if schema_version in READABLE_SCHEMA_VERSIONS:
            return msgspec.json.decode(data, type=Manifest)
    except UNREADABLE as error:
        raise BundleError(f"bundle from {source}: not a manifest ({error}); keeping the previous bundle") from error
    readable = " and ".join(str(version) for version in sorted(READABLE_SCHEMA_VERSIONS))
    raise BundleError(
        f"bundle from {source}: schema version {schema_version}, this program reads {readable}; "
        "keeping the previous bundle"
    )


def encode_bundle(bundle: Bundle) -> bytes:
    """The whole bundle as one canonical JSON document: the manifest, and its parts by digest.

    Of a bundle that this program made, or that came in its own schema version: one that came in the version before has
    the digests of bytes that this program does not write any more.
    """
    refs = (*bundle.manifest.packs, *bundle.manifest.targets)
    parts: tuple[PackPart | TargetPart, ...] = (*bundle.packs, *bundle.targets)
    by_digest = {ref.digest: msgspec.Raw(encode_part(part)) for ref, part in zip(refs, parts, strict=True)}
    return canonical_bytes(_Wire(manifest=msgspec.Raw(canonical_bytes(bundle.manifest)), parts=by_digest))


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
    except UNREADABLE as error:
        raise BundleError(f"bundle from {source}: not a bundle ({error}); keeping the previous bundle") from error
    manifest = decode_manifest(bytes(wire.manifest), source=source)
    return Bundle(
        version=digest_of_bytes(bytes(wire.manifest)),
        manifest=manifest,
        packs=tuple(_part(wire.parts, ref, PackPart, source) for ref in manifest.packs),
        targets=tuple(_part(wire.parts, ref, TargetPart, source) for ref in manifest.targets),
    )


def _part(parts: Mapping[str, msgspec.Raw], ref: PartRef, kind: type[_Part], source: str) -> _Part:
    if ref.digest not in parts:
        raise BundleError(
            f"bundle from {source}: no part for {ref.name} ({ref.digest[:19]}); keeping the previous bundle"
        )
    return decode_part(bytes(parts[ref.digest]), ref, kind, source=source)
