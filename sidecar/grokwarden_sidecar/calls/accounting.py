"""Who answered a call, and what it cost: put in the call's account, and checked against what was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from grokwarden.bundle import TargetPart
from grokwarden.catalog import Catalog
from grokwarden.engine import AnswerGuard
from grokwarden.exchange.model import Exchange
from grokwarden.vocabulary import OnDeviation
from grokwarden_sidecar.calls.call_log import CallLog
from grokwarden_sidecar.calls.connection import ClientConnection
from grokwarden_sidecar.calls.cost import usage_of
from grokwarden_sidecar.calls.lifecycle import judge_substitution
from grokwarden_sidecar.calls.responses import AnswerIdentity, RawHeaders
from grokwarden_sidecar.calls.upstream import UpstreamReply
from grokwarden_sidecar.metrics import Metrics

_MAX_NAME: Final = 256  # a provider's word, kept in every record
log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Answer:
    """A provider's answer whose head has come.

    Attributes:
        reply: Ends in ``release`` or ``abort``, which is the answerer's to do.
        model_sent: What the provider was asked for.
    """

    reply: UpstreamReply
    target: TargetPart
    model_sent: str


@dataclass(slots=True)
class Passage:
    """One answer on its way from a provider to a client.

    Attributes:
        headers: Those of the provider that the client gets.
    """

    call: CallLog
    client: ClientConnection
    exchange: Exchange
    answer: Answer
    headers: RawHeaders
    guard: AnswerGuard | None
    now: Callable[[], float]

    @property
    def identity(self) -> AnswerIdentity:
        """For an answer of ours, where the provider's has none."""
        return make_identity(self.call, self.exchange, self.now)


def make_identity(call: CallLog, exchange: Exchange, now: Callable[[], float]) -> AnswerIdentity:
    """An identity for an answer that no provider gave."""
    return AnswerIdentity(
        id=f"chatcmpl-{call.decision_id}", created=int(now()), model=exchange.model or call.model_sent or ""
    )


def bounded_name(model: str) -> str:
    """A model as a record may hold it, whatever the provider calls it."""
    return model[:_MAX_NAME]


class Accountant:
    """Keeps the accounts of answers."""

    def __init__(self, *, metrics: Metrics, catalog: Catalog, label: Callable[[str], str]) -> None:
        self._metrics = metrics
        self._catalog = catalog
        self._label = label
        self._warned: set[tuple[str, str, str]] = set()

    def account(self, call: CallLog, answer: Answer, model: str | None, usage: dict[str, Any] | None) -> None:
        """Note who answered and what it cost."""
        call.model_served = bounded_name(model) if model else None
        if usage is None:
            return
        used = usage_of(usage, target=answer.target, model=model or answer.model_sent, catalog=self._catalog)
        call.tokens = used.tokens
        if used.cost is not None:
            call.cost_ticks, call.cost_source = used.cost.ticks, used.cost.source.value

    def reject_substitute(self, call: CallLog, answer: Answer) -> str | None:
        """Count an answer by another model than was asked; the finding, if the target rejects that."""
        verdict = judge_substitution(answer.target, answer.model_sent, call.model_served, self._catalog)
        if not verdict.finding:
            return None
        self._metrics.substituted(self._label(answer.model_sent), self._label(call.model_served or ""))
        if verdict.action is OnDeviation.REJECT:
            return (
                f"Another model than the one asked for answered, which this target does not allow ({verdict.finding})."
            )
        known = (answer.target.name, answer.model_sent, self._label(call.model_served or ""))
        if verdict.action is OnDeviation.WARN and known not in self._warned:
            self._warned.add(known)
            log.warning("model_substituted", finding=verdict.finding)
        return None
