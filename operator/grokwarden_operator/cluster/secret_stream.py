"""One Secret, followed: what it is now, then each change, for ever. An API server that is away only delays.

That the operator may not read it has to be said several times before a key that was known is given up: an API server
that is starting refuses everything for a moment.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from grokwarden_operator.cluster.errors import ClusterError, ClusterForbiddenError, ClusterUnavailableError
from grokwarden_operator.cluster.paths import core_path
from grokwarden_operator.cluster.server import ApiServer
from grokwarden_operator.listing import SecretFact, SecretTrouble
from grokwarden_operator.watching.facts import secret_fact

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Found = SecretFact | SecretTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretTimings:
    """How a Secret is followed.

    Attributes:
        watch_seconds: How long one watch lasts; a connection that died without a word is noticed soon after.
        forbidden_seconds: When to ask again for what may not be read.
        patience_seconds: When to ask again for what might be read until now,
        patience: and how often that must be refused.
        retry_seconds: The pause after a failure; it doubles up to ``longest_retry_seconds``.
    """

    watch_seconds: int = 30
    forbidden_seconds: float = 30.0
    patience_seconds: float = 3.0
    patience: int = 3
    retry_seconds: float = 0.1
    longest_retry_seconds: float = 2.0


DEFAULT_SECRET_TIMINGS: Final = SecretTimings()
_SILENCE_SECONDS: Final = 10.0


async def follow_secret(server: ApiServer, namespace: str, name: str, timings: SecretTimings) -> AsyncIterator[Found]:
    """The Secret whenever it is another than before."""
    last: Found | None = None
    refused = failed = 0
    while True:
        try:
            async for found in _until_it_breaks(server, namespace, name, timings):
                refused = failed = 0
                if found != last:
                    last = found
                    yield found
        except ClusterForbiddenError:
            refused += 1
            if isinstance(last, SecretFact) and refused < timings.patience:
                await asyncio.sleep(timings.patience_seconds)
                continue
            if last is not SecretTrouble.FORBIDDEN:
                last = SecretTrouble.FORBIDDEN
                yield last
            await asyncio.sleep(timings.forbidden_seconds)
        except ClusterError as error:
            log.debug("secret_watch_ended", namespace=namespace, secret=name, error=type(error).__name__)
            await asyncio.sleep(min(timings.retry_seconds * 2**failed, timings.longest_retry_seconds))
            failed = min(failed + 1, 10)


async def _until_it_breaks(
    server: ApiServer, namespace: str, name: str, timings: SecretTimings
) -> AsyncIterator[Found]:
    path, selector = core_path(namespace, "secrets"), {"fieldSelector": f"metadata.name={name}"}
    listed = (await server.request("GET", path, params=selector)).content
    items = listed.get("items")
    yield _found(items[0]) if isinstance(items, list) and items else SecretTrouble.NOT_FOUND
    version = _version(listed)
    while True:
        params = {
            **selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(timings.watch_seconds),
        }
        async with server.watch(path, params=params, silent_seconds=timings.watch_seconds + _SILENCE_SECONDS) as events:
            async for event in events:
                kind, content = event.get("type"), event.get("object")
                if kind == "ERROR" or not isinstance(content, Mapping):
                    raise ClusterUnavailableError(f"watch {path}", "the watch has to begin anew")
                version = _version(content) or version
                if kind in {"ADDED", "MODIFIED"}:
                    yield _found(content)
                elif kind == "DELETED":
                    yield SecretTrouble.NOT_FOUND
        await asyncio.sleep(timings.retry_seconds)


def _found(raw: Mapping[str, Any]) -> Found:
    return secret_fact(raw) or SecretTrouble.NOT_FOUND


def _version(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return version if isinstance(version, str) else ""
