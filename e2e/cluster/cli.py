"""The commands ``up``, ``down``, ``status`` and ``kubeconfig``.

Results go to standard output, everything about them to standard error. Exit codes: 0 fine, 1 it did not work or
nothing is running, 2 bad usage.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import processes
from e2e.cluster.access import Questioner
from e2e.cluster.binaries import find_kubectl
from e2e.cluster.components import Component
from e2e.cluster.control_plane import existing_cluster, version_of
from e2e.cluster.errors import ClusterError
from e2e.cluster.local import LocalControlPlane, bring_up, running, take_down
from e2e.cluster.settings import default_state_directory
from e2e.cluster.state import StateDirectory


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "up" and not options.control_plane_only and not options.kubeconfig:
        parser.error("a cluster with a node can't be brought up yet: add --control-plane-only")
    try:
        if options.kubeconfig:
            return _with_existing(options.command, options.kubeconfig)
        return _with_local(options.command, StateDirectory(options.state_dir or default_state_directory()))
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing was left running")
        return 128 + signal.SIGINT


def say(text: str) -> None:
    """Tell a person."""
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m e2e.cluster", description="A Kubernetes control plane for development and tests."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("up", "bring it up; one that runs already is kept"),
        ("down", "end its processes and remove its state"),
        ("status", "say what runs; exit 1 unless everything does"),
        ("kubeconfig", "print the path of the administrator's kubeconfig"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        place = command.add_mutually_exclusive_group()
        place.add_argument("--state-dir", type=Path, metavar="DIR", help="where the cluster lives")
        place.add_argument("--kubeconfig", type=Path, metavar="FILE", help="use this cluster instead")
        if name == "up":
            command.add_argument("--control-plane-only", action="store_true", help="without a node")
    return parser


def _with_local(command: str, state: StateDirectory) -> int:
    match command:
        case "up":
            return _up(state)
        case "down":
            say("the cluster is gone" if take_down(state, say=say) else f"no cluster in {state.path}")
            return 0
        case "status":
            return _status(state)
        case _:
            return _kubeconfig(state)


def _up(state: StateDirectory) -> int:
    control_plane = bring_up(state, say=say)
    say(f"API server: {control_plane.server}")
    say(f"kubectl:    {control_plane.kubectl} --kubeconfig {control_plane.kubeconfig}")
    return 0


def _status(state: StateDirectory) -> int:
    control_plane = running(state)
    if control_plane is None:
        print(f"no cluster in {state.path}")
        return 1
    for component in Component:
        print(f"{component:<24} {_condition(control_plane, component)}")
    if control_plane.is_healthy:
        version = Questioner(state.keys).version(control_plane.description.ports.api_server)
        print(f"Kubernetes {version} at {control_plane.server}")
    print(f"kubeconfig: {control_plane.kubeconfig}")
    print(f"logs:       {state.log(Component.ETCD).parent}")
    return 0 if control_plane.is_healthy else 1


def _condition(control_plane: LocalControlPlane, component: Component) -> str:
    process = processes.recorded(control_plane.state.record(component))
    if process is None or not process.is_running:
        return "not running"
    return f"{'ready' if control_plane.is_ready(component) else 'not ready'}, pid {process.pid}"


def _kubeconfig(state: StateDirectory) -> int:
    control_plane = running(state)
    if control_plane is None:
        say(f"error: no cluster in {state.path}: bring one up with `python -m e2e.cluster up --control-plane-only`")
        return 1
    print(control_plane.kubeconfig)
    return 0


def _with_existing(command: str, kubeconfig: Path) -> int:
    """The same commands on a cluster that others started: it is looked at, and never changed."""
    if command == "down":
        say("that cluster was not started here: nothing to take down")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        cluster = existing_cluster(kubeconfig, kubectl=find_kubectl(say=say), folder=Path(folder))
        if command == "kubeconfig":
            print(cluster.kubeconfig)
        else:
            print(f"Kubernetes {version_of(cluster)} at {cluster.server}")
    return 0
