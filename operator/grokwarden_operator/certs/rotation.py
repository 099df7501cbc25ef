"""How one authority follows another without a sidecar ever meeting a certificate that it can't trust. Pure.

| step | trusted | signs | ends |
|---|---|---|---|
| ``AtRest`` | current | current | when a third of the current one's lifetime is left |
| ``Made`` | current, next | current | when a bundle with both was published |
| ``Announced`` | current, next | current | ``overlap`` later |
| ``Replaced`` | current, previous | current, which was next | ``overlap`` later |

The overlap is for sidecars, which read the published bundle now and then. An authority that has expired is worth
nothing to anybody, so it is replaced at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509

from grokwarden_operator.certs.authority import (
    Authority,
    AuthorityError,
    certificate_pem,
    new_authority,
    read_certificate,
    renewal_time,
)

CURRENT_CERTIFICATE: Final = "ca.crt"
CURRENT_KEY: Final = "ca.key"
NEXT_CERTIFICATE: Final = "next.crt"
NEXT_KEY: Final = "next.key"
NEXT_PUBLISHED: Final = "next.published"
PREVIOUS_CERTIFICATE: Final = "previous.crt"
PREVIOUS_REPLACED: Final = "previous.replaced"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


class Step(StrEnum):
    """How far a rotation has come."""

    AT_REST = "AtRest"
    MADE = "Made"
    ANNOUNCED = "Announced"
    REPLACED = "Replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """The authorities that are kept.

    Attributes:
        current: Signs.
        next: Will sign, and is trusted already.
        published_at: Since when the published bundle has had ``next``; ``None``: nobody has made sure yet.
        previous: Signed before, and is still trusted; its key is gone.
        replaced_at: Since when ``current`` has signed in its stead.
    """

    current: Authority
    next: Authority | None = None
    published_at: datetime | None = None
    previous: x509.Certificate | None = None
    replaced_at: datetime | None = None

    @property
    def step(self) -> Step:
        """How far a rotation has come."""
        if self.next is not None:
            return Step.MADE if self.published_at is None else Step.ANNOUNCED
        return Step.AT_REST if self.previous is None else Step.REPLACED

    @property
    def trusted(self) -> tuple[x509.Certificate, ...]:
        """What sidecars are to trust now."""
        found = (self.current.certificate, self.next.certificate if self.next else None, self.previous)
        return tuple(certificate for certificate in found if certificate is not None)


def advance(custody: Custody, now: datetime, *, overlap: timedelta) -> Custody:
    """The custody after the step that is due; the same object if none is."""
    if custody.current.certificate.not_valid_after_utc <= now:
        return _after_expiry(custody, now)
    if custody.next is None:
        is_due = custody.previous is None and now >= renewal_time(custody.current.certificate)
        return replace(custody, next=new_authority(now)) if is_due else _forgotten(custody, now, overlap)
    if custody.published_at is None or now < custody.published_at + overlap:
        return custody
    return Custody(current=custody.next, previous=custody.current.certificate, replaced_at=now)


def _after_expiry(custody: Custody, now: datetime) -> Custody:
    successor = custody.next
    if successor is None or successor.certificate.not_valid_after_utc <= now:
        successor = new_authority(now)
    return Custody(current=successor)


def _forgotten(custody: Custody, now: datetime, overlap: timedelta) -> Custody:
    if custody.previous is None:
        return custody
    if custody.replaced_at is None:
        return replace(custody, replaced_at=now)
    return Custody(current=custody.current) if now >= custody.replaced_at + overlap else custody


def has_authority(entries: Mapping[str, bytes]) -> bool:
    """Whether anything of an authority is in there, damaged or not. A Secret that was only made ready has nothing."""
    names = (CURRENT_CERTIFICATE, CURRENT_KEY, NEXT_CERTIFICATE, NEXT_KEY, PREVIOUS_CERTIFICATE)
    return any(entries.get(name) for name in names)


def encode_custody(custody: Custody) -> dict[str, bytes]:
    """What is kept in the Secret."""
    entries = {CURRENT_CERTIFICATE: custody.current.certificate_pem, CURRENT_KEY: custody.current.key_pem}
    if custody.next is not None:
        entries |= {NEXT_CERTIFICATE: custody.next.certificate_pem, NEXT_KEY: custody.next.key_pem}
        entries |= _time_entry(NEXT_PUBLISHED, custody.published_at)
    if custody.previous is not None:
        entries[PREVIOUS_CERTIFICATE] = certificate_pem(custody.previous)
        entries |= _time_entry(PREVIOUS_REPLACED, custody.replaced_at)
    return entries


def decode_custody(entries: Mapping[str, bytes]) -> tuple[Custody, tuple[str, ...]]:
    """What ``encode_custody`` gave, and the entries that were left out because they can't be read.

    Only what nothing was ever signed with is left out: the next authority, which is then made anew, and the previous
    one, which is trusted for a day more at most.

    Raises:
        AuthorityError: The current authority is missing or damaged.
    """
    for name in (CURRENT_CERTIFICATE, CURRENT_KEY):
        if not entries.get(name):
            raise AuthorityError(f"{name} is missing")
    current = Authority.from_pem(entries[CURRENT_CERTIFICATE], entries[CURRENT_KEY])
    damaged: list[str] = []
    successor: Authority | None = None
    if NEXT_CERTIFICATE in entries or NEXT_KEY in entries:
        try:
            successor = Authority.from_pem(entries.get(NEXT_CERTIFICATE, b""), entries.get(NEXT_KEY, b""))
        except AuthorityError:
            damaged.append(NEXT_CERTIFICATE)
    previous: x509.Certificate | None = None
    if PREVIOUS_CERTIFICATE in entries:
        try:
            previous = read_certificate(entries[PREVIOUS_CERTIFICATE])
        except AuthorityError:
            damaged.append(PREVIOUS_CERTIFICATE)
    custody = Custody(
        current=current,
        next=successor,
        published_at=_time(entries, NEXT_PUBLISHED) if successor else None,
        previous=previous,
        replaced_at=_time(entries, PREVIOUS_REPLACED) if previous else None,
    )
    return custody, tuple(damaged)


def _time_entry(name: str, time: datetime | None) -> dict[str, bytes]:
    return {} if time is None else {name: time.astimezone(UTC).strftime(_TIME_FORMAT).encode()}


def _time(entries: Mapping[str, bytes], name: str) -> datetime | None:
    try:
        return datetime.strptime(entries.get(name, b"").decode(), _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
