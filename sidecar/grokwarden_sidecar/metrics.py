"""Every metric of the sidecar, with bounded labels: an unknown model is ``other``, and no label comes from a text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from grokwarden.audit.record import Tokens
from grokwarden.engine.decision import Decision
from grokwarden.exchange.model import OPAQUE_REASONS
from grokwarden.vocabulary import Endpoint
from grokwarden_sidecar.calls.breaker import CircuitState
from grokwarden_sidecar.calls.outcome import Outcome
from grokwarden_sidecar.series import CounterSeries, HistogramSeries

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST
PROVIDER_NAMES: Final = {"": "none", "xai": "x_ai", "openai": "openai", "openai-compatible": "openai_compatible"}
_CIRCUITS: Final = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}
_AUDIT_LOSSES: Final = ("closed", "queue_full", "unwritable")
_OPERATION: Final = "chat"
_TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
_SECOND_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
_FAST_BUCKETS: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 1.0)


class _Children:
    """A metric's children by label values, without the library's look-up on each use."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: Any) -> None:  # noqa: ANN401 - Counter, Gauge and Histogram share no type with labels()
        self._metric = metric
        self._children: dict[tuple[str, ...], Any] = {}

    def __call__(self, *labels: str) -> Any:  # noqa: ANN401
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._metric.labels(*labels)
        return child

    def forget(self) -> None:
        """No child is left, neither here nor in the metric."""
        self._metric.clear()
        self._children.clear()


class Metrics:
    """The registry and everything in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        gen_ai = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"]
        self._tokens = self._histogram(
            "gen_ai_client_token_usage", "Tokens per call.", [*gen_ai, "gen_ai_token_type"], _TOKEN_BUCKETS
        )
        self._duration = self._histogram(
            "gen_ai_client_operation_duration_seconds", "Duration of calls.", [*gen_ai, "error_type"], _SECOND_BUCKETS
        )
        self._first_chunk = self._histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time to a stream's first chunk.",
            gen_ai,
            _SECOND_BUCKETS,
        )
        self._decisions = self._counter(
            "decisions", "Decisions of steps.", ["pack", "step", "policy", "phase", "mode", "action"]
        )
        self._evaluation = self._histogram(
            "grokwarden_evaluation_seconds", "Time a policy took on a call.", ["policy", "phase"], _FAST_BUCKETS
        )
        self._overhead = self._histogram(
            "grokwarden_overhead_seconds", "Time a call spent here and not upstream.", ["stream"], _FAST_BUCKETS
        )
        self._holdback = self._histogram(
            "grokwarden_stream_holdback_seconds",
            "Time for which delivery of a stream waited for a step.",
            ["pack", "step"],
            _SECOND_BUCKETS,
        )
        self._unscanned = self._counter("unscanned", "Parts of calls that went on unread.", ["endpoint", "reason"])
        self._refused = self._counter("requests_refused", "Calls refused for a reason that is no policy's.", ["reason"])
        self._upstream = self._counter("upstream_requests", "Attempts at targets.", ["target", "outcome"])
        self._fallbacks = self._counter("fallbacks", "Calls that went on to another target.", ["from", "to", "reason"])
        self._circuit = self._gauge("circuit_state", "0 closed, 1 half-open, 2 open.", ["target"])
        self._substitutions = self._counter(
            "model_substitutions", "Answers by another model than was sent.", ["requested", "served"]
        )
        self._cost = self._counter("cost_usd", "Cost of calls in US dollars.", ["target", "model", "source"])
        self._generation = self._gauge("config_generation", "Generation of the pack in force.", ["pack"])
        self._applied = self._counter("config_apply", "Configurations applied and rejected.", ["result"])
        self._staleness = Gauge(
            "grokwarden_config_staleness_seconds",
            "For how long what is in force has not been what is wanted, or not known to be; 0 when it is.",
            registry=self.registry,
        )
        for result in ("applied", "rejected"):
            self._applied(result)
        for reason in OPAQUE_REASONS:
            self._unscanned(Endpoint.CHAT_COMPLETIONS.value, reason)

    def render(self) -> bytes:
        """All metrics in the text format."""
        return prometheus_client.generate_latest(self.registry)

    def _histogram(self, name: str, text: str, labels: Iterable[str], buckets: Iterable[float]) -> HistogramSeries:
        series = HistogramSeries(name, text, labels, buckets)
        self.registry.register(series)
        return series

    def _counter(self, name: str, text: str, labels: Iterable[str]) -> CounterSeries:
        series = CounterSeries(f"grokwarden_{name}", text, labels)
        self.registry.register(series)
        return series

    def _gauge(self, name: str, text: str, labels: Iterable[str]) -> _Children:
        return _Children(Gauge(f"grokwarden_{name}", text, list(labels), registry=self.registry))

    def decided(self, decisions: Iterable[Decision]) -> None:
        """The decisions of one call."""
        for d in decisions:
            self._decisions(d.pack, d.step, d.policy, d.phase, d.mode, d.action).inc()
            if d.took_ns:
                self._evaluation(d.policy, d.phase).observe(d.took_ns / 1e9)

    def called(
        self,
        *,
        provider: str,
        requested: str,
        served: str,
        error_type: str,
        seconds: float,
        overhead_seconds: float,
        stream: bool,
    ) -> None:
        """A call of the chat endpoint has ended."""
        name = PROVIDER_NAMES.get(provider, "other")
        self._duration(_OPERATION, name, requested, served, error_type).observe(seconds)
        self._overhead("true" if stream else "false").observe(overhead_seconds)

    def first_chunk(self, *, provider: str, requested: str, served: str, seconds: float) -> None:
        """A stream's first chunk came."""
        self._first_chunk(_OPERATION, PROVIDER_NAMES.get(provider, "other"), requested, served).observe(seconds)

    def used(self, *, provider: str, requested: str, served: str, tokens: Tokens) -> None:
        """Tokens as the provider counted them."""
        name = PROVIDER_NAMES.get(provider, "other")
        for kind, count in (("input", tokens.prompt), ("output", tokens.completion), ("reasoning", tokens.reasoning)):
            if count is not None:
                self._tokens(_OPERATION, name, requested, served, kind).observe(count)

    def held_back(self, holders: Iterable[tuple[str, str]], seconds: float) -> None:
        """A stream's delivery waited for these steps."""
        for pack, step in holders:
            self._holdback(pack, step).observe(seconds)

    def cost(self, *, target: str, model: str, source: str, ticks: int) -> None:
        """What a call cost, in ticks of 1e-10 USD."""
        self._cost(target, model, source).inc(ticks / 1e10)

    def unscanned(self, endpoint: str, reason: str) -> None:
        self._unscanned(endpoint, reason).inc()

    def refused(self, reason: str) -> None:
        self._refused(reason).inc()

    def upstream_request(self, target: str, outcome: Outcome) -> None:
        self._upstream(target, outcome.value).inc()

    def fallback(self, source: str, destination: str, reason: str) -> None:
        self._fallbacks(source, destination, reason).inc()

    def circuit_state(self, target: str, state: CircuitState) -> None:
        self._circuit(target).set(_CIRCUITS[state])

    def substituted(self, requested: str, served: str) -> None:
        self._substitutions(requested, served).inc()

    def in_force(self, generations: Iterable[tuple[str, int]], circuits: Mapping[str, str]) -> None:
        """What governs calls has changed; packs and targets that are gone leave their gauges."""
        self._generation.forget()
        self._circuit.forget()
        for target, state in circuits.items():
            self._circuit(target).set(_CIRCUITS[CircuitState(state)])
        for pack, generation in generations:
            self._generation(pack).set(generation)

    def applied(self) -> None:
        """All of a configuration is in force."""
        self._applied("applied").inc()

    def rejected(self) -> None:
        """A configuration is not in force, or not all of it."""
        self._applied("rejected").inc()

    def watch_staleness(self, seconds: Callable[[], float]) -> None:
        """Where the staleness is read from at each scrape."""
        self._staleness.set_function(seconds)

    def watch_audit(self, read: Callable[[], tuple[int, Mapping[str, int]]]) -> None:
        """Where the audit writer's counts are read from at each scrape: written, and dropped by reason."""
        self.registry.register(_AuditCounts(read))


class _AuditCounts(Collector):
    """Figures that the audit writer's thread owns, read when they are asked for."""

    def __init__(self, read: Callable[[], tuple[int, Mapping[str, int]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        written, dropped = self._read()
        events = CounterMetricFamily("grokwarden_audit_events", "Records that reached a sink.", labels=["sink"])
        events.add_metric(["file"], written)
        yield events
        losses = CounterMetricFamily("grokwarden_audit_dropped", "Records that a sink lost.", labels=["sink", "reason"])
        for reason in sorted({*_AUDIT_LOSSES, *dropped}):
            losses.add_metric(["file", reason], dropped.get(reason, 0))
        yield losses
