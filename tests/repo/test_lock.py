"""The lock file against what ``pyproject.toml`` asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, list[tuple[Requirement, int]]]:
    """Each pin of the lock file by package, with the number of its hashes."""
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    found: dict[str, list[tuple[Requirement, int]]] = {}
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE):
        if entry.strip() and not entry.startswith("#"):
            pin = Requirement(entry.split("\\")[0].strip())
            hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
            found.setdefault(canonicalize_name(pin.name), []).append((pin, hashes))
    return found


def test_every_dependency_is_pinned_to_a_version_that_satisfies_it(root: Path, pins):
    """What `make setup` installs is what the project says it needs; after an edit, `make lock` makes it true again."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        Requirement(line)
        for lines in (project["dependencies"], *project["optional-dependencies"].values())
        for line in lines
    ]

    missing = [
        str(requirement)
        for requirement in wanted
        if requirement.name != project["name"]
        and not any(
            requirement.specifier.contains(next(iter(pin.specifier)).version, prereleases=True)
            for pin, _ in pins.get(canonicalize_name(requirement.name), [])
        )
    ]

    assert missing == []


def test_every_pin_is_exact_and_has_hashes(pins):
    """One entry without a hash makes pip refuse the whole file."""
    loose = [
        str(pin)
        for entries in pins.values()
        for pin, hashes in entries
        if hashes == 0 or [specifier.operator for specifier in pin.specifier] != ["=="]
    ]

    assert pins
    assert loose == []
