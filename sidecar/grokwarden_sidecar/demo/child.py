"""``python -P -m grokwarden_sidecar.demo.child ARGUMENTS``: a grokwarden command that never outlives its parent.

Its standard input is a pipe whose other end the parent holds. However the parent ends, the pipe ends with it, and the
command is told to stop as by SIGTERM.
"""

import os
import signal
import threading

from grokwarden.edge.cli import main


def _stop_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    main()
