"""``python -P -m grokwarden_sidecar.demo.child ARGUMENTS``: a grokwarden command that never outlives its parent.

Its standard input is a pipe whose other end the parent holds. However the parent ends, the pipe ends with it, and the
command is told to stop as by SIGTERM.
"""

import os
import signal
import subprocess
import sys
import threading
from typing import Final

_COMMAND: Final = (sys.executable, "-P", "-c", "from grokwarden.edge.cli import main; main()")


def main(arguments: list[str]) -> int:
    """The command's exit code."""
    command = subprocess.Popen([*_COMMAND, *arguments], stdin=subprocess.DEVNULL)  # noqa: S603 - our own interpreter
    signal.signal(signal.SIGTERM, lambda *_: command.terminate())
    threading.Thread(target=_stop_with_parent, args=(command,), daemon=True).start()
    return command.wait()


def _stop_with_parent(command: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):
        pass
    command.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
