"""A manifest as it came on the stream: read, or refused with an answer for each of its packs."""

from dataclasses import dataclass

import msgspec

from grokwarden.bundle import Manifest, PartRef, decode_manifest, digest_of_bytes
from grokwarden.errors import BundleError
from grokwarden_sidecar.configuration.bundle_source import PackOutcome, PartProblem, RefusalReason, Rejection
from grokwarden_sidecar.stream.errors import StreamError

_SOURCE = "the operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedManifest:
    """What the operator wants.

    Attributes:
        data: The bytes that ``version`` is the digest of.
    """

    version: str
    data: bytes
    manifest: Manifest

    @property
    def digests(self) -> dict[str, None]:
        """Of every part that it names, in order."""
        return dict.fromkeys(ref.digest for ref in (*self.manifest.packs, *self.manifest.targets))


class _Object(msgspec.Struct, frozen=True):
    name: str
    uid: str
    generation: int


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    """What can be read of a manifest of any version, it is hoped."""

    schema_version: int = 0
    packs: tuple[_Object, ...] = ()


def read_manifest(version: str, data: bytes) -> WantedManifest | Rejection:
    """The manifest, or why it can't be used.

    Raises:
        StreamError: The bytes are not those of the version that they are said to be.
    """
    if digest_of_bytes(data) != version:
        raise StreamError("the stream is broken: a manifest is not the one that its id names")
    try:
        manifest = decode_manifest(data, source=_SOURCE)
    except BundleError as error:
        return _rejected(version, data, str(error).partition("; keeping")[0])
    names = [ref.name for ref in manifest.packs]
    targets = [ref.name for ref in manifest.targets]
    if len(set(names)) < len(names) or len(set(targets)) < len(targets):
        return _rejected(version, data, "a name stands twice in the manifest")
    return WantedManifest(version=version, data=data, manifest=manifest)


def _rejected(version: str, data: bytes, message: str) -> Rejection:
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError:
        head = _Head()
    is_newer = "schema version" in message
    reason = RefusalReason.UNSUPPORTED_SCHEMA if is_newer else RefusalReason.INVALID_MANIFEST
    problem = PartProblem(reason=reason, message=message)
    packs = tuple(
        PackOutcome(ref=PartRef(name=pack.name, uid=pack.uid, generation=pack.generation, digest=""), problem=problem)
        for pack in head.packs
    )
    return Rejection(problems=[message], version=version, packs=packs)
