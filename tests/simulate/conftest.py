"""A running simulator and the real OpenAI client on it. One server per module: stopping one takes 0.2 s."""

import httpx
import openai
import pytest
import pytest_asyncio

from grokwarden_sidecar.simulate import SimulatorSettings, simulator


@pytest.fixture(scope="module")
def grok_key():
    return "xai-test-key"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_grok(grok_key):
    async with simulator(SimulatorSettings(key=grok_key)) as running:
        yield running


@pytest.fixture
def grok(running_grok):
    yield running_grok
    running_grok.clear()


@pytest_asyncio.fixture(loop_scope="module")
async def client(grok, grok_key):
    async with openai.AsyncOpenAI(base_url=grok.base_url, api_key=grok_key, max_retries=0) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def http(grok, grok_key):
    """A plain client, for what stands on the wire."""
    async with httpx.AsyncClient(base_url=grok.url, headers={"authorization": f"Bearer {grok_key}"}) as client:
        yield client
