"""One operator process: everything is made here, and taken down in order."""

import asyncio
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
import uvloop

from grokwarden.edge.addresses import address_of, listen
from grokwarden.edge.logs import log_stray_error
from grokwarden_operator.certs.keeper import CertificateKeeper
from grokwarden_operator.cluster.client import Cluster, open_cluster
from grokwarden_operator.cluster.connection import Connection, connection_to
from grokwarden_operator.cluster.errors import ClusterError
from grokwarden_operator.cluster.values import PodIdentity
from grokwarden_operator.controller import Controller, Told
from grokwarden_operator.good_versions import GoodVersions
from grokwarden_operator.inbox import Inbox
from grokwarden_operator.listing import Kind, PodFact, SecretFact, SecretTrouble, StoredResource
from grokwarden_operator.metrics import OperatorMetrics
from grokwarden_operator.probes import probe_app
from grokwarden_operator.reconcile.compiling import ResourceCompiler
from grokwarden_operator.reconcile.reconcile import ReconcileSettings
from grokwarden_operator.serving import HttpServer, serve
from grokwarden_operator.settings import OperatorSettings
from grokwarden_operator.status.writer import StatusWriter
from grokwarden_operator.stream.bounded_server import BoundedServer
from grokwarden_operator.stream.config_server import ConfigApi
from grokwarden_operator.stream.hub import StreamHub
from grokwarden_operator.stream.identity import Authenticator
from grokwarden_operator.watching.inventory import Inventory
from grokwarden_operator.watching.secret_watches import SecretWatches
from grokwarden_operator.watching.watching import Watching

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DRAIN_SECONDS: Final = 3.0
_RETRY_SECONDS: Final = 2.0


def run(settings: OperatorSettings) -> int:
    """The exit code, once SIGTERM or SIGINT has ended the operator. Streams end; sidecars keep what they have.

    Raises:
        SettingsError: An address or the kubeconfig can't be used.
    """
    uvloop.run(_run(settings))
    return 0


async def _run(settings: OperatorSettings) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_stray_error)
    _allow_files()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sockets = _Sockets(
        config=listen(settings.listen_config, flag="--listen-config"),
        http=listen(settings.listen_http, flag="--listen-http"),
    )
    connection = await connection_to(settings.kubeconfig)
    async with (
        open_cluster(connection, namespace=settings.namespace, now=_utc_now) as cluster,
        asyncio.TaskGroup() as tasks,
    ):
        operator = _Operator(settings, connection, cluster, tasks, sockets)
        operator.start()
        log.info("serving", config=str(address_of(sockets.config)), http=str(address_of(sockets.http)))
        await stop.wait()
        log.info("draining")
        await operator.stop()
    log.info("drained")


@dataclass(frozen=True, slots=True)
class _Sockets:
    """Bound, so that a bad address is told before anything else is begun."""

    config: socket.socket
    http: socket.socket


class _Operator:
    """The parts of one operator, joined."""

    def __init__(
        self,
        settings: OperatorSettings,
        connection: Connection,
        cluster: Cluster,
        tasks: asyncio.TaskGroup,
        sockets: _Sockets,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []
        self._is_draining = False
        self._has_published = False
        self._metrics = OperatorMetrics()
        self._inbox = Inbox()
        self._inventory = Inventory()
        self._versions = GoodVersions(cluster)
        self._hub = StreamHub(clock=time.monotonic, on_report=self._inbox.ring)
        self._secrets = SecretWatches(self._watch_secret, self._found_secret, tasks)
        self._writer = StatusWriter(
            cluster,
            is_leader=lambda: True,  # the only replica
            clock=time.monotonic,
            now=_utc_now,
            version_of=self._inventory.version,
            on_result=self._metrics.status_written,
        )
        self._certificates = CertificateKeeper(
            cluster, namespace=settings.namespace, names=settings.dns_names, now=_utc_now
        )
        self._watching = Watching(
            connection=connection,
            cluster=cluster,
            inventory=self._inventory,
            wake=self._inbox.ring,
            clock=time.monotonic,
        )
        self._config_server = self._config_server_on(sockets.config)
        self._probe_server = self._probe_server_on(sockets.http)
        self._metrics.watch_streams(self._hub.counts)
        self._metrics.watch_watches(self._watching.ages, lambda: self._watching.restarts)
        self._metrics.watch_certificate(lambda: self._certificates.expires_at)

    def start(self) -> None:
        """Everything is under way; what waits for the API server waits by itself."""
        work = (
            self._probe_server.serve_forever(),
            self._certificates.run(),
            self._watching.run(),
            self._writer.run(),
            self._control(),
            self._serve_streams(),
        )
        self._running = [self._tasks.create_task(each) for each in work]

    async def stop(self) -> None:
        """Streams have ended, and nothing runs any more."""
        self._is_draining = True
        self._config_server.stop()
        *others, streams = self._running
        if self._certificates.has_certificate:
            await asyncio.wait([streams], timeout=_DRAIN_SECONDS + 2)
        self._probe_server.stop()
        self._secrets.stop()
        for task in (*others[1:], streams):
            task.cancel()

    def _config_server_on(self, listener: socket.socket) -> BoundedServer:
        authenticator = Authenticator(self._cluster.review_token, clock=time.monotonic, now=time.time)
        api = ConfigApi(self._hub, authenticator, self._find_pod, now=time.time)
        return BoundedServer(
            api.app(),
            listener,
            self._certificates.ssl_context,
            on_stop=self._hub.shut_down,
            drain_seconds=_DRAIN_SECONDS,
        )

    def _probe_server_on(self, listener: socket.socket) -> HttpServer:
        app = probe_app(
            metrics=self._metrics.render, troubles=self._troubles, unready=self._unready, remarks=self._remarks
        )
        return serve(app, listener)

    async def _serve_streams(self) -> None:
        """Sidecars are served as soon as there is a certificate; what they are to have comes with the first round."""
        await self._certificates.wait_issued()
        await self._config_server.serve_forever()

    async def _control(self) -> None:
        """Rounds, as soon as everything that one needs is known."""
        await self._watching.ready()
        stored = await self._stored()
        controller = Controller(
            inbox=self._inbox,
            inventory=self._inventory,
            secrets=self._secrets,
            compiler=ResourceCompiler(root_namespace=self._settings.namespace, stored=stored),
            versions=self._versions,
            told=Told(hub=self._hub, writer=self._writer, metrics=self._metrics),
            settings=ReconcileSettings(
                root_namespace=self._settings.namespace, egress_hosts=self._settings.egress_hosts
            ),
        )
        await controller.run(on_published=self._published)

    async def _stored(self) -> Mapping[str, StoredResource]:
        """The last good versions, waited for: without them something in force could be taken away."""
        while True:
            try:
                return await self._versions.load()
            except ClusterError as error:
                log.warning("good_versions_unread", reason=str(error), is_retried=True)
            await asyncio.sleep(_RETRY_SECONDS)

    def _published(self) -> None:
        if not self._has_published:
            log.info("first_round_published")
        self._has_published = True

    async def _find_pod(self, identity: PodIdentity) -> PodFact | None:
        """The pod of that identity, asked for if its watch event has not come yet."""
        known = self._inventory.pod(identity.pod_uid)
        if known is not None:
            return known
        found = await self._cluster.get_pod(identity.namespace, identity.pod_name)
        if found is not None and self._inventory.put(Kind.POD, found):
            self._inbox.ring()
        return found

    def _watch_secret(self, namespace: str, name: str) -> AsyncIterator[SecretFact | SecretTrouble]:
        if namespace in self._settings.secret_namespaces:
            return self._cluster.watch_secret(namespace, name)
        return _forbidden()

    def _found_secret(self, namespace: str, name: str, found: SecretFact | SecretTrouble | None) -> None:
        if self._inventory.put_secret(namespace, name, found):
            self._inbox.ring()

    def _troubles(self) -> list[str]:
        if self._watching.healthy():
            return []
        return ["the watches are dead and could not be started anew: what changes in the cluster is not heard"]

    def _unready(self) -> list[str]:
        reasons = {
            "the operator is draining": self._is_draining,
            "the cluster's objects are not listed completely yet": not self._watching.is_ready,
            "there is no certificate for the config stream yet": not self._certificates.has_certificate,
            "nothing has been published yet": not self._has_published,
        }
        return [reason for reason, holds in reasons.items() if holds]

    def _remarks(self) -> list[str]:
        told = "nothing new is heard from the API server; sidecars have what it said last"
        unheard = f"{told}: {self._watching.problem}" if self._watching.problem else ""
        return [remark for remark in (unheard, self._certificates.problem) if remark]


async def _forbidden() -> AsyncIterator[SecretFact | SecretTrouble]:
    """Of a Secret in a namespace where none may be read: that, and nothing more."""
    yield SecretTrouble.FORBIDDEN


def _allow_files() -> None:
    """As many open files as this process may have: each sidecar takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _utc_now() -> datetime:
    return datetime.now(UTC)
