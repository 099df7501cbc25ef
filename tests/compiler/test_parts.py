"""One part, or one manifest, by itself: as the stream carries them."""

from typing import Any

import msgspec
import pytest

from grokwarden.bundle import (
    READABLE_SCHEMA_VERSIONS,
    SCHEMA_VERSION,
    PackPart,
    PartRef,
    TargetPart,
    canonical_bytes,
    decode_bundle,
    decode_manifest,
    decode_part,
    digest_of_bytes,
    encode_bundle,
    encode_part,
)
from grokwarden.errors import BundleChecksumError, BundleError
from resource_texts import TARGET, compiled, pack_text

BUNDLE = compiled(TARGET, pack_text("{chain: [{name: core, policy: core-policy}]}")).bundle
PACK, TARGET_PART = BUNDLE.packs[0], BUNDLE.targets[0]


def ref_to(data: bytes, name: str = PACK.name) -> PartRef:
    return PartRef(name=name, uid="", generation=1, digest=digest_of_bytes(data))


def edited(data: bytes, **fields: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(data), **fields}, order="sorted")


def test_a_part_survives_its_own_bytes():
    """What one event carries is what is enforced."""
    packs, targets = BUNDLE.manifest.packs, BUNDLE.manifest.targets
    assert decode_part(encode_part(PACK), packs[0], PackPart, source="a test") == PACK
    assert decode_part(encode_part(TARGET_PART), targets[0], TargetPart, source="a test") == TARGET_PART


def test_other_bytes_are_refused_before_they_are_read():
    """A cut or forged part must not be enforced, nor an older one under a newer one's name."""
    data = encode_part(PACK)
    for other in (data[:-1], data + b" ", b"", edited(data, version="9.9.9")):
        with pytest.raises(BundleChecksumError, match="from a test: checksum is"):
            decode_part(other, ref_to(data), PackPart, source="a test")


def test_a_field_that_is_not_known_is_refused():
    """It may be the one that makes the pack strict: what can't be enforced is said, and not skipped."""
    data = edited(encode_part(PACK), fromTheFuture=True)
    with pytest.raises(BundleError, match="part of default/gateway: Object contains unknown field `fromTheFuture`"):
        decode_part(data, ref_to(data), PackPart, source="a test")


def test_a_part_of_another_kind_or_another_object_is_refused():
    """A digest says that bytes are whole, and not whose they are."""
    target, pack = encode_part(TARGET_PART), encode_part(PACK)
    with pytest.raises(BundleError, match="part of default/gateway"):
        decode_part(target, ref_to(target), PackPart, source="a test")
    with pytest.raises(BundleError, match="the part for shop/strict is of default/gateway"):
        decode_part(pack, ref_to(pack, name="shop/strict"), PackPart, source="a test")


def test_a_manifest_is_read_by_itself():
    """It comes before its parts, and its version is the digest of the bytes that came."""
    data = canonical_bytes(BUNDLE.manifest)
    assert decode_manifest(data, source="a test") == BUNDLE.manifest
    assert digest_of_bytes(data) == BUNDLE.version
    assert msgspec.json.decode(data)["schemaVersion"] == SCHEMA_VERSION


def test_this_schema_version_and_the_one_before_are_read():
    """Operator and sidecars are not upgraded in the same second; of version 0 there never was one."""
    assert max(READABLE_SCHEMA_VERSIONS) == SCHEMA_VERSION
    assert {SCHEMA_VERSION - 1, SCHEMA_VERSION} >= READABLE_SCHEMA_VERSIONS
    assert 0 not in READABLE_SCHEMA_VERSIONS


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, -1])
def test_another_schema_version_is_named_whatever_else_it_holds(version):
    """Its fields mean something else, so that complaining about them would mislead."""
    data = edited(canonical_bytes(BUNDLE.manifest), schemaVersion=version, shards=[])
    with pytest.raises(BundleError, match=f"schema version {version}, this program reads {SCHEMA_VERSION}; keeping"):
        decode_manifest(data, source="a test")
    whole = edited(encode_bundle(BUNDLE), manifest=msgspec.Raw(data))
    with pytest.raises(BundleError, match=f"schema version {version}"):
        decode_bundle(whole, source="a test")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"packs": [], "targets": []}',
        b'{"schemaVersion": "1", "packs": [], "targets": []}',
        b'{"schemaVersion": 1, "packs": [], "targets": [], "shards": []}',
    ],
)
def test_what_is_no_manifest_is_refused(data):
    """A manifest without a schema version could be of any."""
    with pytest.raises(BundleError, match="from a test: not a manifest"):
        decode_manifest(data, source="a test")


def test_a_bundle_whose_part_is_missing_or_changed_is_refused():
    """The whole document is checked part by part, as the stream is."""
    wire = msgspec.json.decode(encode_bundle(BUNDLE))
    digest = BUNDLE.manifest.packs[0].digest
    changed = {**wire, "parts": {**wire["parts"], digest: {**wire["parts"][digest], "version": "9.9.9"}}}
    with pytest.raises(BundleChecksumError):
        decode_bundle(msgspec.json.encode(changed, order="sorted"), source="a test")
    del wire["parts"][digest]
    with pytest.raises(BundleError, match="no part for default/gateway"):
        decode_bundle(msgspec.json.encode(wire, order="sorted"), source="a test")
