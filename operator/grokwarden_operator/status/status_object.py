"""What is known of one object's status: what is wished, what was written, what the watch has shown. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from grokwarden_operator.listing import Kind
from grokwarden_operator.plan import StatusDraft
from grokwarden_operator.status.conditions import StatusDocument, is_same_status

MAX_BACKOFF_SECONDS: Final = 2.0
REJECTED_SECONDS: Final = 60.0
LAG_SECONDS: Final = 10.0
"""How far a watch may be behind what was written; if it is further, the same is written again."""
_FIRST_BACKOFF_SECONDS: Final = 0.1
_AWAY_AFTER: Final = 3


class ObjectKey(NamedTuple):
    """One object: another with the same name is not it."""

    kind: Kind
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, draft: StatusDraft) -> "ObjectKey":
        """Whose status it is."""
        return cls(draft.kind, draft.namespace, draft.name, draft.uid)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class WriteResult(StrEnum):
    """What became of an attempt to write."""

    WRITTEN = "written"
    GONE = "gone"
    RETRIED = "retried"
    REJECTED = "rejected"


@dataclass(slots=True, kw_only=True, eq=False)
class StatusObject:
    """One object.

    Attributes:
        draft: What is wished now.
        seen: What the watch has shown last.
        written: What was written last, until the watch shows that something else came after it.
        due_at: Not to be written before.
    """

    key: ObjectKey
    draft: StatusDraft
    seen: Mapping[str, Any]
    written: StatusDocument | None = None
    due_at: float = 0.0
    is_writing: bool = False
    _settled: StatusDraft | None = None
    _is_shown: bool = False
    _shown_by: float = 0.0
    _is_gone: bool = False
    _failures: int = 0
    _trouble: str = field(default="", repr=False)

    @property
    def is_pending(self) -> bool:
        """Something is to be written, or at least to be compared."""
        return not self._is_gone and self._settled != self.draft

    @property
    def is_awaited(self) -> bool:
        """The watch has not shown yet what was written."""
        return self.written is not None and not self._is_shown

    @property
    def standing(self) -> Mapping[str, Any]:
        """The status that is there now, to the best of our knowledge."""
        return self.seen if self.written is None else self.written

    def wish(self, draft: StatusDraft, seen: Mapping[str, Any], *, now: float) -> None:
        """A newer wish, at a time when the watch shows that."""
        if self._trouble and draft != self.draft:
            self.due_at = now
        self.draft = draft
        self.see(seen, now=now)

    def see(self, seen: Mapping[str, Any], *, now: float) -> None:
        """The watch shows this. Once it must have shown what was written, anything else is somebody else's.

        Looks are seldom: what was written may have been overwritten before anybody looked.
        """
        self.seen = seen
        if self.written is None:
            self._settled = None
        elif is_same_status(seen, self.written):
            self._is_shown = True
        elif self._is_shown or now >= self._shown_by:
            self.forget()

    def forget(self) -> None:
        """What was written counts no more: what stands there is what the watch shows."""
        self.written = None
        self._settled = None
        self._is_shown = False

    def settle(self, draft: StatusDraft) -> None:
        """Nothing is to be written for this draft."""
        self._settled = draft
        self._failures = 0

    def hurry(self, *, now: float) -> None:
        """Failures before now say nothing about the next attempt."""
        self._failures = 0
        self.due_at = min(self.due_at, now)

    def wrote(self, draft: StatusDraft, status: StatusDocument, *, now: float, interval_seconds: float) -> None:
        """The API server has taken it."""
        self.written = status
        self._is_shown = False
        self._trouble = ""
        self.due_at = now + interval_seconds
        self._shown_by = now + LAG_SECONDS
        self.settle(draft)
        self.see(self.seen, now=now)

    def failed(self, *, now: float) -> None:
        """Nobody knows whether it was taken."""
        self.due_at = now + backoff_seconds(self._failures)
        self._failures += 1

    def rejected(self, trouble: str, *, now: float) -> bool:
        """The API server will not take it. Returns whether that is news."""
        is_news = trouble != self._trouble
        self._trouble = trouble
        self.due_at = now + REJECTED_SECONDS
        return is_news

    def vanished(self) -> None:
        """There is no such object any more, and there never will be: uids are not used twice."""
        self._is_gone = True


class Outage:
    """Whether it is the API server that is away, rather than one object that can't be written.

    Attributes:
        hold_until: Nothing is to be tried before.
    """

    def __init__(self) -> None:
        self.hold_until = 0.0
        self._failed: set[ObjectKey] = set()
        self._rounds = 0

    @property
    def is_on(self) -> bool:
        """Several objects could not be written, and none since."""
        return len(self._failed) >= _AWAY_AFTER

    def failed(self, key: ObjectKey, *, now: float) -> bool:
        """An attempt had no answer. Returns whether it is the first since the last answer."""
        is_first = not self._failed
        self._failed.add(key)
        if self.is_on:
            self.hold_until = now + backoff_seconds(self._rounds)
            self._rounds += 1
        return is_first

    def answered(self) -> bool:
        """An attempt had an answer. Returns whether that ends an outage."""
        was_on = self.is_on
        self._failed.clear()
        self._rounds = 0
        self.hold_until = 0.0
        return was_on


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures before this one."""
    return min(MAX_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10))
