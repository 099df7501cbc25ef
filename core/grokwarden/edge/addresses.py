"""Where a process listens: what a flag says, and the socket that comes of it, for both planes.

A sidecar loads this, so it imports nothing else of this package.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grokwarden.errors import SettingsError

_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, flag: str) -> "Address":
        """``HOST:PORT``, with an IPv6 host in brackets.

        Raises:
            SettingsError: It is something else.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"{flag}: {text!r} is not an address; expected HOST:PORT, such as 127.0.0.1:9090")
        return cls(host=host.strip("[]"), port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address, *, flag: str) -> socket.socket:
    """A listening socket.

    Raises:
        SettingsError: The address can't be had; the message says which flag names it.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{flag} {address}: can't listen there ({error.strerror}); choose another address"
        ) from error
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def listen_unix(path: Path, *, flag: str) -> Iterator[socket.socket]:
    """A listening socket that only this user can reach; its file is gone at the end.

    A socket's file that is there already is what a process before this one has left.

    Raises:
        SettingsError: It can't be had; the message says which flag names it.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)  # before anybody can connect
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{flag} {path}: can't listen there ({error.strerror or error}); choose another file"
        ) from error
    listener.setblocking(False)
    try:
        yield listener
    finally:
        path.unlink(missing_ok=True)


def address_of(listener: socket.socket) -> Address:
    """Where it listens, the port that a 0 became included."""
    host, port = listener.getsockname()[:2]
    return Address(host=host, port=port)
