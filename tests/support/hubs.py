"""A hub of streams without sockets: what would be written, and what an answer changes."""

import time
from typing import Any

from config_plane import ack_of
from grokwarden.config_stream import StreamEvent, read_event
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.stream.frames import Encoding
from grokwarden_operator.stream.hub import StreamHub
from grokwarden_operator.stream.pod_stream import PodStream


class Bell:
    """Counts how often reports have changed."""

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self) -> None:
        self.rings += 1


def hub_of(**settings: Any) -> StreamHub:
    """A hub that nobody listens to."""
    return StreamHub(**{"clock": time.monotonic, "on_report": Bell(), **settings})


def opened(
    hub: StreamHub, uid: str = "a", *, instance: str = "process-1", held: frozenset[str] = frozenset()
) -> PodStream:
    return hub.open(uid, instance=instance, held=held, encoding=Encoding.PLAIN)


async def sent(stream: PodStream) -> list[StreamEvent]:
    """The kinds of what is to be sent next; a ping if there is nothing."""
    return [read_event(event)[0] for event in await stream.next(0.01)]


async def acked(hub: StreamHub, stream: PodStream, *configs: PodConfig) -> None:
    """Each of these was published, sent and answered."""
    for each in configs:
        hub.publish({stream.pod_uid: each})
        await stream.next(0.01)
        hub.acknowledge(stream.pod_uid, ack_of(each))
