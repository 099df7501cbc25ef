"""The command itself: what it lists, what it loads, and how it ends."""

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from command_line import ROOT, run_grokwarden
from grokwarden import __version__
from grokwarden.edge.cli import ENTRY_POINTS, SUMMARIES, missing_extra

HEAVY = ("aiohttp", "asyncio", "fastapi", "kopf", "kubernetes", "prometheus_client", "uvicorn", "grokwarden_sidecar")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


def loaded_by(*arguments: str) -> set[str]:
    """Which of the heavy modules a command leaves in memory."""
    code = (
        f"import sys; sys.argv = ['grokwarden', *{list(arguments)!r}]\n"
        "from grokwarden.edge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('loaded:', *({{*{HEAVY!r}, 'pydantic', 'yaml'}} & set(sys.modules)))"
    )
    return set(run_python(code).stdout.rpartition("loaded:")[2].split())


def test_help_lists_every_command_with_a_summary():
    """A command that nobody sees is not there."""
    done = run_grokwarden("--help")

    assert done.returncode == 0
    for name in entry_points(group=ENTRY_POINTS).names:
        assert SUMMARIES[name] in done.stdout


def test_help_loads_no_command():
    """`--help` has to answer at once, and with any extra missing."""
    assert loaded_by("--help") == set()
    assert loaded_by("--version") == set()


def test_a_command_of_the_core_loads_no_plane():
    """A pack is checked in build jobs that have neither the sidecar's nor the operator's extra."""
    loaded = loaded_by("validate", "examples/xai-gateway.yaml")
    assert {"pydantic", "yaml"} <= loaded
    assert not loaded & set(HEAVY)


def test_a_command_whose_extra_is_missing_says_what_to_install():
    """The module's name alone does not tell a user what to do."""
    code = "import sys; sys.modules['aiohttp'] = None; sys.argv = ['grokwarden', 'run', '--config', 'x']\n"
    code += "from grokwarden.edge.cli import main; main()"
    done = run_python(code)

    assert done.returncode == 2
    assert "pip install 'grokwarden[sidecar]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra():
    """Telling people to install something would send them away from our defect."""
    error = ModuleNotFoundError(name="grokwarden.gone")
    point = EntryPoint(name="run", value="grokwarden_sidecar.commands.run:run", group=ENTRY_POINTS)
    with pytest.raises(ModuleNotFoundError):
        missing_extra("run", point, error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["validat"], "Did you mean 'validate'?"),
        (["validate"], "Missing argument"),
        (["validate", "--speed"], "No such option"),
        (["validate", "--pod-labels", "app", "examples"], '"app" is no label'),
        (["validate", "--output", "xml", "examples"], "'xml' is not one of"),
    ],
)
def test_bad_usage_ends_with_2(arguments: list[str], said: str):
    """A script must tell "your pack is wrong" from "you called me wrongly"."""
    done = run_grokwarden(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_version():
    """The first thing that a bug report needs."""
    assert run_grokwarden("--version").stdout == f"grokwarden {__version__}\n"


def test_colour_is_for_terminals():
    """Escape codes in a build log or a pipe are garbage; FORCE_COLOR is the reader's own wish."""
    assert "\x1b" not in run_grokwarden("test", "examples/xai-gateway.yaml").stdout
    assert "\x1b" in run_grokwarden("test", "examples/xai-gateway.yaml", FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[3" not in run_grokwarden("test", "examples/xai-gateway.yaml", FORCE_COLOR="1", NO_COLOR="1").stdout
