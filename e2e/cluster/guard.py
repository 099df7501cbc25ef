"""``python -m e2e.cluster.guard STATE_DIR``: takes a cluster down as soon as standard input ends.

The other end of that pipe is held by whoever started the cluster. However it ends, the pipe ends with it.
"""

import sys
from pathlib import Path

from e2e.cluster.local import take_down
from e2e.cluster.state import StateDirectory

if __name__ == "__main__":
    sys.stdin.buffer.read()
    take_down(StateDirectory(Path(sys.argv[1])), say=lambda _: None)
