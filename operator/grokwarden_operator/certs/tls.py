"""The TLS that the operator serves with, and how a key gets into it: the library takes it from a path alone."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ALPN: Final = ("http/1.1",)


def server_context() -> ssl.SSLContext:
    """TLS 1.2 or newer, with no certificate yet. Nothing is resumed, so every new connection sees the newest one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(list(_ALPN))
    return context


def present(context: ssl.SSLContext, *, chain_pem: bytes, key_pem: bytes) -> None:
    """New connections get this chain; those that are open keep on as they are."""
    content = key_pem + chain_pem
    with file_in_memory(content) if hasattr(os, "memfd_create") else file_in_private_directory(content) as path:
        context.load_cert_chain(path)


@contextlib.contextmanager
def file_in_memory(content: bytes) -> Iterator[str]:
    """A path that this process alone can open; the content is on no file system."""
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@contextlib.contextmanager
def file_in_private_directory(content: bytes, *, parent: Path | None = None) -> Iterator[str]:
    """A path that this user alone can open, where there are no files in memory; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="grokwarden-", dir=parent) as directory:
        path = Path(directory, "certificate.pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield str(path)
