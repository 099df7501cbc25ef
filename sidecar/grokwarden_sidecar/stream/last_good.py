"""The last good configuration in a directory, for a restart while the operator is away.

In a pod the directory is a volume in memory: what is in it ends with the pod. Files are the owner's alone, and replaced
whole. What can't be read back is said in the log and not used; what can't be written costs nothing but the next
restart.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog

from grokwarden.bundle import (
    UNREADABLE,
    Bundle,
    PackPart,
    TargetPart,
    decode_manifest,
    decode_part,
    digest_of_bytes,
)
from grokwarden.config_stream import Keys, MalformedMessageError, decode_keys, encode_keys
from grokwarden.errors import BundleChecksumError, BundleError

log = structlog.stdlib.get_logger(__name__)

BUNDLE_FILE: Final = "bundle.json"
KEYS_FILE: Final = "keys.json"
_SOURCE: Final = "the run before"
_MAX_BYTES: Final = 256 * 1024 * 1024  # far more than any bundle: a file of that size is not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBundle:
    """A bundle that was read back, every digest checked, and its parts' bytes by digest."""

    bundle: Bundle
    parts: Mapping[str, bytes]


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The file: bytes as they came, since those of another schema version are not what this program would write."""

    version: str
    manifest: msgspec.Raw
    parts: dict[str, msgspec.Raw]


class LastGood:
    """The files of one sidecar. Every method blocks for a moment, and none raises."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unwritable = ""

    def read_bundle(self) -> StoredBundle | None:
        """The bundle; ``None`` if there is none that can be used."""
        data = self._read(BUNDLE_FILE)
        if data is None:
            return None
        try:
            return _stored_in(data)
        except (BundleError, *UNREADABLE) as error:
            self._tell_damage(BUNDLE_FILE, str(error).partition("; keeping")[0])
            return None

    def read_keys(self) -> Mapping[str, str]:
        """The keys; none if there are none that can be used."""
        data = self._read(KEYS_FILE)
        if data is None:
            return {}
        try:
            return decode_keys(data).keys
        except MalformedMessageError as error:
            self._tell_damage(KEYS_FILE, str(error))
            return {}

    def write_bundle(self, manifest: bytes, parts: Mapping[str, bytes]) -> bool:
        """A restart begins with it: the manifest's bytes, and its parts' by digest. False if it can't be written."""
        raw = {digest: msgspec.Raw(part) for digest, part in parts.items()}
        stored = _Stored(version=digest_of_bytes(manifest), manifest=msgspec.Raw(manifest), parts=raw)
        return self._write(BUNDLE_FILE, msgspec.json.encode(stored))

    def write_keys(self, keys: Mapping[str, str]) -> None:
        """A restart begins with these keys."""
        self._write(KEYS_FILE, encode_keys(Keys(keys=dict(keys))))

    def _read(self, name: str) -> bytes | None:
        path = self._directory / name
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell_damage(name, f"can't be read ({error.strerror})")
            return None
        if len(data) > _MAX_BYTES:
            self._tell_damage(name, f"is larger than {_MAX_BYTES} bytes")
            return None
        return data

    def _write(self, name: str, data: bytes) -> bool:
        partial = self._directory / f".{name}.new"
        try:
            self._make_directory()
            with contextlib.suppress(FileNotFoundError):
                partial.unlink()
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            partial.replace(self._directory / name)
        except OSError as error:
            reason = f"{name}: {error.strerror}"
            if reason != self._unwritable:
                self._unwritable = reason
                log.warning("last_good_unwritten", directory=str(self._directory), reason=reason)
            return False
        self._unwritable = ""
        return True

    def _make_directory(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # a mounted volume is root's; the files are ours alone all the same
            self._directory.chmod(0o700)

    def _tell_damage(self, name: str, reason: str) -> None:
        log.error("last_good_unusable", file=str(self._directory / name), reason=reason)


def _stored_in(data: bytes) -> StoredBundle:
    stored = msgspec.json.decode(data, type=_Stored)
    version = digest_of_bytes(bytes(stored.manifest))
    if version != stored.version:
        raise BundleChecksumError(_SOURCE, expected=stored.version, actual=version)
    manifest = decode_manifest(bytes(stored.manifest), source=_SOURCE)
    parts = {digest: bytes(part) for digest, part in stored.parts.items()}
    for ref in (*manifest.packs, *manifest.targets):
        if ref.digest not in parts:
            raise BundleError(f"bundle from {_SOURCE}: no part for {ref.name}")
    return StoredBundle(
        bundle=Bundle(
            version=version,
            manifest=manifest,
            packs=tuple(decode_part(parts[ref.digest], ref, PackPart, source=_SOURCE) for ref in manifest.packs),
            targets=tuple(decode_part(parts[ref.digest], ref, TargetPart, source=_SOURCE) for ref in manifest.targets),
        ),
        parts=parts,
    )
