"""The examples do what their comments say."""

from pathlib import Path

import pytest

from command_line import Run

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_an_example_is_valid_and_its_tests_pass(grokwarden: Run, file: Path):
    """A newcomer's first minute is one of these files."""
    validated = grokwarden("validate", file)
    assert (validated.returncode, validated.stderr) == (0, "")
    assert validated.stdout.startswith("ok: default/")

    tested = grokwarden("test", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_gateway_example_has_tests_for_and_against(grokwarden: Run):
    """It is copied, so it should show that a deny case stands next to a near miss."""
    done = grokwarden("test", EXAMPLES / "xai-gateway.yaml")
    assert "5 passed, 0 failed" in done.stdout


def test_the_imported_example_is_valid(grokwarden: Run):
    """The pipe in its comment has to work."""
    imported = grokwarden("import", EXAMPLES / "policy-config.yaml")
    assert imported.returncode == 0
    assert imported.stdout.startswith("# Converted from ")

    validated = grokwarden("validate", "-", stdin=imported.stdout)
    assert "calls go to default/xai-primary, default/openai-fallback" in validated.stdout
    assert validated.returncode == 0
