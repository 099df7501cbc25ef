"""Free ports that stay free until their component listens."""

import random
import socket
from collections.abc import Iterator
from typing import Final

from e2e.cluster.errors import ClusterError
from e2e.cluster.state import Ports

_RANGE: Final = range(20_000, 30_000)
"""Below what systems give to outgoing connections and to servers that ask for any port, so that none gets ours."""


def free_ports(chance: random.Random) -> Ports:
    """A port for each component; nothing listens on any of them now."""
    free = _free(chance)
    try:
        return Ports(
            etcd=next(free),
            etcd_peers=next(free),
            api_server=next(free),
            controller_manager=next(free),
            scheduler=next(free),
        )
    except StopIteration:
        raise ClusterError(f"no five ports are free between {_RANGE.start} and {_RANGE.stop}") from None


def _free(chance: random.Random) -> Iterator[int]:
    for port in chance.sample(_RANGE, len(_RANGE)):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
