"""Single steps on the files of an audit directory, each of them whole or not at all after a crash."""

import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from grokwarden.audit.errors import AuditDirectoryBusyError, AuditKeyError
from grokwarden.audit.layout import LOCK_NAME, torn_name

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
SEALED_MODE: Final = 0o400

# A verifier holds the lock for a moment, to see whether a writer lives; a writer that was told to stop takes a moment.
_LOCK_ATTEMPTS: Final = 10
_LOCK_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TornTail:
    """Bytes of an unfinished record, kept in the file ``name``."""

    name: str
    size_bytes: int
    sha256: str


def lock_directory(directory: Path) -> int:
    """Make the directory if need be, and lock it until the returned descriptor is closed or the process ends.

    Raises:
        AuditDirectoryBusyError: Another writer holds the lock.
    """
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    pause = threading.Event()
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(_LOCK_PAUSE_SECONDS)
            continue
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}\n".encode(), 0)
        return fd
    holder = os.pread(fd, 64, 0).decode("utf-8", "replace").strip() or "unknown"
    os.close(fd)
    raise AuditDirectoryBusyError(str(directory), holder=holder)


def read_or_make_key(path: Path) -> Ed25519PrivateKey:
    """The writer's signing key, made at the first start.

    Raises:
        AuditKeyError: The file holds something else.
    """
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        key = Ed25519PrivateKey.generate()
        write_durably(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=FILE_MODE)
        return key
    try:
        loaded = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise AuditKeyError(f"{path}: expected an Ed25519 private key in PEM; not started") from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise AuditKeyError(f"{path}: expected an Ed25519 private key, found another kind; not started")
    return loaded


def write_durably(path: Path, content: bytes, *, mode: int) -> None:
    """Replace the file as a whole: a reader and a crash see the old content or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)


def set_torn_tail_aside(segment: Path, *, offset: int, size: int) -> TornTail | None:
    """Copy what follows ``offset`` to a file of its own; ``None`` if nothing does and no repair was interrupted.

    A file of that name means that a repair at this very place was interrupted: it holds what the crash left, and what
    the segment holds there now is at most a piece of our own record about it.
    """
    kept = segment.with_name(torn_name(segment.name, offset))
    if not kept.exists():
        if offset >= size:
            return None
        with segment.open("rb") as file:
            file.seek(offset)
            write_durably(kept, file.read(), mode=SEALED_MODE)
        sync_directory(segment.parent)
    torn = kept.read_bytes()
    return TornTail(name=kept.name, size_bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())


def sync_directory(directory: Path) -> None:
    """The names in the directory are on disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
