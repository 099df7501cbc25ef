"""Writes every generated file of the repository, or with ``--check`` says which are stale.

A new kind of generated file is one more entry of ``GENERATED``.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from grokwarden.api.crd import DEFINITIONS, crd_yaml
from grokwarden.api.metadata import GROUP
from grokwarden.api.reference import reference_markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedFile:
    """A file, relative to the repository's root, and what has to be in it."""

    path: str
    content: Callable[[], str]


GENERATED: Final[tuple[GeneratedFile, ...]] = (
    *(
        GeneratedFile(path=f"crds/{GROUP}_{definition.plural}.yaml", content=partial(crd_yaml, definition))
        for definition in DEFINITIONS
    ),
    *(
        GeneratedFile(
            path=f"docs/reference/{definition.kind.lower()}.md", content=partial(reference_markdown, definition)
        )
        for definition in DEFINITIONS
    ),
)


def stale_files(root: Path) -> Iterator[tuple[Path, str]]:
    """The generated files under ``root`` that are missing or differ, each with what has to be in it."""
    for entry in GENERATED:
        path, content = root / entry.path, entry.content()
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            yield path, content


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is stale, or with ``--check`` only list it; 1 if ``--check`` found something, 2 if this is no root."""
    parser = argparse.ArgumentParser(prog="grokwarden.edge.generate", description="Write the generated files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root (default: here)")
    options = parser.parse_args(arguments)
    if not (options.root / "pyproject.toml").is_file():
        sys.stderr.write(f"{options.root.resolve()} has no pyproject.toml: run this in the repository's root\n")
        return 2
    stale = list(stale_files(options.root))
    if options.check:
        sys.stderr.writelines(f"{path}: stale, run `make generate`\n" for path, _ in stale)
        return 1 if stale else 0
    for path, content in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
