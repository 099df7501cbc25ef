"""What an API server sends, cut where it is nested too deep for anybody here to follow.

An API server takes objects that are nested ten thousand levels deep, in fields without a schema and in its own record
of who has set them. Decoders give up far earlier, at a depth that differs between interpreters, and a list with one
such object is a list of none: whoever may write one pack would keep the operator from seeing everybody's. What is cut
here is still too deep for a call's body (``exchange.body``), so a pack that carries it fails its tests and is told so.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp
import jiter

MAX_DEPTH: Final = 250
"""Of what is left; jiter follows 200 levels."""
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


def shallow(body: bytes) -> bytes:
    """The same JSON, with ``null`` for each array and object deeper than ``MAX_DEPTH``; what is no JSON stays that."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return body
    try:
        jiter.from_json(body, cache_mode="none")
    except ValueError:
        return _cut(body)
    return body


class ShallowResponse(aiohttp.ClientResponse):
    """A response whose JSON, whole or in lines, is ``shallow``: for kopf, which decodes for itself."""

    async def start(self, connection: Any) -> "ShallowResponse":  # noqa: ANN401 - aiohttp's own
        """The head has come."""
        await super().start(connection)
        if self.status < 300:
            self.content = _ShallowLines(self.content)  # type: ignore[assignment]
        return self

    async def json(
        self,
        *,
        encoding: str | None = None,
        loads: Callable[[str], Any] = json.loads,
        content_type: str | None = "application/json",
    ) -> Any:  # noqa: ANN401 - aiohttp's own
        """The body, decoded."""
        return await super().json(
            encoding=encoding, loads=lambda text: loads(shallow(text.encode()).decode()), content_type=content_type
        )


class _ShallowLines:
    """A body that gives whole lines where it is asked for chunks. All else is as it was."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiohttp has
        return getattr(self._content, name)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._content.__aiter__()

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Everything, in pieces that end where a line does, but for the last one."""
        parts: list[bytes] = []
        async for chunk in self._content.iter_chunked(size):
            whole, end, rest = chunk.rpartition(b"\n")
            if not end:
                parts.append(rest)
                continue
            lines = b"".join((*parts, whole)).split(b"\n")
            parts = [rest]
            yield b"".join(shallow(line) + b"\n" for line in lines)
        if left := b"".join(parts):
            yield shallow(left)


def _cut(body: bytes) -> bytes:
    kept = bytearray()
    depth = begin = 0
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"{" | b"[":
                depth += 1
                if depth == MAX_DEPTH + 1:
                    kept += body[begin : token.start()] + b"null"
            case b"}" | b"]":
                if depth == MAX_DEPTH + 1:
                    begin = token.end()
                depth -= 1
    return bytes(kept + body[begin:]) if depth <= MAX_DEPTH else body
