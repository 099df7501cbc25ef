"""The operator is away: what was in force goes on, also over a restart; what never was, is never made up."""

import os
import stat

import pytest
from structlog.testing import capture_logs

from answers import answer
from eventually import eventually
from fake_operator import FakeOperator
from grokwarden.bundle import canonical_bytes, encode_part
from grokwarden_sidecar.stream.last_good import LastGood
from pod_bundles import KEY_NAME, bundle, forbidding, from_the_future, grok_target
from sidecar import running_pod_sidecar

KEYS = {KEY_NAME: "xai-kept"}


@pytest.fixture
def away(tmp_path):
    """An operator that is nowhere yet, at an address that will be its own."""
    operator = FakeOperator(tmp_path / "operator")
    operator.reserve()
    return operator


async def test_without_an_operator_and_without_a_past_nothing_is_served(away, tmp_path):
    """It starts, says what it waits for, is not ready, and lets nothing pass; then the operator is there."""
    wanted = bundle(forbidding("one"), targets=(grok_target(),))
    async with running_pod_sidecar(tmp_path / "pod", away) as sidecar:
        await eventually(lambda: sidecar.events("stream_unavailable"), timeout_seconds=5)
        refused, (code, text) = await sidecar.chat(), await sidecar.readiness()
        health, metrics = await sidecar.admin("/healthz"), await sidecar.metrics()
        try:
            await away.offer(wanted, KEYS)
            await away.start()
            await away.ack_of(wanted.version)
            ready = await sidecar.readiness()
        finally:
            await away.stop()

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "policy_unavailable")
    assert code == 503
    assert "not ready: no policy is in force yet\nnothing newer can come: no connection to 127.0.0.1" in text
    assert (health.status_code, ready) == (200, (200, "ready\n"))
    assert metrics.value("grokwarden_config_staleness_seconds") > 0


async def test_calls_go_on_while_the_operator_is_away(grok, operator, tmp_path):
    """Its outage must not become the applications'; the metric says for how long nothing new could come."""
    grok.reply(json=answer(), times=2)
    wanted = bundle(forbidding("one"), targets=(grok_target(grok.base_url),))
    edited = bundle((forbidding("two"), 2), targets=(grok_target(grok.base_url),))
    await operator.offer(wanted, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(wanted.version)
        await operator.stop()
        await eventually(lambda: sidecar.events("stream_ended"))
        served, blocked = await sidecar.chat(), await sidecar.chat("one")
        ready, metrics = await sidecar.readiness(), await sidecar.metrics()
        await operator.offer(edited)
        await operator.start()
        await operator.ack_of(edited.version)
        blocked_again, ready_again = await sidecar.chat("two"), await sidecar.readiness()

    assert (served.status_code, blocked.status_code, blocked_again.status_code) == (200, 400, 400)
    assert ready[0] == 200
    assert ready[1].startswith("ready\nnothing newer can come: ")
    assert metrics.value("grokwarden_config_staleness_seconds") > 0
    assert ready_again == (200, "ready\n")


async def restarted(directory, operator, *, is_drained=True):
    """A sidecar that governed with ``operator`` has ended, and so has the operator."""
    wanted = bundle(forbidding("one", name="shop/a"), targets=operator.targets)
    await operator.offer(wanted, KEYS)
    async with running_pod_sidecar(directory, operator, is_drained=is_drained):
        await operator.ack_of(wanted.version)
    await operator.stop()
    return wanted


@pytest.mark.parametrize("is_drained", [True, False], ids=["drained", "killed"])
async def test_a_restart_goes_on_with_what_was_in_force(grok, operator, tmp_path, is_drained):
    """Container restarts and operator outages come together, for instance when a node is short of memory."""
    grok.reply(json=answer())
    operator.targets = (grok_target(grok.base_url),)
    wanted = await restarted(tmp_path / "pod", operator, is_drained=is_drained)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        served, blocked, ready = await sidecar.chat(), await sidecar.chat("one"), await sidecar.readiness()
        record = await sidecar.record_of(served)
        told = await sidecar.configuration()
        await operator.start()
        await operator.ack_of(wanted.version, after=1)

    assert (served.status_code, blocked.status_code, ready[0]) == (200, 400, 200)
    assert grok.requests[0].header("authorization") == "Bearer xai-kept"
    assert (record["bundle"], record["pod"]) == (wanted.version, "bot-7f9")
    assert told["stream"]["connected_since"] is None
    held = set(operator.requests_for("/v1/config/stream")[-1].headers["x-grokwarden-parts"].split(","))
    assert held == {ref.digest for ref in (*wanted.manifest.packs, *wanted.manifest.targets)}


async def test_what_is_kept_is_what_was_in_force(operator, tmp_path):
    """Of a configuration that was refused in part, a restart must not make a policy that never governed."""
    target = (grok_target(),)
    good = bundle(forbidding("one", name="shop/a"), forbidding("two", name="shop/b"), targets=target)
    bad = bundle((from_the_future("x", name="shop/a"), 2), (forbidding("TWO", name="shop/b"), 2), targets=target)
    await operator.offer(good, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(good.version)
        await operator.offer(bad)
        await operator.ack_of(bad.version)
        before = await sidecar.configuration()
    await operator.stop()
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        after = await sidecar.configuration()
        await operator.start()
        ack = await operator.ack_of(bad.version, after=2)
        refused = await sidecar.configuration()

    assert after["manifest"] == before["manifest"] == refused["manifest"]
    assert after["bundle"] == before["bundle"] == refused["bundle"]
    assert [(pack["generation"], pack["applied"]) for pack in ack["packs"]] == [(2, False), (2, True)]


async def test_a_pod_that_nothing_governs_stays_so_over_a_restart(operator, tmp_path):
    """Its last packs were taken away: they must not come back because the operator is."""
    await operator.offer(bundle(forbidding("one"), targets=(grok_target(),)), KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator):
        await operator.ack_of(bundle(forbidding("one"), targets=(grok_target(),)).version)
        await operator.offer(bundle())
        await operator.ack_of(bundle().version)
    await operator.stop()
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        code, text = await sidecar.readiness()
        refused = await sidecar.chat()

    assert code == 503
    assert text.startswith("not ready: no policy pack governs this pod\n")
    assert refused.status_code == 503


DAMAGES = {
    "cut off": lambda data: data[: len(data) // 2],
    "another pattern": lambda data: data.replace(b"verboten", b"VERBOTEN"),
    "another generation": lambda data: data.replace(b'"generation":1', b'"generation":2'),
    "a part is missing": lambda data: data.replace(b'"parts":{', b'"parts":{},"more":{'),
    "another version": lambda data: data.replace(b'"version":"sha256:', b'"version":"sha256:0', 1),
    "no text": lambda data: data.replace(b'"version":"sha256:', b'"version":"\xff', 1),
    "bottomless": lambda data: b'{"version":"","parts":{},"manifest":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no JSON": lambda data: b"\x00" * len(data),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_not_used_and_is_told(tmp_path, name):
    """A policy that was altered on the way through a restart is nobody's policy."""
    write_bundle(LastGood(tmp_path), "verboten")
    file = tmp_path / "bundle.json"
    damaged = DAMAGES[name](file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)

    with capture_logs() as logs:
        assert LastGood(tmp_path).read_bundle() is None

    assert [(log["event"], log["file"]) for log in logs] == [("last_good_unusable", str(file))]
    assert logs[0]["reason"]


def write_bundle(last_good, word):
    made = bundle(forbidding(word), targets=(grok_target(),))
    refs = (*made.manifest.packs, *made.manifest.targets)
    parts = zip(refs, (*made.packs, *made.targets), strict=True)
    last_good.write_bundle(canonical_bytes(made.manifest), {ref.digest: encode_part(part) for ref, part in parts})
    return made


def test_what_was_written_is_read_back(tmp_path):
    """Digests included: the version that audit records name is the same before and after a restart."""
    made = write_bundle(LastGood(tmp_path), "verboten")

    stored = LastGood(tmp_path).read_bundle()

    assert stored.bundle == made
    assert set(stored.parts) == {ref.digest for ref in (*made.manifest.packs, *made.manifest.targets)}


DAMAGED_KEYS = [
    *(b"", b"{", b'{"keys": {"a": 1}}', b"[]", b'{"keys": "xai-canary"}'),
    *(b'{"keys": {"a": "xai-canary\xff"}}', b'{"more": ' + b"[" * 100_000),
]


@pytest.mark.parametrize("data", DAMAGED_KEYS)
def test_damaged_keys_are_not_used_and_not_shown(tmp_path, data):
    """The log says that the file is bad, and never what is in it."""
    (tmp_path / "keys.json").write_bytes(data)

    with capture_logs() as logs:
        assert LastGood(tmp_path).read_keys() == {}

    assert [log["event"] for log in logs] == ["last_good_unusable"]
    assert "canary" not in str(logs)


def test_the_files_are_their_owners_alone(tmp_path):
    """Keys are in one of them; whoever else is in the pod's volume must not read it, whatever the umask says."""
    directory = tmp_path / "state"
    before = os.umask(0)
    try:
        last_good = LastGood(directory)
        last_good.write_keys(KEYS)
        write_bundle(last_good, "one")
        last_good.write_keys(KEYS)
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}
    assert modes == {"keys.json": 0o600, "bundle.json": 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert LastGood(directory).read_keys() == KEYS


def test_a_planted_link_is_replaced_and_not_followed(tmp_path):
    """What is written beside the file must not end up where somebody else has said."""
    directory = tmp_path / "state"
    directory.mkdir()
    elsewhere = tmp_path / "elsewhere"
    (directory / ".keys.json.new").symlink_to(elsewhere)

    LastGood(directory).write_keys(KEYS)

    assert not elsewhere.exists()
    assert LastGood(directory).read_keys() == KEYS


async def test_a_directory_that_can_not_be_written_costs_no_call(grok, operator, tmp_path):
    """Only the next restart is poorer for it, and the log says so once."""
    grok.reply(json=answer())
    wanted = bundle(forbidding("one"), targets=(grok_target(grok.base_url),))
    (tmp_path / "file").write_text("no directory")
    await operator.offer(wanted, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator, "--state-dir", tmp_path / "file") as sidecar:
        ack = await operator.ack_of(wanted.version)
        served = await sidecar.chat()

    assert ack["packs"][0]["applied"]
    assert served.status_code == 200
    assert {event["directory"] for event in sidecar.events("last_good_unwritten")} == {str(tmp_path / "file")}


async def test_a_damaged_past_is_left_behind(operator, tmp_path):
    """The sidecar is as one that has none: not ready, and nothing passes, until the operator says what governs."""
    operator.targets = (grok_target(),)
    await restarted(tmp_path / "pod", operator)
    file = tmp_path / "pod" / "state" / "bundle.json"
    file.write_bytes(file.read_bytes()[:-9])
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        ready, refused = await sidecar.readiness(), await sidecar.chat()

    assert ready[0] == 503
    assert refused.status_code == 503
    [told] = sidecar.events("last_good_unusable")
    assert told["file"] == str(file)
    assert told["level"] == "error"


def test_no_other_file_is_left(tmp_path):
    """A crash between writing and renaming must not pile up copies of keys."""
    last_good = LastGood(tmp_path)
    (tmp_path / ".keys.json.new").write_text("half a")
    last_good.write_keys(KEYS)

    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]
