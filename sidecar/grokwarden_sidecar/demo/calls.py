"""One governed call, seen from all sides: client, provider, metrics, audit log."""

from collections.abc import Callable

from grokwarden.audit.record import AuditRecord
from grokwarden_sidecar.demo.application import Application, Reply
from grokwarden_sidecar.demo.expectation import Expectation, Seen
from grokwarden_sidecar.demo.instruments import Series
from grokwarden_sidecar.demo.stage import Stage

Call = Callable[[Application], Reply]


def decisions(policy: str, action: str) -> Series:
    """How often a policy decided on an action."""
    return Series("grokwarden_decisions_total", {"policy": policy, "action": action})


def observe(stage: Stage, call: Call, metric: Series) -> tuple[Reply, dict[str, Seen]]:
    """Make a call, and ask everybody who should know of it."""
    counted, received = stage.admin.sample(metric), len(stage.provider.received())
    reply = call(stage.application)
    record = stage.audit.find(reply.request_id)  # written after the metrics are counted
    arrived = len(stage.provider.received()) - received
    seen = {
        "client": Seen(reply.outcome),
        "policy": Seen(reply.policy or "none"),
        "provider": Seen(times(arrived)),
        "metric": Seen(f"+{stage.admin.sample(metric) - counted:g}"),
        "audit": Seen(described(record), f"decision {record.decision_id[:12]}"),
    }
    return reply, seen


def answered(metric: Series) -> tuple[Expectation, ...]:
    """What an allowed call has to show."""
    return (
        Expectation("client", "finish_reason stop"),
        Expectation("provider", times(1)),
        Expectation("metric", "+1", about=str(metric)),
        Expectation("audit", "Allow 200"),
    )


def blocked(policy: str, step: str, rule: str) -> tuple[Expectation, ...]:
    """What a call has to show that a policy stopped before it was sent."""
    return (
        Expectation("client", "BadRequestError 400 content_filter"),
        Expectation("policy", f"{policy}, rule {rule}, step {step}"),
        Expectation("provider", times(0)),
        Expectation("metric", "+1", about=str(decisions(policy, "Block"))),
        Expectation("audit", f"Block 400 {step}/{rule}"),
    )


def times(count: int) -> str:
    """How many calls arrived."""
    return "got nothing" if count == 0 else f"got {count} call{'s'[: count != 1]}"


def described(record: AuditRecord) -> str:
    """Action and status of a record, and the step and rule that decided on more than to allow."""
    decided = [f"{step.step}/{step.rule}" for step in record.steps if step.action == record.action != "Allow"]
    return " ".join([record.action, str(record.status), *decided[:1]])
