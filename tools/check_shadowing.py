"""Fails if a folder of this repository could be imported in place of the standard library's ``operator``.

The planes live in ``core/``, ``operator/`` and ``sidecar/``. With an ``__init__.py`` in it, ``operator/`` is a package,
and whatever starts Python in the repository's root imports that one: ``python -m pytest`` then dies in the standard
library with "cannot import name 'eq' from 'operator'". Folders of tests stay plain as well: as packages of one
name they would hide one another.
"""

import subprocess
import sys
from pathlib import Path

PLANES = ("core", "operator", "sidecar")
REASON = (
    "operator/ as a package hides the standard library's operator module from every Python that starts in the "
    "repository's root, and folders of tests would hide one another"
)


def shadowing_files(root: Path) -> list[Path]:
    """Every ``__init__.py`` that must not be, relative to ``root``."""
    planes = (root / plane / "__init__.py" for plane in PLANES)
    found = [path for path in planes if path.exists()]
    found += sorted((root / "tests").rglob("__init__.py"))
    return [path.relative_to(root) for path in found]


def operator_is_intact(root: Path) -> bool:
    """Whether a Python that starts in ``root`` gets the standard library's ``operator``."""
    command = [sys.executable, "-c", "import operator; operator.eq"]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0  # noqa: S603 (own words)


def main(root: Path) -> int:
    """Print what is wrong and how to mend it; 1 if anything is."""
    problems = [f"{path}: remove it" for path in shadowing_files(root)]
    if not operator_is_intact(root):
        problems.append(f"{root}: 'import operator' finds something else than the standard library's module here")
    if problems:
        sys.stderr.write("\n".join([*problems, f"Why: {REASON}.", ""]))
        return 1
    sys.stdout.write("shadowing: none\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]))
