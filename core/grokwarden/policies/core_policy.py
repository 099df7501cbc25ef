"""core-policy: xAI's core policy stands first in every call, once, and nobody else can speak in its tags.

It inserts the published text as the first message, and takes the tags away from whoever forges them: any text of the
call that reads as a ``<policy>`` tag once look-alikes, invisible characters and escapes are undone.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any, Final

import msgspec

from grokwarden.catalog.core_policy import CORE_POLICY, RESTRICTIONS
from grokwarden.exchange.body import splice_text
from grokwarden.exchange.model import Exchange, InsertMessages, Path, Segment, Splice
from grokwarden.policies.base import Finding, Policy
from grokwarden.text.escapes import holds_escape, without_escapes
from grokwarden.text.fold import NESTING_LIMIT, canonical_spans, fold
from grokwarden.vocabulary import Action, Need, Phase

_TAG: Final = re.compile(r"<[\s/\\]*(?:[\w-]+:\s*)?p\s*o\s*l\s*i\s*c\s*y(?=[\s/\\>:<]|\Z)")
_INSERT_FIRST: Final = 0
_LARGEST_EDITED: Final = 256 * 1024  # characters; a forged tag in a larger text blocks
_MOST_EDITS: Final = 1000  # nobody writes this many tags by mistake, and each one costs


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As ``corePolicy``."""

    on_forged_tag: str = "Neutralise"
    restrict: tuple[str, ...] = ()


class CorePolicyStep:
    """Inserts the core policy and neutralises forged tags."""

    def __init__(self, settings: Settings) -> None:
        self._blocks = settings.on_forged_tag == "Block"
        self._texts = [CORE_POLICY]
        if settings.restrict:
            self._texts.append(" ".join(RESTRICTIONS[name] for name in settings.restrict))

    def judge(self, call: Exchange) -> Iterable[Finding]:
        present = self._present(call)
        if present < len(self._texts):
            messages = tuple({"role": "system", "content": text} for text in self._texts[present:])
            edit = InsertMessages(messages, index=present, rank=_INSERT_FIRST)
            yield Finding(rule="inserted", score=0.0, action=Action.ALLOW, edits=(edit,))
        if not any(_may_hold_tag(segment.text) for segment in call.segments):
            return
        edits: list[Splice] = []
        must_block = self._blocks
        forged = False
        for segments in _texts_of(call.segments, skip_messages=min(present, 1)):
            found = _forged_tags(segments)
            if found is None:
                continue
            forged = True
            edits += found
            must_block = (
                must_block
                or not found
                or len(edits) > _MOST_EDITS
                or any(segment.fixed for segment in segments)
                or not _is_clean(segments, found)
            )
            if must_block:
                break
        if forged:
            action = Action.BLOCK if must_block else Action.REDACT
            yield Finding(rule="forged-tag", action=action, edits=() if must_block else tuple(edits))

    def _present(self, call: Exchange) -> int:
        """How many of the texts to insert already stand at the head of the call, each as a whole system message."""
        messages: list[dict[str, Any]] = call.doc["messages"]
        count = 0
        for text, message in zip(self._texts, messages, strict=False):
            if message not in _messages_saying(text):
                break
            count += 1
        return count


def _messages_saying(text: str) -> tuple[dict[str, Any], ...]:
    """The two forms of a system message that says ``text`` and nothing else."""
    return (
        {"role": "system", "content": text},
        {"role": "system", "content": [{"type": "text", "text": text}]},
    )


def _texts_of(segments: Sequence[Segment], *, skip_messages: int) -> Iterator[list[Segment]]:
    """The segments, those of one message's parts together, without the first ``skip_messages`` messages."""

    def message_of(segment: Segment) -> tuple[object, ...]:
        slot = segment.slot
        if slot.part is None or segment.fixed:
            return (segment.path, segment.fixed, id(segment))
        return (slot.item, slot.field)

    for _, group in groupby(segments, key=message_of):
        members = list(group)
        if members[0].slot.item < skip_messages and members[0].path[:1] == ("messages",):
            continue
        yield members


def _may_hold_escape(text: str) -> bool:
    """Three searches of the C library: twenty times as fast as a set on every character."""
    return "&" in text or "%" in text or "\\" in text


def _may_hold_tag(text: str) -> bool:
    """A cheap look that is never wrong when it says no."""
    return "<" in (text if text.isascii() else fold(text)) or _may_hold_escape(text)


def _forged_tags(segments: Sequence[Segment]) -> list[Splice] | None:
    """The edits that turn each forged tag's brackets into square ones; ``None`` if there is no forged tag.

    There are tags and no edits where the text is too large to know where in it each character came from.
    """
    text = segments[0].text if len(segments) == 1 else "".join(segment.text for segment in segments)
    if not _may_hold_tag(text):
        return None
    if len(text) > _LARGEST_EDITED:
        return [] if _TAG.search(_unspanned(text)) else None
    canonical, starts, ends = _canonical(text)
    cuts: list[tuple[int, int, str]] = []
    for tag in _TAG.finditer(canonical):
        cuts.append((starts[tag.start()], ends[tag.start()], "["))
        close = canonical.find(">", tag.end())
        if close != -1 and canonical.find("<", tag.end(), close) == -1:
            cuts.append((starts[close], ends[close], "]"))
    return list(_splices(segments, cuts)) or None


def _unspanned(text: str) -> str:
    """What ``canonical_spans`` gives, without the spans, which take some hundred bytes a character."""
    folded = fold(text)
    for _ in range(NESTING_LIMIT):
        if not holds_escape(folded):
            break
        folded = fold(without_escapes(folded))
    return folded


def _canonical(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """See ``canonical_spans``; plain ASCII is its own canonical form, but for the case."""
    if text.isascii() and text.isprintable() and not _may_hold_escape(text):
        return text.lower(), range(len(text)), range(1, len(text) + 1)
    return canonical_spans(text)


def _splices(segments: Sequence[Segment], cuts: Sequence[tuple[int, int, str]]) -> Iterator[Splice]:
    """Edits for spans of the joined text, in order; where one lies across parts, the first gets the new text."""
    offsets = [0, *accumulate(len(segment.text) for segment in segments)]
    for start, end, text in cuts:
        part = bisect_right(offsets, start) - 1
        replacement = text
        while part < len(segments) and offsets[part] < end:
            segment, offset = segments[part], offsets[part]
            inner_start, inner_end = max(start - offset, 0), min(end - offset, len(segment.text))
            if inner_start < inner_end:
                yield Splice(segment.path, inner_start, inner_end, replacement)
                replacement = ""
            part += 1


def _is_clean(segments: Sequence[Segment], edits: Sequence[Splice]) -> bool:
    """Nothing reads as a policy tag any more once the edits are made."""
    cuts: dict[Path, list[Splice]] = {}
    for edit in edits:
        cuts.setdefault(edit.path, []).append(edit)
    joined = "".join(splice_text(s.text, cuts[s.path]) if s.path in cuts else s.text for s in segments)
    return _TAG.search(canonical_spans(joined)[0]) is None


def _build(settings: Mapping[str, Any]) -> CorePolicyStep:
    return CorePolicyStep(msgspec.convert(settings, Settings, strict=False))


POLICY: Final = Policy(
    name="core-policy",
    summary="Puts xAI's core policy first in every call, once, and neutralises forged policy tags.",
    actions=(),
    sees={Phase.REQUEST: Need.CALL, Phase.TOOL_ARGUMENTS: Need.CALL, Phase.TOOL_RESULT: Need.CALL},
    build=_build,
)
