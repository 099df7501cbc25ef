"""system-prompt-guard: the call begins with the instructions that its owner prescribes.

The first message (after the core policy's own text, if the application sends that) must be a system or developer
message whose text starts with the required prefix. Later system messages may say what they like: they come after it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from grokwarden.catalog.core_policy import CORE_POLICY
from grokwarden.exchange.model import Exchange, Field, InsertMessages, Path, Role, Segment, Splice
from grokwarden.policies.base import Finding, Policy
from grokwarden.vocabulary import Action, Need, Phase

_INSTRUCTS: Final = (Role.SYSTEM, Role.DEVELOPER)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As ``systemPromptGuard``."""

    required_prefix: str
    on_missing: str = "Block"


class SystemPromptGuardStep:
    """Looks at the head of the call."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.required_prefix
        self._prepends = settings.on_missing == "Prepend"

    def judge(self, call: Exchange) -> Iterable[Finding]:
        index = 1 if call.doc["messages"][0] == {"role": "system", "content": CORE_POLICY} else 0
        head = [s for s in call.segments if _is_instruction(s, index)]
        text = "".join(segment.text for segment in head)
        if text.startswith(self._prefix) and not _opens_unread(call, index):
            return
        if not self._prepends:
            rule = "prefix-missing" if head else "system-prompt-missing"
            yield Finding(rule=rule, action=Action.BLOCK)
            return
        if head and not _opens_unread(call, index):
            edit: Splice | InsertMessages = Splice(head[0].path, 0, 0, f"{self._prefix}\n\n")
        else:
            edit = InsertMessages(({"role": "system", "content": self._prefix},), index=index)
        yield Finding(rule="prefix-prepended", action=Action.FLAG, edits=(edit,))


def _is_instruction(segment: Segment, index: int) -> bool:
    slot = segment.slot
    return (
        slot.item == index
        and slot.role in _INSTRUCTS
        and slot.field is Field.CONTENT
        and not segment.fixed
        and segment.path[2:3] == ("content",)
    )


def _opens_unread(call: Exchange, index: int) -> bool:
    """The message begins with a part that can't be read, so what follows is not its start."""
    start: Path = ("messages", index, "content", 0)
    return any(opaque.path == start for opaque in call.opaque)


def _build(settings: Mapping[str, Any]) -> SystemPromptGuardStep:
    return SystemPromptGuardStep(msgspec.convert(settings, Settings))


POLICY: Final = Policy(
    name="system-prompt-guard",
    summary="Requires that the call begins with a system prompt of the owner's, or puts it there.",
    actions=(),
    sees={Phase.REQUEST: Need.CALL},
    build=_build,
)
