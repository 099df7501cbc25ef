"""Keys come and go while calls run, without a restart, without a new bundle, and without a trace."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from answers import answer
from eventually import eventually
from fake_grok import FakeGrok
from grokwarden.bundle import KeySource
from grokwarden_sidecar.configuration.keys import TargetKeyError
from grokwarden_sidecar.stream.lent_keys import GRACE_SECONDS, LentKeys
from pod_bundles import KEY_NAME, TARGET, bundle, forbidding, grok_target, routed_to
from sidecar import running_pod_sidecar
from targets import HandClock

CANARY, SECOND = "xai-canary-4b1d", "xai-canary-9e2f"


def ring(keys, clock=None):
    made = LentKeys(clock=clock or HandClock())
    made.replace(keys)
    return made


def test_a_key_is_found_by_its_name():
    """Whoever put it there last; a target without a key has none."""
    keys = ring({KEY_NAME: f" {CANARY}\n"})

    assert keys.key_of(grok_target()).authorization == f"Bearer {CANARY}"
    assert keys.key_of(grok_target(key=None)) is None
    assert keys.replace({KEY_NAME: SECOND})
    assert keys.key_of(grok_target()).secret == SECOND.encode()
    assert not keys.replace({KEY_NAME: SECOND})


def test_a_key_that_was_not_lent_is_an_error_that_says_where_to_look():
    """The application's author can't see Secrets; who can, finds the reason in the target's status."""
    with pytest.raises(TargetKeyError, match="the operator has not provided its key; the status of ProviderTarget"):
        ring({}).key_of(grok_target())


@pytest.mark.parametrize("source", [KeySource(env="PATH"), KeySource(file="/proc/self/environ")])
def test_no_other_way_to_name_a_key_is_taken(source):
    """A target could have this container's own token sent to a host of its author's."""
    with pytest.raises(TargetKeyError, match=r"use secretKeyRef\.name"):
        ring({KEY_NAME: CANARY, "": CANARY}).key_of(grok_target(key=source))


def test_a_key_that_was_taken_back_serves_a_moment_longer():
    """The keys come ahead of the bundle that no longer needs the old one; the calls in between must not fail."""
    clock = HandClock()
    keys = ring({KEY_NAME: CANARY}, clock)
    keys.replace({})
    assert keys.key_of(grok_target()).secret == CANARY.encode()

    clock.advance(GRACE_SECONDS)

    with pytest.raises(TargetKeyError):
        keys.key_of(grok_target())


def test_a_rotated_key_serves_not_a_moment_longer():
    """Whoever rotates a key that leaked wants it out of use."""
    keys = ring({KEY_NAME: CANARY})
    keys.replace({KEY_NAME: SECOND})

    assert keys.key_of(grok_target()).secret == SECOND.encode()


@pytest.mark.parametrize("value", ["", " ", f"{CANARY}\r\nx-evil: 1", f"{CANARY} x", f"{CANARY}é"])
def test_a_key_that_is_no_header_value_is_left_out_and_named(value):
    """It would end up as a header of somebody's choice; its name tells where to mend it, its value nothing."""
    with capture_logs() as logs:
        keys = ring({KEY_NAME: value, "shop/other/KEY": SECOND})

    assert keys.names == {"shop/other/KEY"}
    assert [log["key"] for log in logs if log["event"] == "key_unusable"] == [KEY_NAME]
    assert "canary" not in f"{logs}{keys!r}{vars(keys)}"


async def calls_until(sidecar, stop):
    """Calls one after the other; how each ended."""
    codes = []
    while not stop.is_set():
        codes.append((await sidecar.chat()).status_code)
    return codes


async def test_rotating_a_key_under_traffic_fails_no_call(grok, operator, tmp_path):
    """No restart, no new bundle: the version that records name stays the same."""
    body = json.dumps(answer()).encode()
    grok.always(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    wanted = bundle(forbidding("verboten"), targets=(grok_target(grok.base_url),))
    await operator.offer(wanted, {KEY_NAME: "xai-0"})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(wanted.version)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            callers = [tasks.create_task(calls_until(sidecar, stop)) for _ in range(4)]
            for number in range(6):
                await operator.offer(wanted, {KEY_NAME: f"xai-{number}"})
                await eventually(lambda: used(grok)[-1] == f"Bearer xai-{number}", timeout_seconds=5)  # noqa: B023
            stop.set()
        metrics, version = await sidecar.metrics(), await sidecar.bundle()

    codes = [code for caller in callers for code in caller.result()]
    assert set(codes) == {200}
    assert len(codes) >= 20
    assert list(dict.fromkeys(used(grok))) == [f"Bearer xai-{number}" for number in range(6)]
    assert version == wanted.version
    assert metrics.value("grokwarden_config_apply_total") == 1
    assert len(operator.acks) == 1


def used(grok):
    return [request.header("authorization") for request in grok.requests] or [None]


async def test_a_change_of_target_and_key_fails_no_call(operator, tmp_path):
    """Both come at once, and neither is in force before the other is."""
    body = json.dumps(answer()).encode()
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with FakeGrok() as one, FakeGrok() as two:
        one.always(whole)
        two.always(whole)
        other_key = "shop/other-key/KEY"
        first = bundle(forbidding("verboten"), targets=(grok_target(one.base_url),))
        moved = grok_target(two.base_url, key=KeySource(secret=other_key))
        second = bundle((forbidding("verboten"), 2), targets=(moved,))
        await operator.offer(first, {KEY_NAME: "xai-one"})
        async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
            await operator.ack_of(first.version)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                callers = [tasks.create_task(calls_until(sidecar, stop)) for _ in range(4)]
                await eventually(lambda: len(one.requests) > 20, timeout_seconds=5)
                await operator.offer(second, {other_key: "xai-two"})
                await eventually(lambda: len(two.requests) > 20, timeout_seconds=5)
                stop.set()

    assert {code for caller in callers for code in caller.result()} == {200}
    assert set(used(one)) == {"Bearer xai-one"}
    assert set(used(two)) == {"Bearer xai-two"}


async def test_a_missing_key_refuses_the_calls_that_need_it_and_nothing_else(grok, operator, tmp_path):
    """The pack is in force all the same: its steps count, and the key may come any moment."""
    grok.reply(json=answer())
    wanted = bundle(forbidding("verboten"), targets=(grok_target(grok.base_url),))
    await operator.offer(wanted, {})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        ack = await operator.ack_of(wanted.version)
        refused, blocked, ready = await sidecar.chat(), await sidecar.chat("verboten"), await sidecar.readiness()
        await operator.offer(wanted, {KEY_NAME: "xai-late"})
        await eventually(lambda: len(sidecar.events("keys_replaced")) == 1)
        served = await sidecar.chat()

    error = refused.json()["error"]
    assert ack["packs"][0]["applied"]
    assert (refused.status_code, error["code"]) == (503, "upstream_key_missing")
    assert f"Target {TARGET}: the operator has not provided its key" in error["message"]
    assert KEY_NAME not in refused.text
    assert (blocked.status_code, ready, served.status_code) == (400, (200, "ready\n"), 200)


async def test_a_key_is_found_nowhere_but_in_its_file(grok, operator, tmp_path):
    """Logs, metrics, records, errors and the configuration are read by more people than may have it."""
    rejected = {"error": {"message": f"Incorrect API key provided: {SECOND}", "code": SECOND}}
    grok.reply(json=answer())
    grok.reply(status=401, json=rejected)
    grok.reply(status=400, json=rejected)
    grok.reply(status=422, json=rejected)
    wanted = bundle(
        forbidding("verboten"),
        forbidding("more", name="shop/nowhere", targets=("shop/none",)),
        targets=(grok_target(grok.base_url),),
    )
    fixed = bundle((forbidding("verboten"), 2), targets=(grok_target(grok.base_url),))
    broken = bundle(
        (forbidding("verboten"), 3),
        forbidding("more", name="shop/nowhere", targets=("shop/none",)),
        targets=(grok_target(grok.base_url),),
    )
    keys = {KEY_NAME: CANARY, "shop/spoilt/KEY": f"{CANARY} in two"}
    await operator.offer(wanted, keys)
    directory = tmp_path / "pod"
    found = {}
    async with running_pod_sidecar(directory, operator, "--log-level", "debug") as sidecar:
        await operator.ack_of(wanted.version)
        await operator.offer(fixed)
        await operator.ack_of(fixed.version)
        found["answer"] = (await sidecar.chat()).text
        await operator.offer(broken, {KEY_NAME: SECOND})
        await operator.ack_of(broken.version)
        for number in range(3):
            found[f"error {number}"] = (await sidecar.chat()).text
        (await operator.stream()).hang_up()
        await eventually(lambda: sidecar.events("stream_ended"))
        for path in ("/metrics", "/readyz", "/healthz"):
            found[path] = (await sidecar.admin(path)).text
        found["/config"] = json.dumps(await sidecar.configuration())
    for file in directory.rglob("*"):
        if file.is_file():
            found[str(file.relative_to(directory))] = file.read_text()
    found["acks"] = str([request.body for request in operator.requests])

    assert used(grok) == [f"Bearer {CANARY}", *[f"Bearer {SECOND}"] * 3]
    places = [place for place, text in found.items() if CANARY in text or SECOND in text]
    assert places == ["state/keys.json"]
    assert {"stderr", "state/bundle.json", "/config", "/metrics"} <= set(found)
    token = operator.token_file.read_text().rpartition(".")[2]
    assert [place for place, text in found.items() if token in text] == []
    assert "key_unusable" in found["stderr"]


async def test_a_key_that_rotates_during_a_call_is_still_masked_in_its_error(operator, tmp_path):
    """A provider's error can quote the key it was sent, which is by then the one before."""
    async with FakeGrok() as grok:
        gate = asyncio.Event()
        text = json.dumps({"error": {"message": f"no such model for {CANARY}", "code": "x"}}).encode()
        head = b"HTTP/1.1 422 Scripted\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text)
        grok.raw(head, gate, text)
        wanted = bundle(forbidding("verboten"), targets=(grok_target(grok.base_url),))
        await operator.offer(wanted, {KEY_NAME: CANARY})
        async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar, asyncio.TaskGroup() as tasks:
            await operator.ack_of(wanted.version)
            call = tasks.create_task(sidecar.chat())
            await eventually(lambda: grok.requests)
            await operator.offer(wanted, {KEY_NAME: SECOND})
            await eventually(lambda: len(sidecar.events("keys_replaced")) == 2)
            gate.set()
            response = await call

    assert response.status_code == 422
    assert "no such model for [key]" in response.text


def test_several_targets_may_share_a_key():
    """One Secret for two models is the usual case."""
    keys = ring({KEY_NAME: CANARY})
    targets = [grok_target(name=f"shop/{name}") for name in "ab"]

    assert {keys.key_of(target).authorization for target in targets} == {f"Bearer {CANARY}"}
    assert routed_to("shop/a", "shop/b").targets == ("shop/a", "shop/b")
