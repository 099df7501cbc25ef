"""Who is calling: what a token is worth, for how long, and what a flood of bad ones costs."""

import asyncio
import time
from typing import Any

import pytest

from config_plane import Directory, unsigned_token
from eventually import eventually
from grokwarden_operator.cluster.errors import ClusterUnavailableError
from grokwarden_operator.stream.identity import Authenticator, Caller, TokenRefused, TooManyReviews
from listings import pod
from targets import HandClock

BOT = pod("bot-0")


class Door:
    """An authenticator with its clocks and what it asks."""

    def __init__(self, **limits: Any) -> None:
        self.directory = Directory()
        self.clock = HandClock(0.0)
        self.now = HandClock(time.time())
        self.who = Authenticator(self.directory.review, clock=self.clock, now=self.now, **limits)

    async def caller(self, token: str, **how_long: float) -> Caller:
        return await self.who.caller(f"Bearer {token}".encode(), **how_long)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.now += seconds
        self.now.now += seconds


async def test_identity_and_expiry_are_the_tokens_own():
    """Everything that a pod may have hangs on these."""
    door = Door()
    token = door.directory.token(BOT, exp=12_345_678_901)

    caller = await door.caller(token)

    assert (caller.identity.pod_uid, caller.identity.namespace) == (BOT.uid, "shop")
    assert caller.expires_at == 12_345_678_901


async def test_a_valid_token_is_reviewed_once_a_minute():
    """An ack that cost a review each would put the API server into the path of every change."""
    door = Door()
    token = door.directory.token(BOT)
    for _ in range(3):
        await door.caller(token)
    assert len(door.directory.reviews) == 1

    door.pass_seconds(60)
    await door.caller(token)

    assert len(door.directory.reviews) == 2


async def test_a_review_counts_for_as_long_as_the_request_lets_it():
    """An answer gives nothing away: what all sidecars answer after a quiet hour must not wait for a review each."""
    door = Door()
    token = door.directory.token(BOT, seconds=7200)
    await door.caller(token)
    door.pass_seconds(3599)
    await door.caller(token, cached_seconds=3600)
    assert len(door.directory.reviews) == 1

    door.pass_seconds(1)
    await door.caller(token, cached_seconds=3600)

    assert len(door.directory.reviews) == 2


async def test_a_refusal_outweighs_an_older_review_that_would_still_count():
    """Who is refused a stream must not be heard on the strength of an hour ago."""
    door = Door()
    token = door.directory.token(BOT)
    await door.caller(token)
    door.pass_seconds(60)
    door.directory.revoke(token)
    with pytest.raises(TokenRefused):
        await door.caller(token)
    door.pass_seconds(2)

    with pytest.raises(TokenRefused):
        await door.caller(token, cached_seconds=3600)


@pytest.mark.parametrize("cached_seconds", [60, 3600])
async def test_a_remembered_token_expires_all_the_same(cached_seconds):
    """The memory must not outlive what it remembers."""
    door = Door()
    token = door.directory.token(BOT, seconds=30)
    await door.caller(token)
    door.pass_seconds(31)

    with pytest.raises(TokenRefused):
        await door.caller(token, cached_seconds=cached_seconds)


async def test_a_refused_token_is_asked_for_again_after_a_second():
    """A pod's object may appear right after its token; a flood with one bad token costs a review a second."""
    door = Door()
    token = unsigned_token({"exp": time.time() + 60})
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await door.caller(token)
    assert len(door.directory.reviews) == 1

    door.pass_seconds(1)
    with pytest.raises(TokenRefused):
        await door.caller(token)

    assert len(door.directory.reviews) == 2


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcjpwYXNz",
        b"Bearer a.b",
        b"Bearer a.b.c.d",
        b"Bearer a.b.c, Bearer d.e.f",
        b"Bearer a b.c.d",
        b"Bearer a.b.c\n",
        b"Bearer \xff.b.c",
        b"Bearer " + b"a" * 8192 + b".b.c",
    ],
)
async def test_what_is_no_token_is_asked_nobody_about(header):
    """Garbage must not reach the API server, least of all in great numbers."""
    door = Door()

    with pytest.raises(TokenRefused):
        await door.who.caller(header)

    assert door.directory.reviews == []


@pytest.mark.parametrize("claims", [{}, {"exp": "soon"}, {"exp": None}, {"exp": True}, {"exp": 1}])
async def test_a_token_without_an_end_is_refused_though_it_is_valid(claims):
    """Its stream would have no end either."""
    door = Door()
    token = door.directory.token(BOT)
    identity = await door.directory.review(token)
    endless = unsigned_token(claims)
    door.directory._tokens[endless] = identity

    with pytest.raises(TokenRefused):
        await door.caller(endless)


async def test_a_flood_of_bad_tokens_is_bounded_towards_the_api_server():
    """One pod with a loop must not take the API server from a cluster; the others are told to come again."""
    door = Door(max_reviews=3, max_waiting=5)
    door.directory.gate.clear()
    tokens = [unsigned_token({"exp": time.time() + 60, "n": number}) for number in range(40)]

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_outcome(door, token)) for token in tokens]
        await eventually(lambda: len([task for task in asked if task.done()]) == 32)
        door.directory.gate.set()

    outcomes = [task.result() for task in asked]
    assert outcomes.count(TooManyReviews) == 32
    assert outcomes.count(TokenRefused) == 8
    assert door.directory.most_at_once == 3


async def test_bad_tokens_displace_no_valid_one():
    """Else a flood would make every ack of every sidecar a review again."""
    door = Door(max_known=2)
    token = door.directory.token(BOT)
    await door.caller(token)
    for number in range(50):
        with pytest.raises(TokenRefused):
            await door.caller(unsigned_token({"n": number}))
    door.directory.reviews.clear()

    await door.caller(token)

    assert door.directory.reviews == []


async def test_memory_is_bounded():
    """Each renewal is another token."""
    door = Door(max_known=2)
    tokens = [door.directory.token(BOT) for _ in range(3)]
    for token in tokens:
        await door.caller(token)
    door.directory.reviews.clear()

    for token in reversed(tokens):
        await door.caller(token)

    assert door.directory.reviews == [tokens[0]]


async def test_callers_with_one_token_share_a_review():
    """A stream and its ack connection come together."""
    door = Door(max_reviews=1)
    token = door.directory.token(BOT)
    door.directory.gate.clear()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(door.caller(token))
        await eventually(lambda: door.directory.reviews)
        door.directory.gate.set()

    assert door.directory.reviews == [token]


async def test_a_silent_api_server_is_no_verdict():
    """Neither yes nor no may be remembered of a question that nobody answered."""
    door = Door(timeout_seconds=0.05)
    token = door.directory.token(BOT)
    door.directory.gate.clear()
    with pytest.raises(ClusterUnavailableError):
        await door.caller(token)
    door.directory.gate.set()

    assert (await door.caller(token)).identity.pod_uid == BOT.uid


async def test_no_token_is_kept_after_its_review():
    """What is not there can be in no dump, log or traceback."""
    door = Door()
    token = door.directory.token(BOT)
    await door.caller(token)
    with pytest.raises(TokenRefused) as refused:
        await door.caller(unsigned_token({"n": 1}))

    held = repr([vars(memory) for memory in (door.who._valid, door.who._refused)]) + str(refused.value)

    assert token not in held
    assert unsigned_token({"n": 1}) not in held


async def _outcome(door: Door, token: str) -> type[Exception] | None:
    try:
        await door.caller(token)
    except (TokenRefused, TooManyReviews) as refused:
        return type(refused)
    return None
