"""The example pack, as it is shipped, and the edits that the walk makes to a copy of it."""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from grokwarden_sidecar.demo.errors import DemoError

NAME: Final = "xai-gateway.yaml"
"""The same bytes as ``examples/xai-gateway.yaml``; a test compares them."""


def shipped_pack() -> str:
    """The text of the example pack in this installation."""
    return files("grokwarden_sidecar.demo").joinpath(NAME).read_text(encoding="utf-8")


def with_base_url(pack: str, url: str) -> str:
    """The pack with its calls going to ``url``."""
    return _replaced(pack, r"^  provider: xai\b.*$", lambda line: f"{line}\n  baseURL: {url}")


def with_pattern(pack: str, pattern: str) -> str:
    """The pack with one more attack pattern (RE2, without a single quote)."""
    return _replaced(pack, r"^ +attackPatterns:.*$", lambda line: f"{line}\n{_indent(line)}  - '{pattern}'")


def with_misspelt_policy(pack: str) -> str:
    """The pack with a policy that does not exist."""
    return _replaced(pack, r"^ +policy: prompt-injection$", lambda line: line.replace("injection", "injektion"))


class PackFile:
    """A pack on disk, in a directory that a sidecar watches."""

    def __init__(self, path: Path, text: str) -> None:
        """The file is there.

        Args:
            path: Its directory is made if it is not there.
            text: The pack.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.text = ""
        self.write(text)

    def write(self, text: str) -> None:
        """The file holds ``text``; nobody ever saw a part of it."""
        draft = self.path.parent.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.path)
        self.text = text


def _replaced(pack: str, line: str, edit: Callable[[str], str]) -> str:
    text, count = re.subn(line, lambda found: edit(found[0]), pack, flags=re.MULTILINE)
    if count != 1:
        raise DemoError(f"the pack {NAME} has {count} lines like {line}; the demo edits exactly one")
    return text


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
