"""Images, files, opaque history and tools that run at the provider: refused, or let by with a count of them."""

import pytest
import pytest_asyncio

from answers import answer
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

USER = [{"role": "user", "content": "Hello"}]
TEXT = {"type": "text", "text": "What is this?"}


def parts(*others):
    return {"messages": [{"role": "user", "content": [TEXT, *others]}]}


OPAQUE = {
    "an image by URL": (
        parts({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}),
        "image",
        "messages[0].content[1]",
    ),
    "a file by id": (parts({"type": "file", "file": {"file_id": "f-1"}}), "file", "messages[0].content[1]"),
    "a text file": (parts({"type": "text_file", "text_file": "f-1"}), "file", "messages[0].content[1]"),
    "audio": (parts({"type": "input_audio", "input_audio": {"data": "AAAA"}}), "audio", "messages[0].content[1]"),
    "a part of tomorrow": (parts({"type": "hologram"}), "unknown_part", "messages[0].content[1]"),
    "web search": ({"tools": [{"type": "web_search"}]}, "server_side_tool", "tools[0]"),
    "an MCP server": (
        {"tools": [{"type": "mcp", "server_url": "https://x.test"}]},
        "server_side_tool",
        "tools[0]",
    ),
    "live search": ({"search_parameters": {"mode": "auto"}}, "server_side_tool", "search_parameters"),
    "web search options": ({"web_search_options": {}}, "server_side_tool", "web_search_options"),
    "an earlier answer": ({"previous_response_id": "resp-1"}, "opaque_history", "previous_response_id"),
    "sealed reasoning": (
        {"messages": [*USER, {"role": "assistant", "content": "x", "encrypted_content": "AAAA"}]},
        "opaque_history",
        "messages[1].encrypted_content",
    ),
}
CASES = pytest.mark.parametrize(("fields", "reason", "param"), OPAQUE.values(), ids=OPAQUE.keys())


@CASES
async def test_what_nobody_can_read_is_refused(sidecar, grok, fields, reason, param):
    """``onUnscannable: Block`` is the default: an image can say what no text may."""
    response = await sidecar.post({"model": "grok-4.3", "messages": USER} | fields)

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "unscannable_content", param)
    assert "shop/gateway" in error["message"]
    assert reason in error["message"]
    assert "x.test" not in error["message"]
    assert grok.requests == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lenient_sidecar(running_grok, tmp_path_factory):
    chain = "{name: safety, policy: safety-filter, safetyFilter: {patterns: [verboten]}}"
    texts = configuration(running_grok.base_url, chain=chain, spec="onUnscannable: Allow")
    async with running_sidecar(tmp_path_factory.mktemp("lenient"), *texts) as running:
        yield running


@CASES
async def test_what_is_let_by_unread_is_counted(lenient_sidecar, grok, fields, reason, param):
    """Never silently: whoever allows it sees in a metric how much goes unread."""
    grok.reply(json=answer())
    before = await lenient_sidecar.metrics()
    body = {"model": "grok-4.3", "messages": USER} | fields

    response = await lenient_sidecar.post(body)
    after = await lenient_sidecar.metrics()

    labels = {"endpoint": "ChatCompletions", "reason": reason}
    name = "grokwarden_unscanned_total"
    assert response.status_code == 200
    assert grok.requests[0].json() == body
    assert after.value(name, **labels) == before.value(name, **labels) + 1, param


async def test_the_texts_beside_it_are_judged_all_the_same(lenient_sidecar, grok):
    """An image must be no excuse for the sentence next to it."""
    picture = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}

    response = await lenient_sidecar.post(
        {
            "model": "grok-4.3",
            "messages": [{"role": "user", "content": [picture, {"type": "text", "text": "verboten"}]}],
        }
    )

    assert response.json()["error"]["code"] == "content_filter"
    assert grok.requests == []


async def test_function_tools_are_read_and_not_opaque(sidecar, grok):
    """The near miss: what a function says of itself is text, and is judged as such."""
    grok.reply(json=answer())
    tool = {"type": "function", "function": {"name": "search", "description": "Searches our own wiki."}}

    assert (await sidecar.chat(tools=[tool])).status_code == 200
