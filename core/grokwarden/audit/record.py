"""One record per call, with or without an ``audit-logger`` step. No prompt, key or matched text is ever in it."""

from typing import Any

import msgspec


class StepRecord(msgspec.Struct, kw_only=True, gc=False):
    """What one step decided in one phase.

    Attributes:
        action: What the step decided; in ``Shadow`` it did not act.
        scanned: Characters that the step looked at.
    """

    pack: str
    step: str
    policy: str
    phase: str
    mode: str
    action: str
    rule: str | None
    score: float | None
    scanned: int
    took_us: int


class Tokens(msgspec.Struct, kw_only=True, gc=False):
    """As the provider counted them; ``None`` where it did not say. ``reasoning`` lies outside ``completion`` at xAI."""

    prompt: int | None = None
    completion: int | None = None
    reasoning: int | None = None
    cached: int | None = None
    total: int | None = None


class AuditRecord(msgspec.Struct, kw_only=True):
    """A call. The writer fills ``chain_id``, ``seq``, ``prev_hash`` and ``hash``.

    Attributes:
        time: UTC, RFC 3339 with microseconds and ``Z``.
        bundle: The version of the bundle that governed the whole call.
        action: The strongest action that was enforced.
        would_action: The strongest action that was decided, Shadow included.
        status: The HTTP status that the client got.
        content: ``None`` unless a step captures content.
    """

    chain_id: str = ""
    seq: int = 0
    prev_hash: str = ""
    hash: str = ""
    time: str
    decision_id: str
    request_id: str
    namespace: str
    pod: str
    service_account: str
    bundle: str
    endpoint: str
    stream: bool
    model_requested: str | None
    model_sent: str | None
    model_served: str | None
    provider: str | None
    target: str | None
    action: str
    would_action: str
    steps: list[StepRecord]
    tokens: Tokens | None
    cost_usd_ticks: int | None
    status: int
    duration_ms: float
    overhead_us: int
    content: dict[str, Any] | None = None


class RecoveredRecord(msgspec.Struct, kw_only=True, tag_field="kind", tag="recovered"):
    """A crash was mended: the writer found a torn tail, kept it aside and continued the chain.

    It stands in the chain like a call; only this record has a ``kind``. The chain fields are the writer's, as above.

    Attributes:
        time: When it was mended: UTC, RFC 3339 with microseconds and ``Z``.
        segment: The file whose tail was torn.
        offset: Where in that file the torn bytes began, and where this record stands now.
        lost_bytes: How many bytes did not make a whole record.
        lost_sha256: Of those bytes.
        kept_in: The file, next to the segment, that holds those bytes.
    """

    chain_id: str = ""
    seq: int = 0
    prev_hash: str = ""
    hash: str = ""
    time: str
    segment: str
    offset: int
    lost_bytes: int
    lost_sha256: str
    kept_in: str
