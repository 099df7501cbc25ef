"""A stream of events on its way to the client: judged as it passes, and untouched unless a policy stops it.

Without I/O: events in, bytes to send out. Clean events leave as the bytes that came. What a step has not judged yet is
held where the step demands it (a tool call until its choice is complete, everything for ``Buffer``).
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from grokwarden.engine.answer import AnswerGuard
from grokwarden.engine.decision import Block
from grokwarden.exchange.answer import AnswerView, UnreadableAnswer, aside_piece, read_answer, read_frame
from grokwarden.exchange.sse import UnreadableEventError, event_asides, event_data
from grokwarden_sidecar.calls import responses
from grokwarden_sidecar.calls.responses import AnswerIdentity

_DONE: Final = b"[DONE]"
_INTERRUPTED: Final = "The provider's stream ended before the answer was complete."
_UNREADABLE: Final = "The provider sent something that is no answer; the stream was stopped."


class StreamState(Enum):
    """Where a relayed stream stands."""

    OPEN = "open"
    CUT = "cut"  # a policy stopped it, and the provider has more to say that nobody will see
    DRAINING = "draining"  # a policy stopped it, and only the usage is still to come
    COMPLETE = "complete"
    FAILED = "failed"


_JUDGED: Final = (StreamState.OPEN, StreamState.DRAINING)


class StreamRelay:
    """One stream.

    Attributes:
        state: ``CUT`` and ``FAILED`` mean that the provider's connection is to be closed.
        block: The decision that cut it.
        error_code: Why it failed.
    """

    def __init__(
        self,
        guard: AnswerGuard | None,
        *,
        decision_id: str,
        choices: int,
        who: AnswerIdentity,
        most_held_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._guard = guard
        self._decision_id = decision_id
        self._open = set(range(choices))
        self._calling: set[int] = set()
        self._who = who
        self._is_known = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._most_held_bytes = most_held_bytes
        self.state = StreamState.OPEN
        self.block: Block | None = None
        self.model: str | None = None
        self.usage: dict[str, Any] | None = None
        self.error_code: str | None = None
        self._last_words = b""

    def feed(self, events: Sequence[bytes]) -> bytes:
        """What the client gets for these events."""
        step = self._glance if self._guard is None else self._judge
        if len(events) == 1:
            return step(events[0])
        return b"".join([step(event) for event in events])

    @property
    def is_holding(self) -> bool:
        """Something that came waits for a verdict."""
        return bool(self._held)

    @property
    def is_over(self) -> bool:
        """Nothing more is wanted from the provider, whose connection is to be closed."""
        return self.state is StreamState.CUT or self.state is StreamState.FAILED

    def fail(self, message: str, *, code: str) -> bytes:
        """Stop the stream for a reason outside of it; what the client gets instead of what ``feed`` gave last."""
        self._fail(code, responses.error_event(message, code=code))
        return self._last_words

    def end(self, *, error: str | None = None, code: str = "stream_interrupted") -> bytes:
        """What the client gets when the provider sends no more; nothing if the stream was complete."""
        if self.state is StreamState.OPEN:
            self.state, self.error_code = StreamState.FAILED, code
            return responses.error_event(error or _INTERRUPTED, code=code)
        if self.state is StreamState.DRAINING:
            return self._finish_cut()
        return b""

    def _glance(self, event: bytes) -> bytes:
        """Follow a stream that nobody judges: its end, its model and its usage, without reading each chunk."""
        if self.state is not StreamState.OPEN:
            return b""
        data = event_data(event)
        if data is None:
            return event
        if data == _DONE:
            self.state = StreamState.COMPLETE
        elif not self._is_known or b'"usage"' in data or b'"error"' in data:
            view = self._read(data)
            if view is None:
                return self._last_words
        return event

    def _judge(self, event: bytes) -> bytes:
        """What the client gets for one event, once the guard has seen it."""
        guard = self._guard
        if guard is None or self.state not in _JUDGED:
            return b""
        try:
            asides = event_asides(event)
        except UnreadableEventError:
            return self._garbage()
        if asides and (block := guard.feed([aside_piece(asides)])) is not None:
            return self._cut(block, still_open=self._open)
        data = event_data(event)
        return self._pass(event) if data is None else self._judge_data(guard, data, event)

    def _judge_data(self, guard: AnswerGuard, data: bytes, event: bytes) -> bytes:
        if data == _DONE:
            return self._judge_done(guard, event)
        view = self._read(data)
        if view is not None and self.state is StreamState.OPEN:
            return self._judge_chunk(guard, view, event)
        return self._last_words

    def _judge_chunk(self, guard: AnswerGuard, view: AnswerView, event: bytes) -> bytes:
        finished = {choice for choice, _ in view.finished}
        if view.has_tool_calls and guard.holds_tool_calls:
            self._calling |= {piece.lane[0] for piece in view.pieces}
        block = guard.feed(view.pieces)
        for choice in finished:
            block = guard.finish(choice) or block
        self._calling -= finished
        if block is not None:
            return self._cut(block, still_open=self._open - finished)
        self._open -= finished
        return self._pass(event)

    def _judge_done(self, guard: AnswerGuard, event: bytes) -> bytes:
        if self.state is StreamState.DRAINING:
            return self._finish_cut()
        block = guard.finish()
        if block is not None:
            self._cut(block, still_open=set())
            return self._finish_cut()
        self.state = StreamState.COMPLETE
        return self._release(event)

    def _pass(self, event: bytes) -> bytes:
        """The event, with what was held before it; or nothing while something must be held."""
        if self.state is not StreamState.OPEN:
            return b""
        if self._guard is not None and (self._guard.holds_all or self._calling):
            self._held.append(event)
            self._held_bytes += len(event)
            return b"" if self._held_bytes <= self._most_held_bytes else self._garbage()
        return self._release(event) if self._held else event

    def _release(self, event: bytes) -> bytes:
        """The event, with all that was held before it."""
        released = b"".join([*self._held, event])
        self._drop_held()
        return released

    def _drop_held(self) -> None:
        self._held.clear()
        self._held_bytes = 0

    def _cut(self, block: Block, *, still_open: set[int]) -> bytes:
        """Stop delivering. While choices are open the provider is cut off; otherwise its usage is waited for."""
        self.block = block
        self._drop_held()
        if still_open:
            self.state = StreamState.CUT
            return self._last_events()
        self.state = StreamState.DRAINING
        return b""

    def _finish_cut(self) -> bytes:
        self.state = StreamState.COMPLETE
        return self._last_events()

    def _last_events(self) -> bytes:
        assert self.block is not None  # noqa: S101 - for the type checker
        choices = sorted(self._open) or [0]
        return responses.block_events(self.block, self._decision_id, self._who, choices=choices, usage=self.usage)

    def _read(self, data: bytes) -> AnswerView | None:
        """What a chunk says; ``None`` if the stream failed with it."""
        try:
            view = read_frame(data) if self._guard is None else read_answer(data)
        except UnreadableAnswer:
            self._garbage()
            return None
        if view.error:
            self._fail("upstream_error", responses.provider_error_event(data))
            return None
        if not self._is_known and view.model is not None:
            self._is_known = True
            self.model = view.model
            self._who = responses.identity_of(data, self._who)
        if view.usage is not None:
            self.usage = view.usage
        return view

    def _garbage(self) -> bytes:
        """The stream can't be judged any further."""
        code = "upstream_invalid_response"
        self._fail(code, responses.error_event(_UNREADABLE, code=code))
        return self._last_words

    def _fail(self, code: str, last_words: bytes) -> None:
        self.state, self.error_code, self._last_words = StreamState.FAILED, code, last_words
        self._drop_held()
