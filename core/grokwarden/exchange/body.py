"""Strict JSON in, the original bytes out.

A body of a client is read once, strictly: what two parsers could read differently is refused before anything is sent.
An edit decodes only the levels on its path, so that everything else leaves as it came (``1.0e0``, 23-digit integers).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import jiter
import msgspec

from grokwarden.exchange.model import Edit, InsertMessages, Splice

_Tree = dict[str | int, "_Tree | list[Splice]"]
"""Edits by their places: a level's keys, each with what is below it or with the changes of its text."""
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class MalformedCall(ValueError):
    """The call can't be understood the same way by everybody; the message is fit for the client.

    Attributes:
        param: The field at fault, as OpenAI's errors name it.
    """

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def decode_strict(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises:
        MalformedCall: No JSON, no object, duplicate keys, NaN, a lone surrogate, invalid UTF-8 or nesting over 200.
    """
    try:
        doc = jiter.from_json(body, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedCall(f"The body is not valid JSON: {_without_text(str(error))}.") from error
    if type(doc) is not dict:
        raise MalformedCall("The body must be a JSON object.")
    return doc


def _without_text(message: str) -> str:
    """The parser's message without the key that it quotes: a client's text never reaches an error."""
    head, _, tail = message.partition('"')
    return head.strip() + tail.rpartition('"')[2] if tail else message


def apply_edits(body: bytes, edits: Iterable[Edit]) -> bytes:
    """``body`` with the edits made; untouched parts keep their bytes.

    All offsets and indexes are those of the original. Overlapping splices of a text are united, and the first one's
    text stands for all.
    """
    tree: _Tree = {}
    inserts: list[InsertMessages] = []
    for edit in edits:
        if isinstance(edit, InsertMessages):
            inserts.append(edit)
            continue
        node = tree
        for key in edit.path[:-1]:
            node = node.setdefault(key, {})  # type: ignore[assignment]
        node.setdefault(edit.path[-1], []).append(edit)  # type: ignore[union-attr]
    top = _OBJECT.decode(body)
    _rewrite(top, tree)
    if inserts:
        messages = _ARRAY.decode(top["messages"])
        top["messages"] = msgspec.Raw(_encode(_with_inserts(messages, inserts)))
    return _encode(top)


def replace_field(body: bytes, key: str, value: object) -> bytes:
    """``body`` with one top-level field set; the rest keeps its bytes."""
    top = _OBJECT.decode(body)
    top[key] = msgspec.Raw(_encode(value))
    return _encode(top)


def splice_text(text: str, cuts: Sequence[Splice]) -> str:
    """``text`` with the cuts made; where they overlap, the span is united and the first one given names the text."""
    ordered = sorted(enumerate(cuts), key=lambda item: (item[1].start, item[1].end))
    pieces: list[str] = []
    position = 0
    index = 0
    while index < len(ordered):
        order, cut = ordered[index]
        start, end, winner = cut.start, cut.end, (order, cut.text)
        index += 1
        while index < len(ordered) and ordered[index][1].start < end:
            end = max(end, ordered[index][1].end)
            winner = min(winner, (ordered[index][0], ordered[index][1].text))
            index += 1
        pieces += (text[position:start], winner[1])
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _rewrite(level: Any, tree: _Tree) -> None:  # noqa: ANN401 - an object's or an array's raw values
    """Change the strings that the tree names, each level decoded and encoded once."""
    for key, below in tree.items():
        raw = level[key]
        if isinstance(below, list):
            level[key] = msgspec.Raw(_encode(splice_text(msgspec.json.decode(raw, type=str), below)))
            continue
        inner = _OBJECT.decode(raw) if bytes(raw).lstrip()[:1] == b"{" else _ARRAY.decode(raw)
        _rewrite(inner, below)
        level[key] = msgspec.Raw(_encode(inner))


def _with_inserts(messages: list[msgspec.Raw], inserts: list[InsertMessages]) -> list[Any]:
    out: list[Any] = []
    pending = sorted(inserts, key=lambda edit: (edit.index, edit.rank), reverse=True)
    for index, message in enumerate(messages):
        while pending and pending[-1].index <= index:
            out += pending.pop().messages
        out.append(message)
    for edit in reversed(pending):
        out += edit.messages
    return out
