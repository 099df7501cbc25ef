"""The OpenAI SDK, unmodified, against ``grokwarden run`` in front of the simulator."""

import openai
import pytest
import pytest_asyncio

from grokwarden_sidecar.simulate import SimulatorSettings, simulator
from resource_texts import pack_text, target_text
from sidecar import CLIENT_KEY, running_sidecar

TARGET_KEY = "xai-key-of-the-target"
PACK = """
  chain:
    - {name: injection, policy: prompt-injection, promptInjection: {attackPatterns: ["open sesame"]}}
    - {name: safety, policy: safety-filter, safetyFilter: {patterns: ["verboten"]}}
  routing: {targets: [{name: xai-grok}]}
  blockResponse: {contact: platform@example.com}
"""


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running_grok():
    async with simulator(SimulatorSettings(key=TARGET_KEY)) as running:
        yield running


@pytest.fixture
def grok(running_grok):
    running_grok.clear()
    return running_grok


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def sidecar(running_grok, tmp_path_factory):
    target = target_text(
        f"{{provider: xai, baseURL: '{running_grok.base_url}', secretKeyRef: {{env: XAI_API_KEY}},"
        " circuitBreaker: {failures: 1000}}",
        namespace="shop",
    )
    pack = pack_text(PACK, namespace="shop")
    directory = tmp_path_factory.mktemp("clients")
    async with running_sidecar(directory, pack, target, XAI_API_KEY=TARGET_KEY) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(sidecar, grok):
    """As an application makes it: the base URL and a key that is good for nothing. Its two retries stay on."""
    async with openai.AsyncOpenAI(base_url=sidecar.base_url, api_key=CLIENT_KEY) as client:
        yield client


@pytest.fixture
def sync_client(sidecar, grok):
    with openai.OpenAI(base_url=sidecar.base_url, api_key=CLIENT_KEY) as client:
        yield client
