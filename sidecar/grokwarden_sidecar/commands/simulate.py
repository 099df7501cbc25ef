"""``grokwarden simulate``: a Grok on this machine that answers as api.x.ai does, and fails on request."""

import asyncio
import ipaddress
import os
import signal
import socket
from typing import Annotated

import typer

from grokwarden_sidecar.simulate import Simulator, SimulatorSettings, simulator
from grokwarden_sidecar.simulate.server import listening_socket

_BAD_USAGE = 2


def simulate(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:41010",
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Accept this key only; without it any key is accepted.")
    ] = None,
) -> None:
    """Run a simulated Grok: chat completions, streams, tools, models, xAI's own errors, and faults on request."""
    listener = _bind(listen)
    asyncio.run(_serve_until_told(listener, SimulatorSettings(key=key)))


def _bind(listen: str) -> socket.socket:
    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= 65535):
        raise _refusal(f"--listen {listen}: expected HOST:PORT, such as 127.0.0.1:41010")
    host = host.strip("[]")
    try:
        listener = listening_socket(host, int(port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise _refusal(
            f"--listen {listen}: can't listen there ({reason}); nothing was started. "
            "Stop what uses the port, or choose another one; port 0 takes a free one."
        ) from error
    if not _is_loopback(listener):
        typer.echo(f"warning: {listen} can be reached from other machines; the simulator shows all it gets", err=True)
    return listener


def _refusal(message: str) -> typer.Exit:
    typer.echo(f"grokwarden simulate: {message}", err=True)
    return typer.Exit(_BAD_USAGE)


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


async def _serve_until_told(listener: socket.socket, settings: SimulatorSettings) -> None:
    """Serve until SIGINT or SIGTERM; both are a normal end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator(settings, listener=listener) as running:
        typer.echo(_banner(running, settings))
        await stop.wait()
    typer.echo("grokwarden simulate: stopped")


def _banner(running: Simulator, settings: SimulatorSettings) -> str:
    keys = "any key" if settings.key is None else "only the key of --key"
    return f"""grokwarden simulate: a simulated Grok at {running.base_url} (accepts {keys}; Ctrl-C stops it)

  ask       curl {running.base_url}/chat/completions -H 'Authorization: Bearer KEY' \\
              -d '{{"model": "grok-4.3", "messages": [{{"role": "user", "content": "Hello"}}]}}'
  a fault   write [[simulate: status=503]] into the last user message, or
            curl {running.url}/_simulate/next -d '{{"status": 503}}' -H 'Content-Type: application/json'
  received  curl {running.url}/_simulate/calls
"""
