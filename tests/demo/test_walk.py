"""The demo as a newcomer runs it: the real command, from a directory of their own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo_runs import walk_steps
from grokwarden_sidecar.demo.pack import shipped_pack
from grokwarden_sidecar.demo.steps import WALK


def test_everything_happens_as_expected(finished):
    """The first command of the README."""
    done, _, _ = finished

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{len(WALK)} steps" in done.stdout
    assert "all as expected" in done.stdout
    assert "DIFFERS" not in done.stdout


def test_every_step_shows_its_evidence(finished):
    """A claim without its metric and its record is only a claim."""
    done, _, _ = finished
    titles = re.findall(r"^(\d+)\. (.*)$", done.stdout, re.MULTILINE)

    assert titles == [(str(number), step.title) for number, step in enumerate(WALK, 1)]
    for step in WALK[:-2]:
        assert {"metric", "audit"} <= {item.subject for item in step.expects}, step.title


def test_the_output_is_plain_where_no_terminal_reads_it(finished):
    """It ends in the logs of build servers."""
    done, _, _ = finished

    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_nothing_is_left_and_nothing_is_written_elsewhere(finished):
    """A demonstration must not leave keys, logs or processes behind."""
    _, home, temporary = finished

    assert [path.name for path in home.iterdir()] == ["json.py"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("title", "line", "weaker"),
    [
        ("A prompt injection is blocked", "action: Block", "action: Flag"),
        ("A call without", "onMissing: Block", "onMissing: Prepend"),
    ],
)
def test_a_pack_that_enforces_less_is_found_out(tmp_path: Path, title: str, line: str, weaker: str):
    """The checks must be able to fail, each on the evidence of client, provider, metric and record."""
    pack = without_tests(shipped_pack())
    assert pack.count(line) == 1

    done = walk_steps(pack.replace(line, weaker), title, temporary=tmp_path)

    assert done.returncode == 1, done.stderr
    differing = set(re.findall(r"^DIFFERS +(\w+)", done.stdout, re.MULTILINE))
    assert {"client", "policy", "provider", "metric", "audit"} == differing
    assert "5 of them differ" in done.stdout


def test_the_same_steps_pass_on_the_pack_as_it_is(tmp_path: Path):
    """Near miss: it is the weaker pack that differs, not a step taken alone."""
    done = walk_steps(
        without_tests(shipped_pack()), "A prompt injection is blocked", "A call without", temporary=tmp_path
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pack_that_can_t_be_used_ends_the_demo_with_the_reason(tmp_path: Path):
    """A sidecar that does not start is the commonest failure; its own words say why."""
    done = walk_steps(shipped_pack().replace("policy: core-policy", "policy: no-policy"), "A", temporary=tmp_path)

    assert done.returncode == 1
    assert "refused: grokwarden run ended with code 1; it said:" in done.stderr
    assert 'unknown policy "no-policy"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_the_sdk_the_demo_says_what_to_install():
    """The SDK is no dependency of grokwarden, so it may well be missing."""
    code = "import sys; sys.modules['openai'] = None; from grokwarden.edge.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pip install 'grokwarden[sidecar]' openai" in done.stderr


def without_tests(pack: str) -> str:
    """The pack without its own tests, which would refuse to put a weaker one in force."""
    start, end = pack.index("  # The pack's own tests."), pack.index("---\n")
    return pack[:start] + pack[end:]
