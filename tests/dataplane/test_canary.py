"""Unique texts in every kind of call, looked for in everything that the process writes or says of itself."""

import json

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, event, tool_call
from eventually import eventually
from fake_grok import CUT, HANG
from raw_client import connection, request_bytes, send_bytes
from sidecar import configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROMPT, SAID, MATCHED = "canary-prompt-5d1c", "canary-answer-81fe", "canary-matched-9b2d"
CLIENT_KEY, TARGET_KEY = "canary-client-key-3c4e", "canary-target-key-6a7f"
CANARIES = (PROMPT, SAID, MATCHED, CLIENT_KEY, TARGET_KEY)
CHAIN = """
    {name: core, policy: core-policy},
    {name: prefix, policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: Hello, onMissing: Prepend}},
    {name: injection, policy: prompt-injection, mode: Shadow, promptInjection: {attackPatterns: ["canary-p[a-z]+"]}},
    {name: safety, policy: safety-filter, safetyFilter: {patterns: ["canary-m[a-z]+"]}}
"""
HEADERS = {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": CLIENT_KEY, "user-agent": PROMPT, "cookie": PROMPT}


def body(text, **fields):
    return json.dumps({"model": "grok-4.3", "messages": [{"role": "user", "content": text}]} | fields).encode()


def refused():
    """Requests that are answered by the sidecar itself, whose every answer is looked at too."""
    picture = {"type": "image_url", "image_url": {"url": f"https://x.test/{PROMPT}"}}
    key = json.dumps(PROMPT).encode()
    yield body(MATCHED)
    yield body(MATCHED, stream=True)
    yield body(f"<policy>{MATCHED}</policy>")
    yield b"{" + key + b":1," + key + b":2}"
    yield b'{"messages":' + key
    yield key
    yield body(PROMPT)[:-1] + b', "x": NaN}'
    yield body(PROMPT, n=PROMPT)
    yield body(PROMPT, stream=PROMPT)
    yield body(PROMPT, tools=[PROMPT])
    yield json.dumps({"model": "grok-4.3", "messages": [{"role": PROMPT, "content": PROMPT}]}).encode()
    yield json.dumps({"model": "grok-4.3", "messages": [{"role": "user", "content": [picture]}]}).encode()
    yield json.dumps({"model": "grok-4.3", "messages": [{"role": "user", "content": [{PROMPT: PROMPT}]}]}).encode()
    yield body(PROMPT, search_parameters={"mode": PROMPT})


def scripted(grok):
    """Provider's answers that the sidecar turns into errors of its own, with the stream flag of their calls."""
    grok.reply(body=SAID.encode())
    yield False
    grok.reply(body=json.dumps(SAID).encode())
    yield False
    grok.reply(body=b'{"choices":"' + SAID.encode() + b'"}')
    yield False
    grok.reply(body=b"<html>" + SAID.encode(), headers={"content-type": "text/html"})
    yield True
    grok.reply(status=502, body=b"<html>" + SAID.encode())
    yield False
    grok.reply(status=302, body=b"", headers={"location": f"https://x.test/{SAID}"})
    yield False
    grok.reply(status=400, json={"code": "x", "error": f"Incorrect API key provided: {TARGET_KEY}."})
    yield False
    grok.reply(status=401, json={"error": {"message": f"Invalid key {TARGET_KEY}", "code": TARGET_KEY}})
    yield False
    grok.raw(b"HTTP/1.1 " + SAID.encode() + b"\r\n\r\n", CUT)
    yield False
    grok.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + SAID.encode(), CUT)
    yield False
    grok.stream([b"data: " + SAID.encode() + b"\n\n"])
    yield True
    grok.stream([b'data: {"' + SAID.encode() + b'":1,"' + SAID.encode() + b'":2}\n\n'])
    yield True


def passed_on(grok):
    """Provider's answers that reach the client with their text, which is the client's own business."""
    grok.reply(json=answer(SAID))
    yield False
    grok.reply(json=answer(f"{SAID} {MATCHED}"))
    yield False
    grok.reply(json=answer(None, tool_calls=[tool_call(MATCHED, name=SAID)]))
    yield False
    grok.stream([chunk(SAID), chunk(MATCHED), chunk(finish="stop"), DONE])
    yield True
    grok.stream([chunk(SAID), CUT])
    yield True
    grok.stream([chunk(SAID), event({"error": {"message": f"{SAID} {PROMPT}", "code": SAID}})])
    yield True
    grok.reply(status=422, json={"code": SAID, "error": f"{PROMPT} is not valid"})
    yield False
    grok.reply(status=503, json={"error": {"message": PROMPT, "type": SAID, "code": SAID}})
    yield False
    grok.reply(json={"error": PROMPT, "code": SAID})
    yield True


async def hang_up(sidecar, grok):
    before = grok.abandoned
    grok.stream([chunk(SAID), HANG])
    async with connection(sidecar.port) as (reader, writer):
        request = request_bytes("POST", "/v1/chat/completions", body=body(PROMPT, stream=True), headers=HEADERS)
        writer.write(request)
        await reader.readuntil(SAID.encode())
    await eventually(lambda: grok.abandoned == before + 1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traces(running_grok, tmp_path_factory):
    """What is left of one process that has seen it all: texts by where they were found."""
    directory = tmp_path_factory.mktemp("canary")
    running_grok.clear()
    texts = configuration(running_grok.base_url, chain=CHAIN)
    odd = [("POST", f"/v1/files?key={CLIENT_KEY}"), ("DELETE", f"/v1/chat/completions?key={CLIENT_KEY}")]
    async with running_sidecar(
        directory, *texts, arguments=("--log-level", "debug"), XAI_API_KEY=TARGET_KEY
    ) as sidecar:
        found = {}
        for number, bad in enumerate(refused()):
            response = await sidecar.post(bad, HEADERS)
            assert response.status_code in {400, 415}, (number, response.text)
            found[f"refusal {number}"] = response.text + str(response.headers)
        assert running_grok.requests == []
        for number, stream in enumerate(scripted(running_grok)):
            response = await sidecar.post(body(PROMPT, stream=stream), HEADERS)
            assert response.status_code == 502 or stream, (number, response.text)
            found[f"failure {number}"] = response.text + str(response.headers)
        for stream in passed_on(running_grok):
            await sidecar.post(body(PROMPT, stream=stream), HEADERS)
        await hang_up(sidecar, running_grok)
        for method, path in odd:
            response = await send_bytes(sidecar.port, request_bytes(method, path, headers=HEADERS))
            found[path] = response.body.decode()
        bundle = await sidecar.bundle()
        sidecar.config.write_text("nonsense: [")
        await eventually(lambda: sidecar.events("bundle_rejected"), timeout_seconds=10)
        for path in ("/metrics", "/config", "/readyz", "/healthz"):
            found[path] = (await sidecar.admin(path)).text
        assert bundle in found["/config"]
        records = sidecar.records
    for file in directory.rglob("*"):
        if file.is_file() and file != sidecar.config:
            found[str(file.relative_to(directory))] = file.read_text()
    assert len(records) >= 35
    assert {"Block", "Flag"} <= {record["action"] for record in records}
    return found


@pytest.mark.parametrize("canary", CANARIES)
async def test_no_text_of_a_call_is_found_anywhere(traces, canary):
    """Logs, metrics, probes, records and errors are read by more people than the calls are for."""
    assert [place for place, text in traces.items() if canary in text] == []


async def test_every_place_was_looked_at(traces):
    """A canary test that looks nowhere finds nothing."""
    places = set(traces)

    assert {"stderr", "stdout", "/metrics", "/config", "/readyz", "audit/head.json"} <= places
    assert any(place.startswith("audit/audit-") for place in places)
    assert all(traces[place] for place in ("stderr", "/metrics", "/config", "/readyz"))
    assert "bundle_rejected" in traces["stderr"]
