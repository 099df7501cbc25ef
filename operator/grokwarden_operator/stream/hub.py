"""The hub between what is decided and who is to know: configurations go out by it, the sidecars' answers come back.

It lives on the loop and on one thread, waits for nothing and knows no sockets. What it has of a pod ends with the pod.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from grokwarden.config_stream import Ack
from grokwarden.errors import GrokwardenError
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.reports import SidecarReport
from grokwarden_operator.stream.acks import AckProblem, AckRefused, Answers
from grokwarden_operator.stream.frames import Encoding, Frames
from grokwarden_operator.stream.pod_stream import PodStream, StreamEnd

GRACE_SECONDS: Final = 15.0
UNCLAIMED_SECONDS: Final = 60.0
_WOKEN_AT_ONCE: Final = 32  # then others have a turn: a thousand writes take some 0.2 s


class TooManyStreams(GrokwardenError):
    """There is no room for one more stream."""


class SidecarState(StrEnum):
    """What is known of one sidecar."""

    ACKED = "acked"  # all of what it is to have is in force
    NACKED = "nacked"  # it refuses some of it
    STALE = "stale"  # it has not answered what it is to have
    GONE = "gone"  # its stream ended and did not come back


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCounts:
    """Figures for metrics.

    Attributes:
        open: Streams, now.
        sidecars: By state, now: of all pods whose stream was open since they are there.
        ended: Streams so far, by reason.
        acks: Answers so far: ``accepted``, or the problem for which one was refused.
        refused: Requests of any kind that were refused so far, by the reason that was told.
        bytes_sent: So far, before TLS.
    """

    open: int
    sidecars: Mapping[SidecarState, int]
    ended: Mapping[StreamEnd, int]
    acks: Mapping[str, int]
    bytes_sent: int
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Sidecar:
    """One pod's sidecar. ``closed_at`` counts while there is no stream, and ``grace`` runs then."""

    instance: str
    stream: PodStream | None = field(default=None, repr=False)
    closed_at: float = 0.0
    grace: asyncio.TimerHandle | None = field(default=None, repr=False)
    answers: Answers = field(default_factory=Answers, repr=False)


class StreamHub:
    """All streams, and what came back on each.

    Args:
        clock: Monotonic seconds.
        on_report: Is called when ``reports`` would say something else than before.
        grace_seconds: How long a sidecar without a stream counts as there: tokens are renewed, networks hiccup.
        unclaimed_seconds: How long a stream may wait for a publication that has its pod.
        max_streams: For more there is no room.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        on_report: Callable[[], None],
        grace_seconds: float = GRACE_SECONDS,
        unclaimed_seconds: float = UNCLAIMED_SECONDS,
        max_streams: int = 5000,
    ) -> None:
        self._clock = clock
        self._on_report = on_report
        self._grace_seconds = grace_seconds
        self._unclaimed_seconds = unclaimed_seconds
        self._max_streams = max_streams
        self._frames = Frames()
        self._wanted: Mapping[str, PodConfig] = {}
        self._sidecars: dict[str, _Sidecar] = {}
        self._open: set[PodStream] = set()
        self._ended: Counter[StreamEnd] = Counter()
        self._acks: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._bytes_sent = 0
        self._is_shut_down = False

    # What the controller does.

    def publish(self, pods: Mapping[str, PodConfig]) -> None:
        """Each pod is to have this, by uid; a pod that was in the mapping before and isn't now is gone."""
        gone, self._wanted = self._wanted.keys() - pods.keys(), dict(pods)
        for uid in gone:
            self._forget(uid)
        self._frames.retain({config.bundle.version: config.bundle for config in pods.values()}.values())
        changed = [stream for stream in self._open if (config := pods.get(stream.pod_uid)) and stream.offer(config)]
        self._ring(iter(changed))

    def reports(self) -> Mapping[str, SidecarReport]:
        """What each sidecar has said, by pod uid; nothing for pods that never had a stream."""
        return {uid: self._report(uid, sidecar) for uid, sidecar in self._sidecars.items()}

    def counts(self) -> StreamCounts:
        """Figures for metrics."""
        return StreamCounts(
            open=len(self._open),
            sidecars=Counter(self._state(uid, sidecar) for uid, sidecar in self._sidecars.items()),
            ended=self._ended.copy(),
            acks=self._acks.copy(),
            refused=self._refused.copy(),
            bytes_sent=self._bytes_sent,
        )

    def shut_down(self) -> None:
        """All streams end, and there will be no other."""
        self._is_shut_down = True
        for stream in self._open:
            stream.end(StreamEnd.SHUT_DOWN)

    # What the server does, for pods that it has made sure of.

    def open(self, pod_uid: str, *, instance: str, held: frozenset[str], encoding: Encoding) -> PodStream:
        """A new stream of this pod, its only one from now on. To be given back to ``close``.

        Raises:
            TooManyStreams: There is no room for it.
        """
        sidecar = self._sidecars.get(pod_uid)
        older = sidecar.stream if sidecar else None
        if self._is_shut_down or (older is None and len(self._open) >= self._max_streams):
            raise TooManyStreams("this operator has no room for another stream; ask again later, or another replica")
        if older is not None:
            older.end(StreamEnd.REPLACED)
        if sidecar is None or sidecar.instance != instance:
            has_changed = sidecar is None or not self._is_current(sidecar) or sidecar.answers.manifest != ""
            sidecar = self._sidecars[pod_uid] = _Sidecar(instance=instance)
        else:
            has_changed = not self._is_current(sidecar)
        answers = sidecar.answers
        sidecar.stream = stream = PodStream(
            pod_uid,
            instance=instance,
            held=held,
            encoding=encoding,
            frames=self._frames,
            on_manifest=lambda bundle: answers.remember(bundle.version, bundle.manifest),
        )
        self._open.add(stream)
        if (config := self._wanted.get(pod_uid)) is not None:
            stream.offer(config)
        else:
            asyncio.get_running_loop().call_later(self._unclaimed_seconds, self._end_unclaimed, stream)
        if has_changed:
            self._on_report()
        return stream

    def close(self, stream: PodStream) -> None:
        """The stream is over: nothing is written to it any more."""
        self._open.discard(stream)
        self._ended[stream.ended or StreamEnd.SHUT_DOWN] += 1
        sidecar = self._sidecars.get(stream.pod_uid)
        if sidecar is not None and sidecar.stream is stream:
            sidecar.stream = None
            sidecar.closed_at = self._clock()
            if sidecar.grace is not None:
                sidecar.grace.cancel()
            self._lapse(stream.pod_uid, sidecar)

    def acknowledge(self, pod_uid: str, ack: Ack, *, instance: str = "") -> None:
        """The pod's sidecar has said this.

        Args:
            pod_uid: By its token.
            ack: Well-formed; what it says is not believed yet.
            instance: The process that says so, if it does.

        Raises:
            AckRefused: It answers something that this sidecar was not sent.
        """
        try:
            has_changed = self._answers(pod_uid, instance).take(ack)
        except AckRefused as refused:
            self._acks[refused.problem] += 1
            raise
        self._acks["accepted"] += 1
        if has_changed:
            self._on_report()

    def count_sent(self, size_bytes: int) -> None:
        """So many bytes more were written to some stream."""
        self._bytes_sent += size_bytes

    def count_refused(self, reason: str) -> None:
        """A request was refused for this reason."""
        self._refused[reason] += 1

    def _answers(self, pod_uid: str, instance: str) -> Answers:
        sidecar = self._sidecars.get(pod_uid)
        if sidecar is None:
            raise AckRefused(AckProblem.NO_STREAM, "this pod has no stream here")
        if instance not in ("", sidecar.instance):
            raise AckRefused(AckProblem.OTHER_INSTANCE, "the pod's stream is another process's")
        return sidecar.answers

    def _ring(self, streams: Iterator[PodStream]) -> None:
        """Rings for all, a few at a time."""
        for stream in itertools.islice(streams, _WOKEN_AT_ONCE):
            stream.ring()
        if (following := next(streams, None)) is not None:
            following.ring()
            asyncio.get_running_loop().call_soon(self._ring, streams)

    def _forget(self, pod_uid: str) -> None:
        sidecar = self._sidecars.pop(pod_uid, None)
        if sidecar is not None and sidecar.stream is not None:
            sidecar.stream.end(StreamEnd.POD_GONE)

    def _end_unclaimed(self, stream: PodStream) -> None:
        if stream.is_waiting:
            stream.end(StreamEnd.UNCLAIMED)

    def _lapse(self, pod_uid: str, sidecar: _Sidecar) -> None:
        """Once the grace of a sidecar is over, its report says so; one whose pod nobody knows has none any more."""
        if self._sidecars.get(pod_uid) is not sidecar or sidecar.stream is not None:
            return
        if (left := sidecar.closed_at + self._grace_seconds - self._clock()) > 0:
            sidecar.grace = asyncio.get_running_loop().call_later(left, self._lapse, pod_uid, sidecar)
            return
        if pod_uid not in self._wanted:
            del self._sidecars[pod_uid]
        self._on_report()

    def _is_current(self, sidecar: _Sidecar) -> bool:
        return sidecar.stream is not None or self._clock() - sidecar.closed_at < self._grace_seconds

    def _report(self, uid: str, sidecar: _Sidecar) -> SidecarReport:
        return SidecarReport(
            pod_uid=uid,
            is_current=self._is_current(sidecar),
            manifest=sidecar.answers.manifest,
            packs=sidecar.answers.packs,
        )

    def _state(self, uid: str, sidecar: _Sidecar) -> SidecarState:
        if not self._is_current(sidecar):
            return SidecarState.GONE
        wanted = self._wanted.get(uid)
        if wanted is None or sidecar.answers.manifest != wanted.bundle.version:
            return SidecarState.STALE
        is_applied = all(pack.applied for pack in sidecar.answers.packs.values())
        return SidecarState.ACKED if is_applied else SidecarState.NACKED
