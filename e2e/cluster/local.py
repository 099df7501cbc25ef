"""A control plane of processes on this machine: brought up, found again, stopped in part, taken down."""

import datetime
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import processes
from e2e.cluster.access import Questioner, write_kubeconfig
from e2e.cluster.binaries import KUBECTL, find_binaries
from e2e.cluster.certificates import write_certificates
from e2e.cluster.components import Component, command, health_check, kubeconfig_of, port_of
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.errors import ClusterError, PortTakenError, last_lines
from e2e.cluster.ports import free_ports
from e2e.cluster.settings import module_environment
from e2e.cluster.state import Description, StateDirectory
from e2e.cluster.waiting import came_true

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 5.0
_ROOT: Final = Path(__file__).parents[2]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalControlPlane(ControlPlane):
    """A control plane whose components can be stopped and started one by one."""

    state: StateDirectory
    description: Description

    def start(self, *components: Component) -> None:
        """The components run and are ready, on the ports, keys and data that they had before.

        Raises:
            ClusterError: One ended, or is not ready in time; the text holds the end of its log.
        """
        for component in components:
            log, record = self.state.log(component), self.state.record(component)
            processes.start(command(component, self.state, self.description), log=log, record=record)
        for component in components:
            self._await(component)

    def _await(self, component: Component) -> None:
        log = self.state.log(component)
        if not came_true(
            lambda: not self.is_running(component) or self.is_ready(component), timeout_seconds=_START_SECONDS
        ):
            raise ClusterError(f"{component} is not ready after {_START_SECONDS:g} s{last_lines(log)}")
        if not self.is_running(component):
            lines = last_lines(log)
            kind = PortTakenError if "address already in use" in lines else ClusterError
            raise kind(f"{component} ended at its start{lines}")

    def stop(self, component: Component, *, grace_seconds: float = _STOP_SECONDS) -> None:
        """The component has ended, and stays away until it is started; 0 seconds of grace kill it."""
        stop_component(self.state, component, grace_seconds=grace_seconds)

    @contextmanager
    def outage(self, component: Component, *, grace_seconds: float = _STOP_SECONDS) -> Iterator[None]:
        """The component is away for the block; afterwards all are ready again, also those that died of it."""
        self.stop(component, grace_seconds=grace_seconds)
        try:
            yield
        finally:
            self.start(component)
            self.start(*(other for other in Component if not self.is_running(other)))

    def is_running(self, component: Component) -> bool:
        process = processes.recorded(self.state.record(component))
        return process is not None and process.is_running

    def is_ready(self, component: Component) -> bool:
        """It says of itself that it is."""
        port = port_of(component, self.description.ports)
        return Questioner(self.state.keys).is_passed(health_check(component), port)

    @property
    def is_healthy(self) -> bool:
        """Every component runs and is ready."""
        return all(self.is_running(component) and self.is_ready(component) for component in Component)


def bring_up(state: StateDirectory, *, say: Say) -> LocalControlPlane:
    """The control plane of that directory runs, ready for work. One that does so already is kept as it is.

    What is left of one that doesn't run as a whole any more is removed: its data may be torn.

    Raises:
        ClusterError: There are no binaries, or a component does not start; then all are stopped, and the logs stay.
    """
    with state.locked(say):
        found = running(state)
        if found and found.is_healthy:
            say("the cluster is running already")
            return found
        if found:
            say("an earlier cluster is not running as a whole any more: making a new one")
        binaries = find_binaries(say=say)
        started = time.monotonic()
        try:
            control_plane = _started(state, binaries)
        except PortTakenError:
            control_plane = _started(state, binaries)
        say(f"ready after {time.monotonic() - started:.1f} s")
        return control_plane


def running(state: StateDirectory) -> LocalControlPlane | None:
    """The control plane of that directory as it was brought up, healthy or not; ``None`` if there is none."""
    description = state.description()
    return _attached(state, description) if description and state.kubeconfig.is_file() else None


def _started(state: StateDirectory, binaries: Mapping[str, Path]) -> LocalControlPlane:
    """A new control plane; nothing is left of what was in the directory."""
    leave_nothing_running(state)
    state.clear()
    description = Description(ports=free_ports(random.Random()), binaries=binaries)
    state.describe(description)
    write_certificates(state.keys, now=datetime.datetime.now(datetime.UTC))
    _write_kubeconfigs(state, description)
    control_plane = _attached(state, description)
    try:
        control_plane.start(Component.ETCD)
        control_plane.start(Component.API_SERVER)
        control_plane.start(Component.CONTROLLER_MANAGER, Component.SCHEDULER)
    except BaseException:
        leave_nothing_running(state)
        raise
    return control_plane


def take_down(state: StateDirectory, *, say: Say) -> bool:
    """No process of that control plane is left, and the directory is gone; whether there was one."""
    if not state.is_ours:
        return False
    with state.locked(say):
        leave_nothing_running(state)
        state.remove()
    return True


def leave_nothing_running(state: StateDirectory) -> None:
    """Every component that was started from that directory has ended; nothing else is touched."""
    for component in reversed(Component):
        stop_component(state, component, grace_seconds=_STOP_SECONDS)


def stop_component(state: StateDirectory, component: Component, *, grace_seconds: float) -> None:
    """The component has ended, if it is still the process that was written down."""
    process = processes.recorded(state.record(component))
    if process is not None:
        process.stop(grace_seconds=grace_seconds)
    state.record(component).unlink(missing_ok=True)


@contextmanager
def running_cluster(folder: Path, *, say: Say = lambda _: None) -> Iterator[LocalControlPlane]:
    """A control plane of its own for the block, in an empty folder; it ends with the block, or with this process."""
    state = StateDirectory(folder)
    with _guard(state):
        try:
            yield bring_up(state, say=say)
        finally:
            take_down(state, say=say)


@contextmanager
def _guard(state: StateDirectory) -> Iterator[None]:
    """A process that takes the cluster down when this one has ended, however it did."""
    watching = [sys.executable, "-P", "-m", "e2e.cluster.guard", str(state.path)]
    environment = module_environment(_ROOT)
    with subprocess.Popen(watching, stdin=subprocess.PIPE, env=environment, start_new_session=True, cwd="/"):
        yield  # the end of the block closes the pipe, and waits for the guard


def _attached(state: StateDirectory, description: Description) -> LocalControlPlane:
    return LocalControlPlane(
        kubeconfig=state.kubeconfig,
        kubectl=description.binaries[KUBECTL],
        server=description.server,
        ca=state.ca,
        state=state,
        description=description,
    )


def _write_kubeconfigs(state: StateDirectory, description: Description) -> None:
    for component in (Component.CONTROLLER_MANAGER, Component.SCHEDULER):
        path = kubeconfig_of(component, state.keys)
        write_kubeconfig(path, server=description.server, keys=state.keys, name=component.value)
    write_kubeconfig(state.kubeconfig, server=description.server, keys=state.keys, name="admin")
