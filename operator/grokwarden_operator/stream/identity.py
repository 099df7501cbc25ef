"""Who is calling: the pod that a token was made for, as the API server says, and never as the caller does.

A token is kept no longer than its review takes; what stays is its digest, so that a sidecar's answers cost no review
each. However many bad tokens come, only so many reviews are under way and so many callers wait for one; the others are
told to come again.
"""

import asyncio
import base64
import binascii
import hashlib
import math
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from grokwarden.errors import GrokwardenError
from grokwarden_operator.cluster.errors import ClusterUnavailableError
from grokwarden_operator.cluster.values import PodIdentity

CACHED_SECONDS: Final = 60.0
"""For how long a review counts,"""
ANSWERS_CACHED_SECONDS: Final = 3600.0
"""and for how long for an answer, which brings its sender nothing and is heard only while its pod is known. Changes are
rare, and come to all sidecars at once: a review for each answer would double the time that one takes."""
REFUSED_SECONDS: Final = 1.0
MAX_TOKEN_BYTES: Final = 8192
_MAX_REFUSED: Final = 1024
_BEARER: Final = re.compile(rb"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, and until when the token says so.

    Attributes:
        expires_at: Seconds since the epoch.
    """

    identity: PodIdentity
    expires_at: float


class TokenRefused(GrokwardenError):
    """No pod's valid token. The text holds nothing of it."""


class TooManyReviews(GrokwardenError):
    """More tokens came than may be reviewed now."""


class _Claims(msgspec.Struct):
    exp: float


class _Memory:
    """The newest outcomes by token digest, each with its time."""

    def __init__(self, clock: Callable[[], float], *, size: int) -> None:
        self._clock = clock
        self._size = size
        self._outcomes: OrderedDict[bytes, tuple[float, Caller | None]] = OrderedDict()

    def add(self, digest: bytes, caller: Caller | None) -> None:
        self._outcomes[digest] = (self._clock(), caller)
        self._outcomes.move_to_end(digest)
        if len(self._outcomes) > self._size:
            self._outcomes.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        self._outcomes.pop(digest, None)

    def get(self, digest: bytes, *, seconds: float) -> tuple[Caller | None] | None:
        """The outcome in a tuple; ``None`` if there is none of the last so many seconds."""
        at, caller = self._outcomes.get(digest, (-math.inf, None))
        return (caller,) if self._clock() - at < seconds else None


class Authenticator:
    """Tokens to callers.

    Args:
        review: The API server's word on a token with our audience: the pod that it is bound to; ``None`` if it is not
            valid, not for us, or not a pod's. Raises ``ClusterError`` if there is no answer.
        clock: Monotonic seconds, for the age of what is remembered.
        now: Seconds since the epoch, for the tokens' expiry.
        max_known: Of how many tokens the outcome is remembered.
        max_reviews: How many reviews may be under way.
        max_waiting: How many callers may wait for one of these.
        timeout_seconds: For one caller, from question to answer.
    """

    def __init__(
        self,
        review: Callable[[str], Awaitable[PodIdentity | None]],
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        max_known: int = 8192,
        max_reviews: int = 16,
        max_waiting: int = 2048,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._review = review
        self._now = now
        self._valid = _Memory(clock, size=max_known)
        self._refused = _Memory(clock, size=_MAX_REFUSED)  # apart: displaces no valid one
        self._max_asking = max_reviews + max_waiting
        self._timeout_seconds = timeout_seconds
        self._turns = asyncio.Semaphore(max_reviews)
        self._asking = 0

    async def caller(self, authorization: bytes, *, cached_seconds: float = CACHED_SECONDS) -> Caller:
        """The caller of a request with this ``authorization`` header, empty if it has none.

        Args:
            authorization: The header's value.
            cached_seconds: For how long a review of the same token counts; never beyond the token's own end.

        Raises:
            TokenRefused: The header has no valid token of a pod.
            TooManyReviews: Nobody looked at it: too many wait already.
            ClusterError: Nobody could look at it.
        """
        token = _token_of(authorization)
        digest = hashlib.sha256(token).digest()
        known = self._remembered(digest, cached_seconds)
        caller = known[0] if known else await self._ask(token, digest)
        if caller is None or caller.expires_at <= self._now():
            raise TokenRefused(
                "the token is expired, is not for this audience, or is not bound to a pod that exists; send the "
                "projected service-account token of the sidecar, as it is in its file now"
            )
        return caller

    def _remembered(self, digest: bytes, seconds: float = CACHED_SECONDS) -> tuple[Caller | None] | None:
        return self._valid.get(digest, seconds=seconds) or self._refused.get(digest, seconds=REFUSED_SECONDS)

    async def _ask(self, token: bytes, digest: bytes) -> Caller | None:
        if self._asking >= self._max_asking:
            raise TooManyReviews("too many tokens are being reviewed; nothing was looked at, ask again later")
        self._asking += 1
        try:
            async with asyncio.timeout(self._timeout_seconds), self._turns:
                known = self._remembered(digest)  # by who waited with us
                return known[0] if known else await self._reviewed(token, digest)
        except TimeoutError:
            why = f"no answer within {self._timeout_seconds:g} s"
            raise ClusterUnavailableError("review of a token", why) from None
        finally:
            self._asking -= 1

    async def _reviewed(self, token: bytes, digest: bytes) -> Caller | None:
        identity = await self._review(token.decode())
        expires_at = _expiry_of(token) if identity is not None else None
        caller = Caller(identity=identity, expires_at=expires_at) if identity and expires_at is not None else None
        if caller is None:
            self._valid.drop(digest)  # an older review may still count for somebody
        (self._valid if caller else self._refused).add(digest, caller)
        return caller


def _token_of(authorization: bytes) -> bytes:
    match = _BEARER.fullmatch(authorization) if len(authorization) <= MAX_TOKEN_BYTES else None
    if match is None:
        raise TokenRefused("no bearer token: send 'authorization: Bearer' and a projected service-account token")
    return match[1]


def _expiry_of(token: bytes) -> float | None:
    """When a token ends, as it says itself: to be believed only of one that was found valid."""
    payload = token.split(b".")[1]
    try:
        claims = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp
    except (binascii.Error, msgspec.DecodeError):
        return None
