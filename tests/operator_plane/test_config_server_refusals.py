"""Whom and what the config server refuses, and how it says so."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
import structlog

from config_plane import ConfigPlane, config, config_plane, unsigned_token
from eventually import eventually
from grokwarden.config_stream import ACK_PATH, INSTANCE_HEADER, MAX_ACK_BYTES, STREAM_PATH, StreamEvent
from grokwarden_operator.cluster.errors import ClusterUnavailableError
from listings import pod
from stream_client import StreamRefused

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOT = pod("bot-0")
FIRST = config("first")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_plane():
    """One server for all that changes nothing."""
    async with config_plane() as plane:
        yield plane


@pytest.fixture
def plane(shared_plane: ConfigPlane) -> ConfigPlane:
    """The server as it was."""
    shared_plane.directory.pods = {BOT.uid: BOT}
    shared_plane.publish({BOT.uid: FIRST})
    return shared_plane


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "no_such_pod"),
        (pod("bot-0", uid="uid-of-its-successor"), "no_such_pod"),
        (pod("bot-1", uid=BOT.uid), "no_such_pod"),
        (pod("bot-0", namespace="bank", uid=BOT.uid), "no_such_pod"),
        (pod("bot-0", is_live=False), "no_such_pod"),
        (pod("bot-0", has_sidecar=False), "no_sidecar"),
    ],
)
async def test_a_valid_token_is_not_enough_without_its_live_pod_and_our_sidecar(plane, found, reason):
    """A token can outlive its pod, and be mounted where it should not be."""
    plane.directory.pods = {BOT.uid: found} if found is not None else {}
    async with plane.client(BOT) as client:
        with pytest.raises(StreamRefused) as refused:
            await client.stream().__aenter__()

    assert (refused.value.answer.status, refused.value.answer.reason) == (403, reason)
    assert plane.hub.counts().open == 0


async def test_an_api_server_that_is_away_is_no_refusal():
    """503 tells a sidecar to come again and to keep what it has; 401 would say that its token is bad."""
    away = ClusterUnavailableError("review of a token", "connection refused to 10.96.0.1")
    with structlog.testing.capture_logs() as logs:
        async with config_plane() as plane, plane.client(BOT) as client:
            plane.directory.review_error = away
            unreviewed = await client.request("GET", STREAM_PATH, headers={INSTANCE_HEADER: "a"})
            plane.directory.review_error, plane.directory.find_error = None, away
            unfound = await client.request("GET", STREAM_PATH, headers={INSTANCE_HEADER: "a"})

    for answer in (unreviewed, unfound):
        assert (answer.status, answer.reason, answer.headers["retry-after"]) == (503, "cluster_unavailable", "5")
        assert "10.96" not in str(answer)
    assert plane.hub.counts().refused == {"cluster_unavailable": 2}
    assert [event["event"] for event in logs if event["log_level"] == "warning"] == ["request_not_judged"]


async def test_more_bad_tokens_than_can_be_reviewed_are_turned_away():
    """The API server must not feel a flood."""
    async with config_plane(authenticator={"max_reviews": 1, "max_waiting": 1}) as plane, AsyncExitStack() as stack:
        plane.directory.gate.clear()
        clients = [
            await stack.enter_async_context(plane.client(BOT, token=unsigned_token({"n": number})))
            for number in range(6)
        ]
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(client.request("GET", STREAM_PATH)) for client in clients]
            await eventually(lambda: sum(task.done() for task in asked) == 4)
            plane.directory.gate.set()

        answers = [task.result() for task in asked]
        assert sorted(answer.status for answer in answers) == [401, 401, 503, 503, 503, 503]
        assert {answer.headers.get("retry-after") for answer in answers if answer.status == 503} == {"5"}


@pytest.mark.parametrize("token", ["", "garbage", unsigned_token({"exp": 9e9})])
@pytest.mark.parametrize(("method", "path"), [("GET", STREAM_PATH), ("POST", ACK_PATH)])
async def test_without_a_valid_token_nothing_is_served(plane, token, method, path):
    """401 tells a sidecar to read its token again."""
    async with plane.client(BOT, token=token) as client:
        answer = await client.request(method, path, headers={INSTANCE_HEADER: "a"})

        assert (answer.status, answer.reason) == (401, "invalid_token")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert not token or token not in str(answer)


@pytest.mark.parametrize("instance", ["", " ", "two words", "a" * 65, "ä"])
async def test_a_stream_must_say_which_process_it_is_for(plane, instance):
    """Else a restarted sidecar would inherit what its predecessor acked."""
    async with plane.client(BOT) as client:
        answer = await client.request("GET", STREAM_PATH, headers={INSTANCE_HEADER: instance})

    assert (answer.status, answer.reason) == (400, "no_instance")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/metrics", 404),
        ("GET", "/v1/config", 404),
        ("GET", STREAM_PATH + "/", 404),
        ("GET", STREAM_PATH + "%00", 404),
        ("POST", STREAM_PATH, 405),
        ("HEAD", STREAM_PATH, 405),
        ("OPTIONS", STREAM_PATH, 405),
        ("GET", ACK_PATH, 405),
        ("HEAD", ACK_PATH, 405),
        ("PUT", ACK_PATH, 405),
        ("DELETE", "/v2/config/stream", 404),
    ],
)
async def test_there_are_two_routes_and_nothing_else(plane, method, path, status):
    """Every further one would be a door; every refusal is JSON and names no server."""
    async with plane.client(BOT) as client:
        answer = await client.request(method, path, headers={INSTANCE_HEADER: "a"})

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert "server" not in answer.headers
    assert method == "HEAD" or answer.reason in ("no_route", "method_not_allowed")


@pytest.mark.parametrize(
    ("offer", "encoding"),
    [
        ("gzip, deflate, zstd", "zstd"),
        ("ZSTD;q=0.5", "zstd"),
        ("zstd;q=0", None),
        ("zstd; q=0.000, gzip", None),
        ("zstdx", None),
        ("gzip", None),
        ("", None),
    ],
)
async def test_a_stream_is_compressed_as_the_client_can_read_it(plane, offer, encoding):
    """The header is a list with weights, and 0 is a no."""
    async with plane.client(BOT) as client, client.stream(headers={"accept-encoding": offer}) as stream:
        assert stream.response.headers.get("content-encoding") == encoding


def _ack(**fields: Any) -> bytes:
    """An answer to ``FIRST`` in which some fields of its pack are others; ``None`` leaves a field out."""
    pack = {"name": "shop/pack", "uid": "uid-of-shop/pack", "generation": 1, "applied": True} | fields
    kept = {name: value for name, value in pack.items() if value is not None}
    return json.dumps({"manifest": FIRST.bundle.version, "packs": [kept]}).encode()


REFUSED = {"applied": False, "reason": "RegexTooComplex"}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "malformed_ack"),
        (b"{", 400, "malformed_ack"),
        (b"null", 400, "malformed_ack"),
        (b"[]", 400, "malformed_ack"),
        (b"\xff\xfe", 400, "malformed_ack"),
        (b"[" * 100_000, 400, "malformed_ack"),
        (b'{"manifest": 1, "packs": []}', 400, "malformed_ack"),
        (b'{"manifest": "x"}', 400, "malformed_ack"),
        (_ack(name=None), 400, "malformed_ack"),
        (_ack(generation="1"), 400, "malformed_ack"),
        (_ack(applied=None), 400, "malformed_ack"),
        (_ack(applied="true"), 400, "malformed_ack"),
        (_ack(applied=False), 400, "malformed_ack"),
        (_ack(reason="Because"), 400, "malformed_ack"),
        (_ack(**REFUSED | {"reason": "two words"}), 400, "malformed_ack"),
        (_ack(**REFUSED | {"reason": "R" * 129}), 400, "malformed_ack"),
        (_ack(**REFUSED, message="m" * 1025), 400, "malformed_ack"),
        (b'{"manifest": "sha256:0", "packs": []}', 409, "unknown_manifest"),
        (_ack(name="bank/pack"), 422, "other_packs"),
        (_ack(uid="another"), 422, "other_packs"),
        (_ack(generation=2), 422, "other_packs"),
        (_ack(generation=10**30), 422, "other_packs"),
        (b'{"manifest": "%s", "packs": []}' % FIRST.bundle.version.encode(), 422, "other_packs"),
        (b" " * (MAX_ACK_BYTES + 1), 413, "body_too_large"),
    ],
)
async def test_an_answer_that_is_none_changes_nothing(plane, body, status, reason):
    """What a status says was really answered, in these words, to what was really sent."""
    async with plane.client(BOT) as client, client.stream() as stream:
        await stream.until(*[StreamEvent.KEYS, StreamEvent.MANIFEST])
        before = plane.hub.reports()
        answer = await client.ack(body)

        assert (answer.status, answer.reason) == (status, reason)
        assert "nothing was changed" in answer.body["message"] or status == 413
        assert plane.hub.reports() == before


async def test_an_endless_answer_is_not_read_to_its_end(plane):
    """A body without a length is bounded as one with."""

    async def endless():
        for _ in range(40):
            yield b" " * 65536

    async with plane.client(BOT) as client:
        answer = await client.ack(endless())

    assert (answer.status, answer.reason) == (413, "body_too_large")


async def test_an_answer_without_a_stream_is_refused(plane):
    """After a restart of the operator nothing is known: the sidecar's stream has to come first."""
    other = plane.directory.add(pod("bot-1"))
    async with plane.client(other) as client:
        answer = await client.ack(_ack())

    assert (answer.status, answer.reason) == (409, "no_stream")
