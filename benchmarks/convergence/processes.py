"""What the system says of processes: their processor time and memory. Linux alone says it in this way."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_RESET_PEAK: Final = "5"


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes so far, all their threads."""
    return sum(_cpu_ticks(pid) for pid in pids) / _TICKS


def busy_seconds() -> float:
    """Time for which processors were not idle since the machine's start, all of them together."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _idle, _waiting, *others = map(int, line.split()[1:9])
    return (user + nice + system + sum(others)) / _TICKS


def resident_mib(pid: int) -> float:
    """The process's memory now."""
    return _status_mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most memory that the process had since its start, or since ``reset_peak``."""
    return _status_mib(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """The peak is what the process has now."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def _cpu_ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def _status_mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} has no {name}")
