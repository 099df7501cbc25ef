"""What is known of one call while it runs, and what is told of it once it has ended: its record and its metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from grokwarden.audit.record import AuditRecord, StepRecord, Tokens
from grokwarden.bundle import TargetPart
from grokwarden.engine import Engine
from grokwarden.engine.decision import Decision, decided_action, enforced_action
from grokwarden.vocabulary import Action
from grokwarden_sidecar.configuration.bundle_store import Snapshot
from grokwarden_sidecar.metrics import Metrics

CLIENT_LEFT: Final = 499
"""The status recorded for a call whose client did not wait for the answer."""


class Refusal(Enum):
    """Whose word it is that a call goes no further, where no step decided it."""

    PACK = "pack"  # `endpoints` or `onUnscannable`
    PROXY = "proxy"  # it can't be understood, or nothing can be answered now


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this sidecar speaks for. Without a ``namespace`` it is that of the first pack in force."""

    namespace: str | None
    pod: str
    service_account: str


@dataclass(slots=True, kw_only=True)
class CallLog:
    """One call.

    Attributes:
        upstream_ns: Time spent waiting for a provider, or for the client to take what it was sent.
        error_type: For the duration's metric; empty for a call that went well.
        refusal: Who refused the call without a step's decision, if somebody did.
    """

    decision_id: str
    endpoint: str
    started_ns: int
    snapshot: Snapshot | None
    request_id: str
    stream: bool = False
    model_requested: str | None = None
    model_sent: str | None = None
    model_served: str | None = None
    target: TargetPart | None = None
    decisions: list[Decision]
    tokens: Tokens | None = None
    cost_ticks: int | None = None
    cost_source: str = ""
    status: int = 0
    error_type: str = ""
    refusal: Refusal | None = None
    upstream_ns: int = 0
    first_chunk_ns: int | None = None

    @property
    def governing(self) -> Snapshot:
        """The snapshot; calls without one are answered before anything asks for it."""
        if self.snapshot is None:
            raise RuntimeError("a call without a bundle got past the check for one")
        return self.snapshot

    @property
    def engine(self) -> Engine:
        return self.governing.engine


class CallLedger:
    """Opens and closes the calls of one sidecar."""

    def __init__(
        self,
        *,
        identity: Callable[[], Identity],
        metrics: Metrics,
        append: Callable[[AuditRecord], object],
        clock_ns: Callable[[], int],
        now: Callable[[], float],
        new_id: Callable[[], str],
        label: Callable[[str], str],
    ) -> None:
        self._identity = identity
        self._metrics = metrics
        self._append = append
        self._clock_ns = clock_ns
        self._now = now
        self._new_id = new_id
        self._label_of = label
        self._second, self._second_text = -1.0, ""

    def open(self, endpoint: str, snapshot: Snapshot | None) -> CallLog:
        """A call has arrived."""
        decision_id = self._new_id()
        return CallLog(
            decision_id=decision_id,
            endpoint=endpoint,
            started_ns=self._clock_ns(),
            snapshot=snapshot,
            request_id=decision_id,
            decisions=[],
        )

    def close(self, call: CallLog) -> None:
        """The call has ended, whichever way: its metrics are counted and its record is on its way to disk."""
        duration_ns = self._clock_ns() - call.started_ns
        overhead_ns = max(0, duration_ns - call.upstream_ns)
        if call.decisions:
            self._metrics.decided(call.decisions)
        if call.endpoint == "ChatCompletions":
            self._measure(call, duration_ns / 1e9, overhead_ns / 1e9)
        acted = Action.BLOCK if call.refusal else decided_action(call.decisions)
        by_policy = acted is not Action.ALLOW and call.refusal is not Refusal.PROXY
        if call.snapshot is None or call.snapshot.records_all or by_policy:
            self._append(self._record(call, acted, duration_ns, overhead_ns))

    def _measure(self, call: CallLog, seconds: float, overhead_seconds: float) -> None:
        provider = call.target.provider.value if call.target else ""
        requested, served = self._label(call.model_requested, call), self._label(call.model_served, call)
        self._metrics.called(
            provider=provider,
            requested=requested,
            served=served,
            error_type=call.error_type,
            seconds=seconds,
            overhead_seconds=overhead_seconds,
            stream=call.stream,
        )
        if call.first_chunk_ns is not None:
            first = (call.first_chunk_ns - call.started_ns) / 1e9
            self._metrics.first_chunk(provider=provider, requested=requested, served=served, seconds=first)
        if call.tokens is not None:
            self._metrics.used(provider=provider, requested=requested, served=served, tokens=call.tokens)
        if call.cost_ticks is not None and call.target is not None:
            self._metrics.cost(target=call.target.name, model=served, source=call.cost_source, ticks=call.cost_ticks)

    def _label(self, model: str | None, call: CallLog) -> str:
        """A model as a label: one that the catalogue or a target names, or ``other``."""
        if model is None:
            return ""
        return model if call.target is not None and model == call.target.model else self._label_of(model)

    def _namespace_of(self, identity: Identity, snapshot: Snapshot | None) -> str:
        if identity.namespace is not None:
            return identity.namespace
        return snapshot.bundle.packs[0].name.partition("/")[0] if snapshot and snapshot.bundle.packs else ""

    def _time_text(self) -> str:
        """Now, in RFC 3339; what is the same for a second is made once for it."""
        second, fraction = divmod(self._now(), 1.0)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int(fraction * 1e6):06d}Z"

    def _record(self, call: CallLog, acted: Action, duration_ns: int, overhead_ns: int) -> AuditRecord:
        target, identity = call.target, self._identity()
        return AuditRecord(
            time=self._time_text(),
            decision_id=call.decision_id,
            request_id=call.request_id,
            namespace=self._namespace_of(identity, call.snapshot),
            pod=identity.pod,
            service_account=identity.service_account,
            bundle=call.snapshot.bundle.version if call.snapshot else "",
            endpoint=call.endpoint,
            stream=call.stream,
            model_requested=call.model_requested,
            model_sent=call.model_sent,
            model_served=call.model_served,
            provider=target.provider.value if target else None,
            target=target.name if target else None,
            action=Action.BLOCK if call.refusal else enforced_action(call.decisions),
            would_action=acted,
            steps=[_step_record(decision) for decision in call.decisions],
            tokens=call.tokens,
            cost_usd_ticks=call.cost_ticks,
            status=call.status,
            duration_ms=round(duration_ns / 1e6, 3),
            overhead_us=overhead_ns // 1000,
        )


def _step_record(decision: Decision) -> StepRecord:
    return StepRecord(
        pack=decision.pack,
        step=decision.step,
        policy=decision.policy,
        phase=decision.phase,
        mode=decision.mode,
        action=decision.action,
        rule=decision.rule,
        score=decision.score,
        scanned=decision.scanned,
        took_us=decision.took_ns // 1000,
    )
