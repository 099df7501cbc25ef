"""Which statuses are left alone for a while after a start, when sidecars have not come back yet.

A restart of the operator changes nothing in the pods. Without this, each one would make every pack unprogrammed for the
seconds that the sidecars take to reconnect. It only ever keeps what stands there; nothing becomes better by silence.
"""

from collections.abc import Mapping
from typing import Any

from grokwarden_operator.plan import ConditionType, StatusDraft
from grokwarden_operator.reconcile.tallies import PackTally, Standing


def is_to_be_kept(draft: StatusDraft, tally: PackTally, previous: Mapping[str, Any]) -> bool:
    """Whether the draft differs from the status before it only by what silent sidecars have not said yet.

    That status is of the same object by nature, and has to be of the same generation.
    """
    if draft.tally is None or previous.get("observedGeneration") != draft.generation:
        return False
    if _other_conditions(draft) != _known_conditions(previous):
        return False
    before = previous.get("sidecars")
    if not isinstance(before, Mapping):
        return False
    now, counts = draft.tally, {key: value for key, value in before.items() if isinstance(value, int)}
    if (counts.get("desired"), counts.get("missing")) != (now.desired, now.missing):
        return False
    lost = (counts.get("acked", 0) - now.acked, counts.get("nacked", 0) - now.nacked)
    return min(lost) >= 0 and 0 < sum(lost) <= tally.count(Standing.SILENT)


def _other_conditions(draft: StatusDraft) -> dict[str, tuple[str, str]]:
    """All but ``Programmed``, which is what silence changes."""
    return {
        c.type.value: (c.status.value, c.reason.value)
        for c in draft.conditions
        if c.type is not ConditionType.PROGRAMMED
    }


def _known_conditions(previous: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    listed = previous.get("conditions")
    entries = [entry for entry in (listed if isinstance(listed, list) else ()) if isinstance(entry, Mapping)]
    known = {str(entry.get("type")): (entry.get("status"), entry.get("reason")) for entry in entries}
    ours = set(ConditionType) - {ConditionType.PROGRAMMED}
    return {kind: state for kind, state in known.items() if kind in ours}
