"""Keeps the operator's authority in a Secret, tells sidecars whom to trust, and renews this replica's certificate.

What it holds to:

- The Secret is made by whichever replica comes first; the others take what they find there.
- A Secret whose current authority can't be read is never replaced: sidecars may trust it, and a new one would cut all
  of them off. It is an error until a person mends it; meanwhile the authority that is in memory goes on signing.
- A Secret that is gone is put back from memory. To have a new authority, delete it and restart every replica.
- The leaf's key leaves this process for the TLS library alone, through memory.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from grokwarden_operator.certs.authority import (
    AuthorityError,
    Leaf,
    issue_server_certificate,
    new_authority,
    trust_bundle,
)
from grokwarden_operator.certs.rotation import Custody, Step, advance, decode_custody, encode_custody, has_authority
from grokwarden_operator.certs.tls import present, server_context
from grokwarden_operator.cluster.client import OwnSecret, Write
from grokwarden_operator.cluster.errors import ClusterError

log = structlog.stdlib.get_logger(__name__)

AUTHORITY_NAME: Final = "grokwarden-ca"
"""Of the Secret with the authority and of the ConfigMap with what is to be trusted."""
TRUST_ENTRY: Final = "ca.crt"
"""Of that ConfigMap: PEM of every authority that is to be trusted."""
LOOK_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 2.0
OVERLAP_SECONDS: Final = 24 * 3600.0
_ATTEMPTS: Final = 5
_UNUSABLE: Final = (
    "Secret {secret}: {error}; it is left as it is, because sidecars may trust that authority. Restore it from a "
    "backup; or delete it, and a replica that still has the authority in memory puts it back; if none has, a new one "
    "is made, which sidecars accept once they have read the new ConfigMap"
)


class AuthorityStore(Protocol):
    """What is needed of the API server, all of it in the operator's own namespace; ``Cluster`` has it."""

    async def read_secret(self, name: str) -> OwnSecret | None:
        """A Secret, or ``None`` if there is none."""

    async def create_secret(self, name: str, entries: Mapping[str, bytes]) -> OwnSecret | Write:
        """The new Secret, or EXISTS."""

    async def update_secret(
        self, name: str, entries: Mapping[str, bytes], *, resource_version: str
    ) -> OwnSecret | Write:
        """The Secret with these entries alone; or CHANGED if it was not of that version any more, or GONE."""

    async def publish(self, name: str, entries: Mapping[str, str]) -> None:
        """The ConfigMap of that name says that."""


class _OvertakenError(Exception):
    """Another replica was faster; what it did is to be read first."""


class CertificateKeeper:
    """One replica's certificate, and its part in keeping the authority.

    Attributes:
        ssl_context: For servers. Always the same object; what is renewed is what it presents to new connections.
        problem: What a person has to mend, or why the last look failed; ``None`` if it went well.
    """

    def __init__(
        self,
        store: AuthorityStore,
        *,
        namespace: str,
        names: Sequence[str],
        now: Callable[[], datetime],
        overlap_seconds: float = OVERLAP_SECONDS,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is asked or made before ``look`` or ``run``.

        Args:
            store: The API server.
            namespace: The operator's own, for messages.
            names: By which sidecars reach this replica.
            now: With a time zone.
            overlap_seconds: How long sidecars have to learn of the next authority before it signs.
            pause: Waits between two looks.
        """
        self.ssl_context = server_context()
        self.problem: str | None = None
        self._store = store
        self._secret = f"{namespace}/{AUTHORITY_NAME}"
        self._names = tuple(names)
        self._now = now
        self._overlap = timedelta(seconds=overlap_seconds)
        self._pause = pause
        self._custody: Custody | None = None
        self._leaf: Leaf | None = None
        self._issued = asyncio.Event()

    @property
    def has_certificate(self) -> bool:
        """A server may listen."""
        return self._leaf is not None

    @property
    def expires_at(self) -> float:
        """When the certificate does, in seconds since the epoch; NaN without one."""
        return self._leaf.expires_at.timestamp() if self._leaf else float("nan")

    async def wait_issued(self) -> None:
        """There is a certificate."""
        await self._issued.wait()

    async def run(self) -> None:
        """Looks for ever: once a minute, and more often while there is no certificate yet."""
        while True:
            await self.look()
            await self._pause(LOOK_SECONDS if self.has_certificate else RETRY_SECONDS)

    async def look(self) -> None:
        """Whatever is due is done, or ``problem`` says why not. The leaf is renewed even without the API server."""
        try:
            await self._keep()
        except AuthorityError as error:
            self._tell(_UNUSABLE.format(secret=self._secret, error=error), is_ours_to_wait=False)
        except _OvertakenError:
            self._tell(f"Secret {self._secret} keeps being changed by others; it is looked at again shortly")
        except ClusterError as error:
            self._tell(str(error), is_ours_to_wait=error.is_retriable)
        else:
            self.problem = None

    async def _keep(self) -> None:
        try:
            self._custody = await self._settled_custody()
        finally:
            self._renew_leaf()
        await self._publish(self._custody)

    async def _settled_custody(self) -> Custody:
        """What the Secret holds, after the step that is due."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(_OvertakenError):
                return await self._stepped_custody()
        raise _OvertakenError

    async def _stepped_custody(self) -> Custody:
        now = self._now()
        stored = await self._store.read_secret(AUTHORITY_NAME)
        if stored is None or not has_authority(stored.entries):
            custody = self._custody or Custody(current=new_authority(now))
            await self._write(custody, stored)
            log.info("authority_written", secret=self._secret, is_new=self._custody is None)
            return custody
        found, damaged = decode_custody(stored.entries)
        due = advance(found, now, overlap=self._overlap)
        if damaged:
            log.warning("authority_entries_dropped", secret=self._secret, entries=list(damaged))
        if due is not found or damaged:
            await self._write(due, stored)
            log.info("authority_rotated", secret=self._secret, step=due.step.value)
        return due

    async def _write(self, custody: Custody, stored: OwnSecret | None) -> None:
        entries = encode_custody(custody)
        if stored is None:
            done = await self._store.create_secret(AUTHORITY_NAME, entries)
        else:
            done = await self._store.update_secret(stored.name, entries, resource_version=stored.resource_version)
        if isinstance(done, Write):
            raise _OvertakenError

    async def _publish(self, custody: Custody) -> None:
        """Sidecars can learn whom to trust; from now on they are given time to."""
        bundle = trust_bundle(custody.trusted).decode()
        await self._store.publish(AUTHORITY_NAME, {TRUST_ENTRY: bundle})
        if custody.step is Step.MADE:
            with contextlib.suppress(_OvertakenError):  # the next look sees what they did
                await self._announce(custody)

    async def _announce(self, custody: Custody) -> None:
        """It is noted since when the bundle is out, if the Secret still says what was published."""
        stored = await self._store.read_secret(AUTHORITY_NAME)
        if stored is None or decode_custody(stored.entries)[0] != custody:
            raise _OvertakenError
        await self._write(replace(custody, published_at=self._now()), stored)
        log.info("authority_rotated", secret=self._secret, step=Step.ANNOUNCED.value)

    def _renew_leaf(self) -> None:
        """The certificate is the current authority's, with a third of its life left, unless that has expired."""
        now = self._now()
        if self._custody is None or self._custody.current.certificate.not_valid_after_utc <= now:
            return
        authority = self._custody.current
        leaf = self._leaf
        if leaf is not None and leaf.issuer_pem == authority.certificate_pem and now < leaf.renew_at:
            return
        leaf = issue_server_certificate(authority, self._names, now=now)
        present(self.ssl_context, chain_pem=leaf.chain_pem, key_pem=leaf.key_pem)
        self._leaf = leaf
        self._issued.set()
        log.info("certificate_issued", names=list(self._names), expires_at=leaf.expires_at.isoformat())

    def _tell(self, problem: str, *, is_ours_to_wait: bool = True) -> None:
        """A problem is logged when it is another than before."""
        if problem != self.problem:
            tell = log.warning if is_ours_to_wait else log.error
            tell("certificates_unkept", problem=problem, has_certificate=self.has_certificate)
        self.problem = problem
