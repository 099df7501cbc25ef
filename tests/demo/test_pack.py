"""The pack that the demo runs on."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.pack import NAME, PackFile, shipped_pack, with_base_url, with_misspelt_policy, with_pattern

ROOT = Path(__file__).parents[2]


def test_the_shipped_pack_is_the_example():
    """There is one example; the copy in the package only makes it reachable from an installed wheel."""
    assert shipped_pack() == (ROOT / "examples" / NAME).read_text(encoding="utf-8"), (
        "copy examples/xai-gateway.yaml to sidecar/grokwarden_sidecar/demo/"
    )


def test_a_wheel_holds_the_pack(tmp_path: Path):
    """Who installs from a registry has no examples folder."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"grokwarden_sidecar/demo/{NAME}").decode() == shipped_pack()


def test_each_edit_changes_one_line():
    """The walk shows what one edited line does."""
    lines = shipped_pack().splitlines()

    for edit in (with_base_url(shipped_pack(), "http://127.0.0.1:1/v1"), with_pattern(shipped_pack(), "x")):
        added = [line for line in edit.splitlines() if line not in lines]
        assert (len(added), len(edit.splitlines())) == (1, len(lines) + 1)
    assert len(with_misspelt_policy(shipped_pack()).splitlines()) == len(lines)
    assert with_misspelt_policy(shipped_pack()) != shipped_pack()


@pytest.mark.parametrize("edit", [with_misspelt_policy, lambda pack: with_pattern(pack, "x")])
def test_a_pack_without_the_line_is_refused(edit):
    """An edit that changes nothing would make the walk pass for the wrong reason."""
    with pytest.raises(DemoError, match="has 0 lines like"):
        edit("kind: PolicyPack\n")


def test_a_written_pack_leaves_nothing_beside_it(tmp_path: Path):
    """Every file of the directory is read as a resource."""
    file = PackFile(tmp_path / "packs" / NAME, "one")
    file.write("two")

    assert [(path.name, path.read_text()) for path in file.path.parent.iterdir()] == [(NAME, "two")]
