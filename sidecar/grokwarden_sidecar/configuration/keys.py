"""The providers' keys: read from where a target says, kept in memory, never in a text.

A file is read again when it changes, so that a rotated key needs no restart and no new bundle. While a changed file
can't be used (a writer that truncates first), the key before it stays in use, and the log says so. This module refuses
to guess: a target with a key source and no key is an error, never a call without one.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog

from grokwarden.bundle import KeySource, TargetPart
from grokwarden.errors import GrokwardenError

RECHECK_SECONDS: Final = 1.0
_MAX_BYTES: Final = 16 * 1024

_log: Final = structlog.stdlib.get_logger(__name__)


def place_of_key(source: KeySource) -> str:
    """Where a key is, for a message; never what it is."""
    if source.env is not None:
        return f"environment variable {source.env}"
    return f"file {source.file}" if source.file is not None else f"Secret {source.secret}"


class TargetKeyError(GrokwardenError):
    """A target's key can't be used. The text names the target and the variable or file, never a value."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that shows in no text."""

    secret: bytes = field(repr=False)
    authorization: str = field(repr=False, compare=False)

    @classmethod
    def of(cls, secret: bytes) -> "Key":
        """The key, checked to be one header value.

        Raises:
            ValueError: Empty, or with a character that no key has and a header could be broken with.
        """
        if not secret:
            raise ValueError("is empty")
        if not all(0x21 <= byte <= 0x7E for byte in secret):
            raise ValueError("has white space, a line break or another character that no key has, inside the key")
        return cls(secret, f"Bearer {secret.decode('ascii')}")


class TargetKeys(Protocol):
    """Whoever has the targets' keys: ``KeyRing`` outside of a cluster, ``LentKeys`` in a pod."""

    def key_of(self, target: TargetPart) -> Key | None:
        """The key to send to a target; ``None`` if the target is used without one.

        Raises:
            TargetKeyError: The target names a source that gives no usable key.
        """
        ...


_Stamp = tuple[int, int, int, int]


@dataclass(slots=True)
class _KeyFile:
    stamp: _Stamp
    key: Key
    checked_at: float


class KeyRing:
    """The key of each target, by its reference."""

    def __init__(self, environment: Mapping[str, str], *, clock: Callable[[], float]) -> None:
        """Keys are looked up when they are asked for.

        Args:
            environment: Where ``env`` references are found.
            clock: Seconds, monotonic. A file is looked at again at most once in ``RECHECK_SECONDS``.
        """
        self._environment = environment
        self._clock = clock
        self._variables: dict[str, tuple[str, Key]] = {}
        self._files: dict[str, _KeyFile] = {}

    def __repr__(self) -> str:
        return f"KeyRing({len(self._variables)} variables, {len(self._files)} files)"

    def key_of(self, target: TargetPart) -> Key | None:
        """See ``TargetKeys.key_of``."""
        source = target.key
        if source is None:
            return None
        if source.env is not None:
            return self._from_environment(target.name, source.env)
        if source.file is not None:
            return self._from_file(target.name, source.file)
        raise TargetKeyError(
            f"target {target.name}: its key is in Secret {source.secret}, which this sidecar can't read; "
            "outside of a cluster, use secretKeyRef.env or secretKeyRef.file"
        )

    def check(self, targets: Iterable[TargetPart]) -> list[TargetKeyError]:
        """Every key that is missing now, for whoever starts or changes a configuration."""
        problems = []
        for target in targets:
            try:
                self.key_of(target)
            except TargetKeyError as problem:
                problems.append(problem)
        return problems

    def _from_environment(self, target: str, name: str) -> Key:
        value = self._environment.get(name)
        if value is None:
            raise TargetKeyError(f"target {target}: environment variable {name}, which holds its key, is not set")
        known = self._variables.get(name)
        if known is not None and known[0] == value:
            return known[1]
        try:
            key = Key.of(value.strip().encode())
        except ValueError as error:
            raise TargetKeyError(f"target {target}: environment variable {name} {error}") from None
        self._variables[name] = (value, key)
        return key

    def _from_file(self, target: str, path: str) -> Key:
        known = self._files.get(path)
        now = self._clock()
        if known is not None and now - known.checked_at < RECHECK_SECONDS:
            return known.key
        try:
            stamp = _stamp(path)
            if known is None or stamp != known.stamp:
                known = self._files[path] = _KeyFile(stamp, _read_key(path), now)
        except (OSError, ValueError) as error:
            reason = f"can't be read ({error.strerror})" if isinstance(error, OSError) else str(error)
            if known is None:
                raise TargetKeyError(f"target {target}: key file {path} {reason}") from None
            _log.warning("key_file_unusable", target=target, file=path, reason=reason, using="the key before it")
        known.checked_at = now
        return known.key


def _stamp(path: str) -> _Stamp:
    """What changes when a file is rewritten, replaced, or its mounted folder is swapped."""
    found = os.stat(path)  # noqa: PTH116 -- on the call path: a tenth of the cost of Path.stat
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_dev


def _read_key(path: str) -> Key:
    with Path(path).open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES} bytes: no key file")
    return Key.of(data.strip())
