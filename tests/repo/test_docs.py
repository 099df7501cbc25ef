"""The docs as a reader gets them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory, plain_env: dict[str, str]) -> Path:
    """The docs, built strictly: a dead link or anchor fails here."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    env = plain_env | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_reachable_from_the_first(root: Path, site: Path):
    """A page that no link leads to is a page that nobody reads."""
    first = (site / "index.html").read_text(encoding="utf-8")
    pages = [path.relative_to(root / "docs").with_suffix(".html") for path in (root / "docs").rglob("*.md")]

    assert pages
    assert [page.as_posix() for page in pages if f'href="{page.as_posix()}"' not in first] == []


def test_no_page_loads_anything_from_another_host(site: Path):
    """Reading the docs must work offline, and must tell nobody."""
    loads = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"(?:https?:)?//", re.IGNORECASE)
    found = [
        page.relative_to(site).as_posix()
        for page in site.rglob("*.html")
        if loads.search(text := page.read_text(encoding="utf-8")) or 'class="mermaid"' in text
    ]

    assert found == [], "an address of another host, or a mermaid diagram, whose renderer comes from one"


def test_decisions_are_numbered_and_have_their_parts(root: Path):
    """A decision without its reasons, or without what would reverse it, can only be believed."""
    pages = sorted((root / "docs/adr").glob("*.md"))
    parts = ("**Status:**", "## Context", "## Decision", "## Options refused", "## Consequences", "would reverse it:")

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}: ")
        assert [part for part in parts if part not in text] == [], page.name
