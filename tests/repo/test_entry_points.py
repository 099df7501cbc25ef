"""What the installed distribution promises to other programs."""

from importlib.metadata import EntryPoint, distribution

import pytest


@pytest.mark.parametrize("entry_point", distribution("grokwarden").entry_points, ids=lambda entry: entry.name)
def test_every_entry_point_can_be_imported(entry_point: EntryPoint):
    """A subcommand that is registered and can't be loaded would break the whole command line."""
    assert callable(entry_point.load())
