"""Bundles from files, compiled whenever they change.

It is done in a child process, so that this one holds neither YAML nor pydantic, and a large pack's compilation never
delays a call.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from grokwarden.compilation import CHILD_MODULE, CompileReply, CompileRequest, decode_reply, encode_request
from grokwarden.errors import BundleError
from grokwarden_sidecar.configuration.bundle_source import Outcome, Rejection, Update

log = structlog.stdlib.get_logger(__name__)

_CHILD_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1  # some file systems tell nobody of a change; a look costs some 60 µs
_LONGEST_PAUSE_SECONDS: Final = 1.0  # that a change waits for more of them
_RETRY_SECONDS: Final = 2.0


class FileSource:
    """Files and directories, looked at ten times a second: a mounted ConfigMap's swap is a change like any other."""

    def __init__(self, request: CompileRequest) -> None:
        self._request = request
        self._warnings: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return "files: " + ", ".join(self._request.paths)

    async def updates(self) -> AsyncIterator[Update | Rejection]:
        """The first outcome at once, then one for each change of the files' content."""
        looks = _Looks(self._request.paths)
        failure = ""
        while True:
            stamp = await looks.change()
            try:
                outcome = self._outcome(await self._compile())
            except (OSError, TimeoutError, msgspec.DecodeError, BundleError) as error:
                if failure != (failure := f"the compiler failed: {error or type(error).__name__}"):
                    yield Rejection(problems=[failure])
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            looks.compiled, failure = stamp, ""
            yield outcome

    async def settled(self, outcome: Outcome) -> None:
        """Nobody waits for an answer to a file."""

    def _outcome(self, reply: CompileReply) -> Update | Rejection:
        warnings = tuple(remark.text for remark in reply.warnings)
        if warnings and warnings != self._warnings:
            log.warning("configuration_questionable", warnings=list(warnings))
        self._warnings = warnings
        bundle = reply.bundle
        if bundle is None:
            problems = [remark.text for remark in reply.problems]
            return Rejection(problems=problems, is_unreadable=reply.is_unreadable)
        return Update.of(bundle)

    async def _compile(self) -> CompileReply:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the working directory
            "-m",
            CHILD_MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_CHILD_SECONDS):
                out, err = await child.communicate(encode_request(self._request))
        finally:
            if child.returncode is None:
                child.kill()
        if child.returncode != 0:
            raise BundleError(f"exit {child.returncode}: {err.decode(errors='replace').strip()[-500:]}")
        return decode_reply(out)


class _Looks:
    """Looks at the files until they have changed, and until whoever writes them has paused.

    Attributes:
        compiled: The state that needs no more compiling; ``None`` at first, so that the first look finds a change.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self.compiled: str | None = None

    async def change(self) -> str:
        """The files' state, as soon as it is another one than ``compiled`` and the same in two looks.

        A writer that never pauses is waited for one second: then whatever is there is taken, and what follows later.
        """
        clock = asyncio.get_running_loop().time
        before, changed = self.compiled, None
        while True:
            stamp = await asyncio.to_thread(_stamp, self._paths)
            if stamp == self.compiled:
                changed = None
            elif self.compiled is None or stamp == before:
                return stamp
            elif changed is None:
                changed = clock()
            elif clock() - changed >= _LONGEST_PAUSE_SECONDS:
                return stamp
            before = stamp
            await asyncio.sleep(_LOOK_SECONDS)


def _stamp(paths: tuple[str, ...]) -> str:
    """What is the same as long as no file's name, identity, size or time has changed."""
    lines = []
    for path in map(Path, paths):
        try:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
        except OSError:
            files = [path]
        lines += [f"{file}: {_stamp_of(file)}" for file in files]
    return "\n".join(lines)


def _stamp_of(file: Path) -> str:
    try:
        found = file.stat()
    except OSError as error:
        return str(error.strerror)
    return f"{found.st_mtime_ns} {found.st_ino} {found.st_size} {found.st_dev}"
