"""What an `audit-logger` step says of the log is acted on."""

import pytest

from answers import answer
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

INJECTION = "{name: injection, policy: prompt-injection, promptInjection: {attackPatterns: [open sesame]}}"
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}


@pytest.mark.parametrize(
    ("chain", "wanted"),
    [
        ("{name: audit, policy: audit-logger, auditLogger: {logAllAccess: false}}", ["Block", "Block"]),
        (
            "{name: one, policy: audit-logger, auditLogger: {logAllAccess: false}}, {name: two, policy: audit-logger}",
            ["Allow", "Allow", "Block", "Block", "Block", "Block"],
        ),
    ],
    ids=["false", "one true is enough"],
)
async def test_log_all_access_decides_whether_calls_that_no_pack_stopped_are_recorded(
    running_grok, grok, tmp_path, chain, wanted
):
    """Off, the log holds decisions alone; a record too few would be a decision that nobody can prove."""
    grok.reply(json=answer(), times=2)
    texts = configuration(running_grok.base_url, chain=f"{INJECTION}, {chain}")
    async with running_sidecar(tmp_path, *texts) as sidecar:
        allowed = await sidecar.chat()
        models = await sidecar.http.get(f"{sidecar.url}/v1/models")
        unknown = await sidecar.http.get(f"{sidecar.url}/v1/embeddings")
        malformed = await sidecar.post(b"{")
        blocked = await sidecar.chat("open sesame")
        unscannable = await sidecar.post({"model": "grok-4.3", "messages": [IMAGE]})

    statuses = [each.status_code for each in (allowed, models, unknown, malformed, blocked, unscannable)]
    assert statuses == [200, 200, 404, 400, 400, 400]
    assert [record["action"] for record in sidecar.records] == wanted
    assert [record["status"] for record in sidecar.records] == (statuses if len(wanted) == 6 else statuses[-2:])
