"""Every metric of the operator, with bounded labels: packs, namespaces and kinds that exist, and words of our own.

What others count is read from them at each scrape, so that no figure is kept twice.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from grokwarden_operator.listing import Kind, Listing
from grokwarden_operator.plan import StatusDraft, Truth
from grokwarden_operator.reconcile.convergence import Converged
from grokwarden_operator.status.status_object import WriteResult
from grokwarden_operator.stream.acks import AckProblem
from grokwarden_operator.stream.hub import SidecarState, StreamCounts
from grokwarden_operator.stream.pod_stream import StreamEnd

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST
READY: Final = "Ready"
"""The state of a resource all of whose conditions hold."""
UNCONNECTED: Final = "unconnected"
"""The state of a sidecar that never opened a stream here."""
_PREFIX: Final = "grokwarden_operator_"
_CONVERGENCE_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_RECONCILE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class OperatorMetrics:
    """The registry and everything in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._pods_with_sidecar = 0
        self._packs: frozenset[str] = frozenset()
        self._convergence = Histogram(
            f"{_PREFIX}convergence_seconds",
            "Time from when the operator first saw a generation of a pack to when every sidecar of its pods ran it.",
            ["pack"],
            buckets=_CONVERGENCE_BUCKETS,
            registry=self.registry,
        )
        self._reconcile = Histogram(
            f"{_PREFIX}reconcile_seconds",
            "Time that one round took, from the listing to what every pod is to have and every status is to say.",
            buckets=_RECONCILE_BUCKETS,
            registry=self.registry,
        )
        self._coverage = self._gauge(
            "injection_coverage_ratio",
            "Of the live pods of a namespace that opted in, the part with a sidecar; pods that opted out aside.",
            "namespace",
        )
        self._opted_out = self._gauge(
            "opted_out_pods", "Live pods without a sidecar that opted out, of a namespace that opted in.", "namespace"
        )
        self._resources = self._gauge(
            "resources", "Resources by the reason of their first condition that is not True, or Ready.", "kind", "state"
        )
        self._writes = Counter(
            f"{_PREFIX}status_writes", "Attempts to write a status.", ["result"], registry=self.registry
        )
        for result in WriteResult:
            self._writes.labels(result.value)

    def render(self) -> bytes:
        """All metrics in the text format."""
        return prometheus_client.generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}{name}", text, labels, registry=self.registry)

    def reconciled(self, seconds: float) -> None:
        """A round has ended."""
        self._reconcile.observe(seconds)

    def converged(self, changes: Iterable[Converged]) -> None:
        """Changes of packs have reached every sidecar."""
        for change in changes:
            if change.pack in self._packs:
                self._convergence.labels(change.pack).observe(change.seconds)

    def status_written(self, result: WriteResult) -> None:
        """An attempt to write a status has ended."""
        self._writes.labels(result.value).inc()

    def listed(self, listing: Listing, statuses: Sequence[StatusDraft]) -> None:
        """What is there now; whatever is gone leaves with all its series."""
        for pack in self._packs - listing.packs.keys():
            self._convergence.remove(pack)
        self._packs = frozenset(listing.packs)
        for pack in self._packs:
            self._convergence.labels(pack)
        self._pods_with_sidecar = sum(pod.is_live and pod.has_sidecar for pod in listing.pods.values())
        self._count_coverage(listing)
        self._resources.clear()
        for (kind, state), count in Tally((each.kind, _state(each)) for each in statuses).items():
            self._resources.labels(kind.value, state).set(count)

    def _count_coverage(self, listing: Listing) -> None:
        self._coverage.clear()
        self._opted_out.clear()
        opted_in = {name for name, namespace in listing.namespaces.items() if namespace.is_opted_in}
        live = [pod for pod in listing.pods.values() if pod.is_live and not pod.is_ending and pod.namespace in opted_in]
        covered = Tally(pod.namespace for pod in live if pod.has_sidecar)
        opted_out = Tally(pod.namespace for pod in live if pod.is_opted_out and not pod.has_sidecar)
        total = Tally(pod.namespace for pod in live)
        for name in opted_in:
            wanted = total[name] - opted_out[name]
            self._coverage.labels(name).set(covered[name] / wanted if wanted else 1.0)
            self._opted_out.labels(name).set(opted_out[name])

    def watch_streams(self, read: Callable[[], StreamCounts]) -> None:
        """Where the figures of the config stream are read from at each scrape."""
        self.registry.register(_StreamFigures(read, lambda: self._pods_with_sidecar))

    def watch_watches(self, ages: Callable[[], Mapping[Kind, float]], restarts: Callable[[], int]) -> None:
        """Where the watches' figures are read from at each scrape."""
        self.registry.register(_WatchFigures(ages, restarts))

    def watch_certificate(self, expires_at: Callable[[], float]) -> None:
        """Where the expiry of the config stream's certificate is read from at each scrape: seconds since the epoch."""
        gauge = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "When the certificate of the config stream expires; NaN: there is none.",
        )
        gauge.set_function(expires_at)


def _state(status: StatusDraft) -> str:
    untrue = next((condition for condition in status.conditions if condition.status is not Truth.TRUE), None)
    return READY if untrue is None else str(untrue.reason)


class _StreamFigures(Collector):
    """What the hub of the streams counts."""

    def __init__(self, read: Callable[[], StreamCounts], pods_with_sidecar: Callable[[], int]) -> None:
        self._read = read
        self._pods_with_sidecar = pods_with_sidecar

    def collect(self) -> Iterable[Metric]:
        counts = self._read()
        states = {state.value: counts.sidecars.get(state, 0) for state in SidecarState}
        states[UNCONNECTED] = max(0, self._pods_with_sidecar() - sum(states.values()))
        yield _family(
            GaugeMetricFamily,
            "sidecars",
            "Sidecars by what is known of them: acked runs exactly what it is to have, nacked refuses some of it, "
            "stale has not answered the newest, gone had a stream that ended, unconnected never had one here.",
            "state",
            states,
        )
        yield GaugeMetricFamily(f"{_PREFIX}config_streams", "Streams to sidecars that are open.", value=counts.open)
        yield _family(
            CounterMetricFamily,
            "config_streams_ended",
            "Streams to sidecars that ended.",
            "reason",
            {end.value: counts.ended.get(end, 0) for end in StreamEnd},
        )
        yield _family(
            CounterMetricFamily,
            "acks",
            "Answers of sidecars to a manifest: accepted, or the problem for which one was refused.",
            "result",
            {"accepted": 0, **{problem.value: 0 for problem in AckProblem}, **counts.acks},
        )
        yield _family(
            CounterMetricFamily,
            "config_requests_refused",
            "Requests of sidecars, or of strangers, that were refused, by the reason that they were told.",
            "reason",
            counts.refused,
        )
        yield CounterMetricFamily(
            f"{_PREFIX}config_sent_bytes", "Bytes sent on streams to sidecars, before TLS.", value=counts.bytes_sent
        )


class _WatchFigures(Collector):
    """How the watches are."""

    def __init__(self, ages: Callable[[], Mapping[Kind, float]], restarts: Callable[[], int]) -> None:
        self._ages = ages
        self._restarts = restarts

    def collect(self) -> Iterable[Metric]:
        ages = {kind.value: age for kind, age in self._ages().items()}
        yield _family(
            GaugeMetricFamily,
            "watch_age_seconds",
            "Time since anything was heard of the watch of a kind, an event or that there was none.",
            "kind",
            ages,
        )
        yield CounterMetricFamily(
            f"{_PREFIX}watch_restarts", "Times that the watches had to be started anew.", value=self._restarts()
        )


def _family(make: Any, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:  # noqa: ANN401
    """A metric with one label; the two kinds of families share no type that says how they are made."""
    family: Metric = make(f"{_PREFIX}{name}", text, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)  # type: ignore[attr-defined]
    return family
