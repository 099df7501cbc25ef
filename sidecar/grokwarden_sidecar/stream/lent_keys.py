"""The keys that the operator lends to this pod: in memory, and gone when it takes them back.

A target names its key by ``namespace/secret/entry``; what is there under that name is used, whoever put it there last.
This module refuses the other ways to name a key: a file or a variable of this container is none of a target's business.
"""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from grokwarden.bundle import TargetPart
from grokwarden_sidecar.configuration.keys import Key, TargetKeyError

log = structlog.stdlib.get_logger(__name__)

GRACE_SECONDS: Final = 5.0
"""For how long a key that was taken back still serves the bundle before: the keys come ahead of the new one."""


class LentKeys:
    """See ``TargetKeys``."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """There is no key before ``replace``.

        Args:
            clock: Seconds, monotonic.
        """
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._before: dict[str, Key] = {}
        self._before_until = 0.0

    def __repr__(self) -> str:
        return f"LentKeys({len(self._keys)})"

    @property
    def names(self) -> frozenset[str]:
        """The references for which there is a key."""
        return frozenset(self._keys)

    def key_of(self, target: TargetPart) -> Key | None:
        """See ``TargetKeys.key_of``."""
        source = target.key
        if source is None:
            return None
        name = source.secret
        key = None if name is None else self._keys.get(name)
        return key or self._other(target, name)

    def replace(self, keys: Mapping[str, str]) -> bool:
        """These are the keys from now on; false if they were before. What can't be a key is left out, and logged."""
        usable: dict[str, Key] = {}
        for name, secret in keys.items():
            try:
                usable[name] = Key.of(secret.strip().encode())
            except ValueError as error:
                log.error("key_unusable", key=name, reason=str(error))
        if usable == self._keys:
            return False
        changed = sorted(name for name, key in usable.items() if self._keys.get(name) != key)
        taken = sorted(self._keys.keys() - usable)
        self._before, self._keys = self._keys, usable
        self._before_until = self._clock() + GRACE_SECONDS
        log.info("keys_replaced", keys=len(usable), changed=changed, taken=taken)
        return True

    def _other(self, target: TargetPart, name: str | None) -> Key:
        if name is None:
            raise TargetKeyError(
                f"target {target.name}: its key is said to be in a variable or a file, which a sidecar in a cluster "
                "does not read; use secretKeyRef.name and secretKeyRef.key"
            )
        if name in self._before and self._clock() < self._before_until:
            return self._before[name]
        raise TargetKeyError(
            f"target {target.name}: the operator has not provided its key; "
            f"the status of ProviderTarget {target.name} says why"
        )
