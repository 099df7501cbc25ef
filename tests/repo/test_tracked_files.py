"""What must not be in any file of the repository."""

import re
from pathlib import Path

import pytest

REGISTRIES = (
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|crates\.io|proxy\.golang\.org|deb\.debian\.org|maven\.org"
)
MACHINE_PATHS = r"(?<![\w.])/(work|root|opt/wheels)/"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (REGISTRIES, "a registry's host belongs in the settings of pip, or a mirror can't take its place"),
        (MACHINE_PATHS, "a path of one machine means nothing on another"),
    ],
    ids=["registries", "machine-paths"],
)
def test_no_file_names_what_only_one_machine_has(tracked: list[Path], root: Path, pattern: str, why: str):
    """The repository must work from any folder, behind any mirror."""
    forbidden = re.compile(pattern.encode())

    found = [
        f"{path.relative_to(root)}:{number}"
        for path in tracked
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if forbidden.search(line)
    ]

    assert not found, why


def test_the_licence_is_the_whole_apache_text(root: Path):
    """A licence that lacks a part is another licence."""
    text = (root / "LICENSE").read_text(encoding="utf-8")

    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


def test_every_foreign_licence_is_named_in_the_notice(tracked: list[Path], root: Path):
    """Data of others keeps its terms, and whoever redistributes us must be able to find them."""
    notice = (root / "NOTICE").read_text(encoding="utf-8")
    foreign = [path.relative_to(root).as_posix() for path in tracked if path.name.endswith(".LICENSE")]

    assert [path for path in foreign if path not in notice] == []
