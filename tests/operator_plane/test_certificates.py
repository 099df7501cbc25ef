"""What a replica makes of the Secret with the authority, and what that does to the connections it serves."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from grokwarden.edge.addresses import Address, listen
from grokwarden_operator.certs.authority import AUTHORITY_LIFETIME, LEAF_LIFETIME
from grokwarden_operator.certs.keeper import AUTHORITY_NAME, CertificateKeeper
from grokwarden_operator.cluster.client import OwnSecret, Write
from grokwarden_operator.cluster.errors import ClusterUnavailableError
from grokwarden_operator.serving import serve
from tls_handshakes import shake_hands, trusting

NAME = "operator.test"
AWAY = ClusterUnavailableError("GET secret", "no connection")


@dataclass
class Objects:
    """One Secret and one ConfigMap as an API server keeps them: versions, conflicts, outages."""

    secret: dict[str, bytes] | None = None
    trust: str = ""
    version: int = 0
    is_away: bool = False
    is_contended: bool = False
    refuses_config_maps: bool = False
    history: list[Mapping[str, bytes]] = field(default_factory=list)

    async def read_secret(self, name: str) -> OwnSecret | None:
        await self._travel(name)
        return None if self.secret is None else self._own()

    async def create_secret(self, name: str, entries: Mapping[str, bytes]) -> OwnSecret | Write:
        await self._travel(name)
        return Write.EXISTS if self.secret is not None else self._put(entries)

    async def update_secret(
        self, name: str, entries: Mapping[str, bytes], *, resource_version: str
    ) -> OwnSecret | Write:
        await self._travel(name)
        if self.is_contended:
            self.version += 1
        if self.secret is None:
            return Write.GONE
        return Write.CHANGED if resource_version != str(self.version) else self._put(entries)

    async def publish(self, name: str, entries: Mapping[str, str]) -> None:
        await self._travel(name)
        if self.refuses_config_maps:
            raise AWAY
        self.trust = entries["ca.crt"]

    async def _travel(self, name: str) -> None:
        assert name == AUTHORITY_NAME
        await asyncio.sleep(0)
        if self.is_away:
            raise AWAY

    def _put(self, entries: Mapping[str, bytes]) -> OwnSecret:
        self.version += 1
        self.secret = dict(entries)
        self.history.append(self.secret)
        return self._own()

    def _own(self) -> OwnSecret:
        return OwnSecret(name=AUTHORITY_NAME, resource_version=str(self.version), entries=dict(self.secret or {}))


class Clock:
    """The time of day, which stands still unless it is moved."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, time: timedelta) -> None:
        self.time += time


@pytest.fixture
def objects():
    return Objects()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keeper(objects, clock):
    return new_keeper(objects, clock)


def new_keeper(objects: Objects, clock: Clock) -> CertificateKeeper:
    return CertificateKeeper(objects, namespace="grokwarden-system", names=[NAME], now=clock)


def presented_by(keeper: CertificateKeeper, trust: str) -> x509.Certificate:
    """What a sidecar with this trust is given, and accepts."""
    return shake_hands(trusting(trust.encode(), whenever=True), keeper.ssl_context, name=NAME)


async def test_what_is_published_is_enough_to_believe_the_server(keeper, objects):
    """The ConfigMap is all that a sidecar ever gets to know of the authority."""
    await keeper.look()

    assert presented_by(keeper, objects.trust)
    assert b"PRIVATE KEY" in objects.secret["ca.key"]
    assert "PRIVATE KEY" not in objects.trust
    assert (keeper.problem, keeper.has_certificate) == (None, True)


async def test_replicas_that_start_together_agree_on_one_authority(objects, clock):
    """Each one making its own, sidecars would trust the one that wrote last and refuse the others."""
    replicas = [new_keeper(objects, clock) for _ in range(5)]
    await asyncio.gather(*(replica.look() for replica in replicas))

    assert len(objects.history) == 1
    for replica in replicas:
        assert presented_by(replica, objects.trust)


async def test_replicas_that_rotate_together_take_one_step(objects, clock):
    """A next authority for each replica, only the last would be published, and the others would sign with theirs."""
    replicas = [new_keeper(objects, clock) for _ in range(5)]
    await asyncio.gather(*(replica.look() for replica in replicas))
    clock.pass_by(AUTHORITY_LIFETIME * 2 / 3)
    await asyncio.gather(*(replica.look() for replica in replicas))
    await asyncio.gather(*(replica.look() for replica in replicas))

    assert objects.trust.count("BEGIN CERTIFICATE") == 2
    assert len({entries["next.crt"] for entries in objects.history if "next.crt" in entries}) == 1
    assert [sorted(entries) for entries in objects.history[1:]] == [
        ["ca.crt", "ca.key", "next.crt", "next.key"],
        ["ca.crt", "ca.key", "next.crt", "next.key", "next.published"],
    ]


async def test_the_next_authority_signs_only_after_its_bundle_was_out_for_a_day(keeper, objects, clock):
    """A sidecar that read the bundle yesterday must believe today's certificate."""
    await keeper.look()
    yesterday = objects.trust
    clock.pass_by(AUTHORITY_LIFETIME * 2 / 3)
    objects.refuses_config_maps = True
    for _ in range(3):
        clock.pass_by(timedelta(days=1))
        await keeper.look()
        assert presented_by(keeper, yesterday), "nobody could learn of the next one, so it may not sign"

    objects.refuses_config_maps = False
    await keeper.look()
    both = objects.trust
    clock.pass_by(timedelta(hours=23))
    await keeper.look()
    assert presented_by(keeper, yesterday)

    clock.pass_by(timedelta(hours=2))
    await keeper.look()
    assert presented_by(keeper, both)
    with pytest.raises(ssl.SSLCertVerificationError):
        presented_by(keeper, yesterday)

    clock.pass_by(timedelta(hours=25))
    await keeper.look()
    assert objects.trust.count("BEGIN CERTIFICATE") == 1
    assert presented_by(keeper, objects.trust)


async def test_the_certificate_is_renewed_when_a_third_of_its_life_is_left(keeper, objects, clock):
    """An expired one cuts off every sidecar at once."""
    await keeper.look()
    first = presented_by(keeper, objects.trust)
    clock.pass_by(timedelta(days=19))
    await keeper.look()
    assert presented_by(keeper, objects.trust) == first

    clock.pass_by(timedelta(days=2))
    await keeper.look()
    second = presented_by(keeper, objects.trust)
    assert second.serial_number != first.serial_number
    assert keeper.expires_at == second.not_valid_after_utc.timestamp()
    assert second.not_valid_after_utc > clock() + LEAF_LIFETIME - timedelta(minutes=1)


async def test_the_certificate_is_renewed_while_the_api_server_is_away(keeper, objects, clock):
    """The authority is in memory: no outage is long enough to lose the sidecars."""
    await keeper.look()
    objects.is_away = True
    clock.pass_by(timedelta(days=29))
    await keeper.look()

    assert presented_by(keeper, objects.trust).not_valid_after_utc > clock() + timedelta(days=29)
    assert "no connection" in keeper.problem

    objects.is_away = False
    await keeper.look()
    assert keeper.problem is None


@pytest.mark.parametrize("entry", ["ca.crt", "ca.key"])
async def test_a_damaged_secret_is_never_replaced(objects, clock, entry):
    """Sidecars may trust what was in it; a new authority would cut all of them off, and nobody had asked for it."""
    first = new_keeper(objects, clock)
    await first.look()
    good = dict(objects.secret)
    objects.secret |= {entry: b"damaged"}
    damaged = dict(objects.secret)
    restarted = new_keeper(objects, clock)
    with capture_logs() as logs:
        for _ in range(3):
            await restarted.look()
            await first.look()

    assert objects.secret == damaged
    assert not restarted.has_certificate
    assert "grokwarden-system/grokwarden-ca" in restarted.problem
    assert "restore it from a backup" in restarted.problem.lower()
    assert presented_by(first, objects.trust), "what is in memory goes on"
    assert [each["log_level"] for each in logs if each["event"] == "certificates_unkept"] == ["error", "error"]

    objects.secret = good
    await restarted.look()
    assert presented_by(restarted, objects.trust)


async def test_a_running_replica_renews_although_the_secret_is_damaged(keeper, objects, clock):
    """The person who has to mend it may be away for longer than a certificate lives."""
    await keeper.look()
    objects.secret |= {"ca.key": b"damaged"}
    clock.pass_by(timedelta(days=29))
    await keeper.look()

    assert presented_by(keeper, objects.trust).not_valid_after_utc > clock() + timedelta(days=29)


async def test_a_secret_that_was_deleted_is_put_back(keeper, objects):
    """The way out of a damaged one, and of a slip of the hand: sidecars notice nothing."""
    await keeper.look()
    before = dict(objects.secret)
    objects.secret = None
    await keeper.look()

    assert objects.secret == before
    assert keeper.problem is None


async def test_a_secret_that_others_keep_changing_is_left_for_the_next_look(keeper, objects, clock):
    """Whoever fights over it without an end keeps the API server busy and gets nowhere."""
    await keeper.look()
    objects.is_contended = True
    clock.pass_by(AUTHORITY_LIFETIME * 2 / 3)
    await keeper.look()
    assert "keeps being changed by others" in keeper.problem
    assert presented_by(keeper, objects.trust)

    objects.is_contended = False
    await keeper.look()
    assert objects.trust.count("BEGIN CERTIFICATE") == 2


async def test_an_empty_secret_is_filled(objects, clock):
    """A chart makes it, so that the operator needs no right to create Secrets."""
    objects.secret = {}
    keeper = new_keeper(objects, clock)
    await keeper.look()

    assert presented_by(keeper, objects.trust)
    assert {"ca.crt", "ca.key"} == set(objects.secret)


async def test_a_bundle_that_somebody_has_changed_is_mended(keeper, objects):
    """Whoever may write ConfigMaps there must not be able to make sidecars believe another server for long."""
    await keeper.look()
    right = objects.trust
    objects.trust = "somebody else's"
    await keeper.look()

    assert objects.trust == right


async def test_no_key_leaves_by_a_log_line_or_a_representation(keeper, objects, clock):
    """Logs are read by more people than Secrets."""
    with capture_logs() as logs:
        await keeper.look()
        clock.pass_by(AUTHORITY_LIFETIME * 2 / 3)
        await keeper.look()
        objects.secret |= {"next.key": b"-----BEGIN PRIVATE KEY-----"}
        await keeper.look()
        objects.secret |= {"ca.key": b"-----BEGIN PRIVATE KEY-----"}
        await keeper.look()

    assert {each["event"] for each in logs} >= {"authority_rotated", "authority_entries_dropped", "certificates_unkept"}
    held = {name: value for name, value in vars(keeper).items() if value is not objects}
    assert "PRIVATE" not in f"{logs} {keeper!r} {held} {keeper.problem}"


async def test_it_looks_often_until_there_is_a_certificate_and_then_once_a_minute(objects, clock):
    """An operator that starts before its API server must not keep sidecars waiting for a minute afterwards."""
    pauses: list[float] = []
    enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        objects.is_away = len(pauses) < 3
        if len(pauses) == 5:
            enough.set()
        await asyncio.sleep(0)

    objects.is_away = True
    keeper = CertificateKeeper(objects, namespace="x", names=[NAME], now=clock, pause=pause)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keeper.run())
        await keeper.wait_issued()
        await enough.wait()
        running.cancel()

    assert pauses[:5] == [2.0, 2.0, 2.0, 60.0, 60.0]


async def count_up(scope, receive, send):
    """Streams a number each 10 ms, until the client leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in itertools.count():
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def counting_server(keeper: CertificateKeeper):
    """A server that counts up on each stream; its port."""
    listener = listen(Address(host="127.0.0.1", port=0), flag="--listen-config")
    port = listener.getsockname()[1]
    server = serve(count_up, listener, ssl_context=keeper.ssl_context)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve_forever())
        yield port
        server.stop(at_once=True)
        async with asyncio.timeout(10):
            await serving


@contextlib.asynccontextmanager
async def stream(port: int, trust: str):
    """An open stream of a client that trusts this: its reader, and the certificate it was given."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusting(trust.encode(), whenever=True), server_hostname=NAME
    )
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    try:
        yield reader, x509.load_der_x509_certificate(der)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def count_on(reader: asyncio.StreamReader) -> None:
    """Ten more numbers come."""
    async with asyncio.timeout(5):
        for _ in range(10):
            assert await reader.readuntil(b"\n")


async def test_an_open_stream_survives_a_rotation_and_the_next_one_gets_the_new_certificate(keeper, objects, clock):
    """A storm of reconnecting sidecars every 20 days would be our own doing."""
    await keeper.look()
    before = objects.trust
    async with counting_server(keeper) as port, stream(port, before) as (old_reader, old_certificate):
        await count_on(old_reader)
        clock.pass_by(AUTHORITY_LIFETIME * 2 / 3)
        await keeper.look()
        clock.pass_by(timedelta(hours=25))
        await keeper.look()
        assert keeper.problem is None
        await count_on(old_reader)

        async with stream(port, objects.trust) as (new_reader, new_certificate):
            await count_on(new_reader)
            await count_on(old_reader)
        assert new_certificate.issuer != old_certificate.issuer
