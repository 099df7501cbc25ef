"""The real process between an operator and a Grok that both speak bytes; each test has its own three."""

import pytest

from fake_grok import FakeGrok
from fake_operator import FakeOperator


@pytest.fixture
async def grok():
    async with FakeGrok() as running:
        yield running


@pytest.fixture
async def operator(tmp_path):
    async with FakeOperator(tmp_path / "operator") as running:
        yield running
