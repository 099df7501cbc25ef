"""A status as it is written: drafts get their times, and only what differs from what stands there is worth a write.

A condition's ``lastTransitionTime`` is that of its last change of *status*; another reason or message leaves it alone.
This module refuses to decide anything: what a status says comes in as a draft.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from grokwarden_operator.plan import ConditionDraft, ConditionType, Reason, StatusDraft, Truth

EVENT_MESSAGE_CHARACTERS: Final = 1024
_TIME: Final = "lastTransitionTime"
_OUR_TYPES: Final = frozenset(ConditionType)
_CALM_REASONS: Final = frozenset(
    {
        *(Reason.PENDING, Reason.DISABLED, Reason.NO_MATCHING_PODS),
        *(Reason.NOT_RUN, Reason.NOT_CHECKED, Reason.SECRET_UNREAD),
    }
)

StatusDocument = dict[str, Any]
"""The member ``status`` of a resource, as the API server takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionChange:
    """A condition that now says something else, for a Kubernetes Event.

    Attributes:
        is_warning: A person should look: it is not true, and nothing is merely under way.
        message: Of the condition, at most ``EVENT_MESSAGE_CHARACTERS``.
    """

    type: str
    status: str
    reason: str
    message: str
    is_warning: bool


def status_document(draft: StatusDraft, previous: Mapping[str, Any], *, now: datetime) -> StatusDocument:
    """The draft's status, complete: a member that is not in it is to be removed.

    Args:
        draft: What the status is to say.
        previous: The status that stands there; of it only the conditions' times are taken over.
        now: With a time zone.
    """
    known = _conditions_by_type(previous)
    document: StatusDocument = {
        "observedGeneration": draft.generation,
        "conditions": [_condition(c, draft.generation, known.get(c.type), now) for c in draft.conditions],
    }
    if draft.tally is not None:
        document["sidecars"] = asdict(draft.tally)
        document["nacks"] = [asdict(nack) for nack in draft.nacks]
        document["unenforceable"] = [asdict(gap) for gap in draft.gaps]
    return document


def is_same_status(previous: Mapping[str, Any], new: StatusDocument) -> bool:
    """Nothing but times differs, so a write would say nothing. Conditions of others don't matter, nor does order."""
    members = {*previous, *new} - {"conditions"}
    if any(previous.get(member) != new.get(member) for member in members):
        return False
    ours = {kind: entry for kind, entry in _conditions_by_type(previous).items() if kind in _OUR_TYPES}
    return _timeless(ours) == _timeless(_conditions_by_type(new))


def changed_conditions(previous: Mapping[str, Any], new: StatusDocument) -> list[ConditionChange]:
    """The conditions whose status or reason is another than before, or that were not there."""
    known = _conditions_by_type(previous)
    return [
        _change(entry)
        for kind, entry in _conditions_by_type(new).items()
        if any(known.get(kind, {}).get(member) != entry[member] for member in ("status", "reason"))
    ]


def _condition(
    draft: ConditionDraft, generation: int, previous: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    time = previous.get(_TIME) if previous and previous.get("status") == draft.status else None
    return {
        "type": draft.type.value,
        "status": draft.status.value,
        "observedGeneration": generation,
        _TIME: time if isinstance(time, str) else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": draft.reason.value,
        "message": draft.message,
    }


def _conditions_by_type(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The conditions that can be read: what stands in a cluster may have been written by anybody."""
    listed = status.get("conditions")
    entries: Sequence[object] = listed if isinstance(listed, list) else ()
    return {entry["type"]: entry for entry in entries if isinstance(entry, Mapping) and "type" in entry}


def _timeless(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {kind: {key: entry[key] for key in entry if key != _TIME} for kind, entry in conditions.items()}


def _change(entry: Mapping[str, Any]) -> ConditionChange:
    return ConditionChange(
        type=entry["type"],
        status=entry["status"],
        reason=entry["reason"],
        message=entry["message"][:EVENT_MESSAGE_CHARACTERS],
        is_warning=entry["status"] != Truth.TRUE and entry["reason"] not in _CALM_REASONS,
    )
