"""The bytes behind the paths that a user names, read once: files, directories, standard input.

A directory may be a mounted ConfigMap: its files are symlinks through ``..data``, which is swapped as a whole. Names
that begin with a dot are left alone, which skips those internals.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
STDIN: Final = "-"
MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Three times what an API server stores of one object; a file holds several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file as it was read.

    Attributes:
        name: As the user would find it; ``<stdin>`` for standard input.
        data: Its bytes; empty if it could not be read.
        trouble: Why it could not be read, empty if it could.
        is_named: The user named this very file; it was not found in a directory.
    """

    name: str
    data: bytes = b""
    trouble: str = ""
    is_named: bool = True


def read_sources(paths: Sequence[str], *, stdin: BinaryIO | None = None) -> tuple[Source, ...]:
    """Every file behind the paths, in their order; a directory's files by name. A file reached twice is read once.

    Args:
        paths: Files, directories (``*.yaml``, ``*.yml``, ``*.json`` in them, not below them), or ``-``.
        stdin: What ``-`` stands for; without it ``-`` can't be read.
    """
    sources: list[Source] = []
    seen: set[str] = set()
    for source in _each(paths, stdin):
        identity = os.path.realpath(source.name)
        if identity not in seen:
            seen.add(identity)
            sources.append(source)
    return tuple(sources)


def fingerprint(paths: Sequence[str]) -> str:
    """A digest over the contents of all files behind the paths: it changes when any of them does. ``-`` never does."""
    return fingerprint_of(read_sources([path for path in paths if path != STDIN]))


def fingerprint_of(sources: Iterable[Source]) -> str:
    """The digest of what was read, so that a watcher can tell whether it has seen these very bytes."""
    digest = hashlib.sha256()
    for source in sources:
        for part in (source.name.encode(errors="surrogateescape"), source.trouble.encode(), source.data):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _each(paths: Sequence[str], stdin: BinaryIO | None) -> Iterator[Source]:
    for name in paths:
        path = Path(name)
        if name == STDIN:
            yield _standard_input(stdin)
        elif path.is_dir():
            yield from _directory(path)
        else:
            yield _file(path, is_named=True)


def _standard_input(stdin: BinaryIO | None) -> Source:
    if stdin is None:
        return Source(name="<stdin>", trouble="standard input can't be read here; name a file")
    return _bounded("<stdin>", stdin, is_named=True)


def _directory(path: Path) -> Iterator[Source]:
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        yield Source(name=str(path), trouble=f"can't be listed: {error.strerror}")
        return
    files = [entry for entry in entries if entry.suffix in SUFFIXES and not entry.name.startswith(".")]
    files = [
        entry for entry in files if entry.is_file() or not entry.exists()
    ]  # a dangling link is reported, a pipe not
    if not files:
        yield Source(name=str(path), trouble="the directory holds no .yaml, .yml or .json file")
    for file in files:
        yield _file(file, is_named=False)


def _file(path: Path, *, is_named: bool) -> Source:
    try:
        with open_file(path) as stream:
            return _bounded(str(path), stream, is_named=is_named)
    except OSError as error:
        return Source(name=str(path), trouble=f"can't be read: {error.strerror}", is_named=is_named)


def open_file(path: Path) -> BinaryIO:
    """The file, open to be read.

    Raises:
        OSError: It can't be, or is none: a pipe might never say a word, and a device never end.
    """
    # without O_NONBLOCK a pipe that nobody writes to would wait here
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise OSError(errno.EINVAL, "not a regular file; - reads standard input", str(path))


def _bounded(name: str, stream: BinaryIO, *, is_named: bool) -> Source:
    data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        return Source(name=name, trouble=f"larger than {MAX_FILE_BYTES // 2**20} MiB; split it", is_named=is_named)
    return Source(name=name, data=data, is_named=is_named)
