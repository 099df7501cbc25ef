"""One sidecar process, from its sockets to its drained end."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
import uvloop

from grokwarden.audit.errors import AuditError, AuditUnavailableError
from grokwarden.edge.addresses import Address, address_of, listen, listen_unix
from grokwarden.edge.logs import log_stray_error
from grokwarden.errors import SettingsError
from grokwarden_sidecar.assembly import Sidecar
from grokwarden_sidecar.audit.writer import AuditWriter
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream
from grokwarden_sidecar.memory import settle_memory
from grokwarden_sidecar.serving.servers import HttpServer
from grokwarden_sidecar.settings import RunSettings, ServingSettings, SidecarSettings
from grokwarden_sidecar.supply import StartRefused, Supply

log = structlog.stdlib.get_logger(__name__)

_AUDIT_CLOSE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a started sidecar is reached."""

    listen: Address
    admin: Address


def run(settings: RunSettings | SidecarSettings, *, on_serving: Callable[[Serving], None]) -> None:
    """A sidecar has served until SIGTERM or SIGINT, and its calls have ended.

    Raises:
        StartRefused: The configuration can't be used.
        SettingsError: An address or the audit directory can't be used.
        AuditUnavailableError: Everything ended well, but audit records were lost.
    """
    try:
        uvloop.run(_run(settings, on_serving))
    except ExceptionGroup as group:  # the task group wraps whatever ends it
        if len(group.exceptions) == 1 and isinstance(group.exceptions[0], StartRefused):
            raise group.exceptions[0] from None
        raise


async def _run(settings: RunSettings | SidecarSettings, on_serving: Callable[[Serving], None]) -> None:
    asyncio.get_running_loop().set_exception_handler(log_stray_error)
    supply = _supply(settings)
    data_socket = listen(settings.listen, flag="--listen")
    admin_socket = listen(settings.admin, flag="--admin")
    with contextlib.ExitStack() as sockets:
        config_socket = None
        if supply.config_socket is not None:
            config_socket = sockets.enter_context(listen_unix(supply.config_socket, flag="--config-socket"))
        try:
            audit = AuditWriter(settings.audit_dir, clock=time.time)
        except (AuditError, OSError) as error:
            raise SettingsError(f"--audit-dir {settings.audit_dir}: {error}") from error
        serving = Serving(listen=address_of(data_socket), admin=address_of(admin_socket))
        try:
            async with AiohttpUpstream() as upstream, asyncio.TaskGroup() as tasks:
                sidecar = Sidecar(settings, supply, audit, upstream, tasks)
                servers = _Servers(sidecar, settings, data_socket, admin_socket, config_socket)
                await sidecar.start()
                settle_memory()
                log.info("serving", listen=str(serving.listen), admin=str(serving.admin), source=supply.description)
                await servers.serve(tasks, lambda: on_serving(serving))
                sidecar.stop()
                log.info("drained")
        finally:
            await _close_audit(audit)


def _supply(settings: RunSettings | SidecarSettings) -> Supply:
    """Where the configuration comes from; what the other way alone needs is not loaded."""
    if isinstance(settings, RunSettings):
        from grokwarden_sidecar.standalone import Standalone  # noqa: PLC0415

        return Standalone(settings)
    from grokwarden_sidecar.in_pod import InPod  # noqa: PLC0415

    return InPod(settings)


class _Servers:
    """The servers of one sidecar: for calls, for probes, and where it is another one, for the configuration."""

    def __init__(
        self,
        sidecar: Sidecar,
        settings: ServingSettings,
        data_socket: socket.socket,
        admin_socket: socket.socket,
        config_socket: socket.socket | None,
    ) -> None:
        """Nothing is served before ``serve``; from now on signals drain."""
        self._data = HttpServer(
            sidecar.data_plane,
            data_socket,
            drain_seconds=settings.drain_seconds,
            on_refused=sidecar.metrics.refused,
        )
        shows_config = config_socket is None
        self._admin = [HttpServer(sidecar.admin_plane(shows_config=shows_config), admin_socket, drain_seconds=1)]
        if config_socket is not None:
            self._admin.append(HttpServer(sidecar.admin_plane(shows_config=True), config_socket, drain_seconds=1))
        _on_signals(sidecar, self._data)

    async def serve(self, tasks: asyncio.TaskGroup, on_serving: Callable[[], None]) -> None:
        """Calls were served until a signal, and have ended; probes were answered to the end."""
        serving = [tasks.create_task(server.serve_forever()) for server in self._admin]
        on_serving()
        await self._data.serve_forever()
        for server in self._admin:
            server.stop(at_once=True)
        await asyncio.gather(*serving)


async def _close_audit(audit: AuditWriter) -> None:
    """The audit log is complete, or it was said what it lacks.

    Raises:
        AuditUnavailableError: Records were lost.
    """
    try:
        await audit.close(timeout_seconds=_AUDIT_CLOSE_SECONDS)
    except AuditUnavailableError as error:
        if audit.counters.lost:
            raise
        log.warning("audit_head_unwritten", reason=str(error))
    if lost := audit.counters.lost:
        raise AuditUnavailableError(f"{lost} audit records were lost while the proxy ran: {audit.counters.dropped}")


def _on_signals(sidecar: Sidecar, data: HttpServer) -> None:
    """SIGTERM and SIGINT drain; the second one ends at once."""

    def stop() -> None:
        data.stop(at_once=sidecar.is_draining)
        if not sidecar.is_draining:
            sidecar.is_draining = True
            log.info("draining")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
