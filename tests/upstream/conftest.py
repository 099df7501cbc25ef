"""A fake provider and the real client, for each test anew."""

from collections.abc import AsyncIterator

import pytest

from fake_grok import FakeGrok
from grokwarden_sidecar.calls.upstream_aiohttp import AiohttpUpstream


@pytest.fixture
async def grok() -> AsyncIterator[FakeGrok]:
    async with FakeGrok() as grok:
        yield grok


@pytest.fixture
async def upstream() -> AsyncIterator[AiohttpUpstream]:
    async with AiohttpUpstream() as upstream:
        yield upstream
