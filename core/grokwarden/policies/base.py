"""What a policy is to the rest of the program. One module per policy defines one ``POLICY`` of this type.

The engine alone applies action, mode, ``onError`` and metrics; a policy only finds. From the definition here follow the
compiler's checks, the coverage table, the reference and the schema, so nothing about a policy is written twice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec

from grokwarden.exchange.model import Edit, Exchange, Slot
from grokwarden.vocabulary import Action, Need, Phase


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that a step found.

    Attributes:
        rule: Which rule, from a closed set or from the pack's author; never a piece of the text.
        score: In [0, 1].
        action: What the policy itself demands; ``None`` leaves it to the step's ``action``.
        edits: How the request changes if the finding is enforced.
    """

    rule: str
    score: float = 1.0
    action: Action | None = None
    edits: tuple[Edit, ...] = ()


@runtime_checkable
class CallStep(Protocol):
    """A policy with its settings that judges requests as a whole: immutable, thread-safe, without clock or I/O."""

    def judge(self, call: Exchange) -> Iterable[Finding]:
        """Everything found in the request; called once, for policies whose need is ``CALL``."""
        ...


@runtime_checkable
class TextStep(Protocol):
    """A policy with its settings that judges text by text: immutable, thread-safe, without clock or I/O."""

    def scan(self, text: str, slot: Slot) -> Finding | None:
        """The worst finding in one text, or ``None``; called for policies whose need is ``WINDOW`` or ``WHOLE``.

        On a request the text is a whole segment, or the parts of one message joined; on an answer it is a window or
        a whole lane. A finding below the threshold carries the action ``Allow``, so that its score is recorded.
        """
        ...


Step = CallStep | TextStep
Build = Callable[[Mapping[str, Any]], Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """A parameter that can't be used. ``path`` is relative to the parameter block, in the resource's camelCase."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The definition of one policy.

    Attributes:
        name: As in ``policy:`` of a chain's step.
        summary: One sentence for the reference.
        actions: What ``action`` may say, the default first; empty where the policy's own parameters decide.
        sees: The evidence it needs in each phase; an absent phase is a gap that the compiler reports.
        build: Settings (snake_case names, all present) to a step. Costly; never on the request path.
        check: Settings to everything that is wrong with them beyond their types.
    """

    name: str
    summary: str
    actions: tuple[Action, ...]
    sees: Mapping[Phase, Need]
    build: Build
    check: Callable[[Mapping[str, Any]], Iterable[SettingProblem]] = field(default=lambda _: ())
