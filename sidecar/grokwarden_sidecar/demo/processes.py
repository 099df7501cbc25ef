"""The processes of the demo: each a real ``grokwarden`` command, and each stopped whatever happens."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.waiting import wait_for

COMMAND: Final = (sys.executable, "-P", "-m", "grokwarden_sidecar.demo.child")
"""Works from every directory and every kind of installation; ``-P`` keeps the directory's own modules out."""

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 8.0
_SHOWN_LOG_CHARACTERS: Final = 2000


class Child:
    """A command that runs.

    Attributes:
        output: Where its standard output goes.
        log: Where its standard error goes.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], output: Path, log: Path) -> None:
        self.name = name
        self.output = output
        self.log = log
        self._process = process

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def find_output(self, pattern: str) -> re.Match[str]:
        """The first match in its output, once it is there.

        Raises:
            DemoError: The process ended, or said nothing of the kind; the message holds the end of its log.
        """
        try:
            found = wait_for(
                lambda: self._match(pattern) or self.has_ended, "its address", timeout_seconds=_START_SECONDS
            )
        except DemoError as error:
            raise DemoError(f"grokwarden {self.name} did not start: {error}{self._tail()}") from error
        found = found if isinstance(found, re.Match) else self._match(pattern)
        if found is None:
            raise DemoError(f"grokwarden {self.name} ended with code {self._process.returncode}{self._tail()}")
        return found

    def finish(self) -> int:
        """The exit code of a command that ends by itself.

        Raises:
            DemoError: It goes on.
        """
        try:
            return self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"grokwarden {self.name} did not end{self._tail()}") from error

    def stop(self) -> None:
        """It has ended: told to, and killed if it does not listen."""
        if not self.has_ended:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except BaseException as error:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _match(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.output.read_text(encoding="utf-8"))

    def _tail(self) -> str:
        said = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return f"; it said:\n{said[-_SHOWN_LOG_CHARACTERS:]}" if said else ""


@contextmanager
def running(
    *arguments: str, folder: Path, name: str | None = None, extra: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """``grokwarden ARGUMENTS`` runs until the block ends.

    Args:
        arguments: The first one names the command.
        name: The process's own, if the command's is not enough to tell it from others.
        folder: Its working directory; ``NAME.out`` and ``NAME.log`` are written there.
        extra: Variables that only this process gets.
    """
    name = name or arguments[0]
    output, log = folder / f"{name}.out", folder / f"{name}.log"
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
            [*COMMAND, *arguments],
            cwd=folder,
            env={**os.environ, **(extra or {})},  # noqa: TID251 - passed on as it is; nothing is read from it
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its children in order
        )
    child = Child(name, process, output, log)
    try:
        yield child
    finally:
        child.stop()
