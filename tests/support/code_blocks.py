"""The code blocks of a page, and how their output is compared with what really comes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MASKS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"[0-9a-f]{12,}", "HEX"),
    (r"[A-Za-z0-9+/]{43}=", "KEY"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\b\d+\.\d+\.\d+\b", "VERSION"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "DURATION"),
    (r"\s+", " "),
)


@dataclass(frozen=True)
class Block:
    """A block of one page."""

    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A line behind ``$``, and the lines that should come of it."""

    line: str
    output: list[str] = field(default_factory=list)


def code_blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of these languages, in order."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(language, text) for language, text in found if language in languages]


def commands(text: str) -> Iterator[Command]:
    """The commands of a console block."""
    command = None
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(line[2:])
        elif command:
            command.output.append(line)
    if command:
        yield command


def masked(text: str) -> str:
    """A line without what differs from run to run."""
    for pattern, name in _MASKS:
        text = re.sub(pattern, name, text)
    return text.strip()


def missing_lines(expected: list[str], output: str) -> list[str]:
    """The expected lines that do not come, in their order; a line may end in …, which stands for its rest."""
    lines = iter([masked(line) for line in output.splitlines()])
    wanted = [masked(line) for line in expected if line.strip() not in {"", "…"}]
    return [line for line in wanted if not any(_is_like(line, came) for came in lines)]


def _is_like(line: str, came: str) -> bool:
    return came.startswith(line.removesuffix("…").rstrip()) if line.endswith("…") else came == line
