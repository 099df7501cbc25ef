"""The documentation of the simulator names every key, and no other."""

import re
from pathlib import Path

from grokwarden_sidecar.simulate import Script

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"


def test_every_key_of_a_script_is_documented():
    """A key that nobody can find was built in vain; a documented one that is gone is a lie."""
    table = PAGE.read_text().split("| key | effect |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", table, flags=re.MULTILINE)

    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(Script.model_fields)
