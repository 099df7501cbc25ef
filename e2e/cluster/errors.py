"""What can go wrong here, in the words of the one tree of errors."""

from pathlib import Path
from typing import Final

from grokwarden.errors import GrokwardenError

_SHOWN_LINES: Final = 15


class ClusterError(GrokwardenError):
    """The cluster can't be brought up, reached or taken down; the text says what to do."""


class PortTakenError(ClusterError):
    """Somebody else took a component's port between its choice and its use; another one will do."""


def last_lines(log: Path) -> str:
    """The end of a log, to be put after a message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return f"\nits log ({log}) ends:\n" + "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:] or ["(nothing)"])
