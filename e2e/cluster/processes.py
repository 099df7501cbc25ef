"""Processes that outlive the command that started them, and are found again by later ones.

A process id alone is no proof: ids are used again, at the latest after a reboot. So what is written down holds the time
at which the process started, and nothing is signalled whose time differs.
"""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from e2e.cluster.waiting import came_true

_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as it was when it started.

    Attributes:
        birth: When it started, in words of the system; with the id it names one process for ever.
    """

    pid: int
    birth: str

    @property
    def is_running(self) -> bool:
        """It has not ended. A child of ours that has is reaped."""
        birth, has_ended = _look_at(self.pid)
        if birth == self.birth and has_ended:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
        return birth == self.birth and not has_ended

    def stop(self, *, grace_seconds: float) -> None:
        """It has ended: by itself within the grace period, or killed."""
        for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, _KILL_SECONDS)):
            if self.is_running:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)
            if came_true(lambda: not self.is_running, timeout_seconds=seconds):
                return


def start(command: Sequence[str], *, log: Path, record: Path) -> Process:
    """The command runs in a session of its own, so that Ctrl-C in the caller's terminal doesn't reach it.

    Args:
        command: An absolute path and its arguments.
        log: Where its output is appended.
        record: Where to write down which process it is.
    """
    pid = os.posix_spawn(
        command[0],
        list(command),
        {"PATH": os.defpath, "HOME": str(log.parent)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE],
    )
    process = Process(pid=pid, birth=_look_at(pid)[0])
    record.write_text(json.dumps(asdict(process)), encoding="utf-8")
    return process


def recorded(record: Path) -> Process | None:
    """The process that was written down; ``None`` if none was, or what is there can't be read."""
    try:
        return Process(**json.loads(record.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _look_at(pid: int) -> tuple[str, bool]:
    """When the process with that id started, and whether only its remains are left, or nothing."""
    if not Path("/proc/self/stat").exists():
        asked = subprocess.run(
            ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        condition, _, birth = asked.stdout.strip().partition(" ")
        return birth.strip(), condition[:1] in {"", "Z"}
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", True
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {after_name[19]}", after_name[0] in {"Z", "X"}
