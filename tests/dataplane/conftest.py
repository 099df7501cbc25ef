"""A Grok that speaks bytes behind the real process. What needs other packs starts a sidecar of its own."""

import pytest
import pytest_asyncio

from fake_grok import FakeGrok
from sidecar import configuration, running_sidecar

SAFETY = "{name: safety, policy: safety-filter, safetyFilter: {patterns: [verboten]}}"


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running_grok():
    async with FakeGrok() as running:
        yield running


@pytest.fixture
def grok(running_grok):
    running_grok.clear()
    return running_grok


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def judging_sidecar(running_grok, tmp_path_factory):
    """One step that reads requests and answers, and edits nothing."""
    texts = configuration(running_grok.base_url, chain=SAFETY)
    arguments = ("--max-body-bytes", 65536)
    async with running_sidecar(tmp_path_factory.mktemp("judging"), *texts, arguments=arguments) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def routing_sidecar(running_grok, tmp_path_factory):
    """No step at all: calls pass with nobody looking at their texts."""
    async with running_sidecar(tmp_path_factory.mktemp("routing"), *configuration(running_grok.base_url)) as running:
        yield running


@pytest.fixture
def sidecar(judging_sidecar, grok):
    return judging_sidecar
