"""The stream ends, or there is none: what is waited for, what is said, and what is asked anew."""

import pytest
import zstandard
from structlog.testing import capture_logs

from eventually import eventually
from fake_operator import FakeOperator, Refusal
from grokwarden.bundle import canonical_bytes
from grokwarden.config_stream import RECONNECT_JITTER_SECONDS, StreamEvent, encode_event
from grokwarden_sidecar.stream.source import MAX_RETRY_AFTER_SECONDS
from pod_bundles import KEY_NAME, bundle, forbidding, grok_target
from pod_source import followed_source
from pod_trust import Authority, token_of
from targets import HandClock

WANTED = bundle(forbidding("verboten"), targets=(grok_target(),))
WANTED_MANIFEST = canonical_bytes(WANTED.manifest)
STREAM, ACK = "/v1/config/stream", "/v1/config/ack"


@pytest.mark.parametrize("dice", [0.0, 0.25, 0.999])
async def test_reconnects_are_spread_by_the_dice(operator, tmp_path, dice):
    """A thousand sidecars that come back at once would be a thousand handshakes at once, again and again."""
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state", dice=dice) as pod:
        for number in range(1, 4):
            (await operator.stream()).hang_up()
            await eventually(lambda: len(operator.requests_for(STREAM)) > number)  # noqa: B023

        assert pod.pauses == [dice * RECONNECT_JITTER_SECONDS] * 3
        assert max(pod.pauses) < RECONNECT_JITTER_SECONDS


async def test_a_refusal_is_tried_again_and_told_once(operator, tmp_path):
    """A pod that is not known yet is known a moment later; a log line for each try would drown the reason."""
    operator.stream_refusals.extend([Refusal(status=403)] * 5 + [Refusal(status=401)] * 3)
    await operator.offer(WANTED, {})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state", dice=0.5) as pod:
            await operator.ack_of(WANTED.version)

    told = [log["reason"] for log in logs if log["event"] == "stream_unavailable"]
    assert [reason.partition(" (")[0] for reason in told] == [
        "the operator refused the stream with status 403",
        "the operator refused the stream with status 401",
    ]
    assert "scripted: a test says so" in told[0]
    assert pod.pauses == [2.5] * 8


@pytest.mark.parametrize(
    ("said", "waited"), [("7", 7.0), ("0", 0.0), ("86400", MAX_RETRY_AFTER_SECONDS), ("soon", 0.0), ("-1", 0.0)]
)
async def test_a_wish_to_be_asked_later_is_respected_within_reason(operator, tmp_path, said, waited):
    """An operator that is overrun says so; one that says nonsense must not silence its sidecars."""
    operator.stream_refusals.append(Refusal(status=503, headers={"retry-after": said}))
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state", dice=0.2) as pod:
        await operator.ack_of(WANTED.version)

    assert pod.pauses == [1.0 + waited]


@pytest.mark.parametrize("sign", [b"", zstandard.compress(b":")], ids=["nothing", "a byte now and then"])
async def test_a_silent_stream_is_given_up(operator, tmp_path, sign):
    """A connection that nobody has cut can be dead for an hour; a part of an event is no sign of life."""
    operator.pulse = zstandard.compress(encode_event(StreamEvent.PING, b""))
    await operator.offer(WANTED, {})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state", silence_seconds=0.4):
            first = await operator.stream()
            await eventually(lambda: first.pulses >= 10)
            is_kept = operator.streams == [first]
            operator.pulse = sign
            await eventually(lambda: len(operator.requests_for(STREAM)) >= 2)

    assert is_kept
    assert [log["reason"] for log in logs if log["event"] == "stream_ended"] == ["the stream was silent for 0.4 s"]


async def test_a_rotated_token_is_used_from_then_on(operator, tmp_path):
    """The kubelet exchanges the file; with the old token every ack would be refused an hour later."""
    edited = bundle((forbidding("other"), 2), targets=(grok_target(),))
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state"):
        await operator.ack_of(WANTED.version)
        new = token_of(signature="bmV3")
        operator.token_file.write_text(new)
        await operator.offer(edited)
        await operator.ack_of(edited.version)
        (await operator.stream()).hang_up()
        await eventually(lambda: len(operator.requests_for(STREAM)) == 2)

    posts = [request for request in operator.requests_for(ACK) if request.method == "POST"]
    assert [request.token for request in posts[:2]] == [token_of(), new]
    assert operator.requests_for(STREAM)[1].token == new


async def test_a_rotated_authority_is_used_from_then_on(operator, tmp_path):
    """The operator's own authority ends one day; its sidecars must outlive it."""
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.ack_of(WANTED.version)
        await operator.stop()
        renewed = Authority()
        await operator.start(renewed.server_context())
        await eventually(lambda: "certificate" in pod.status.trouble)
        operator.ca_file.write_text(operator.authority.pem + renewed.pem)
        await operator.ack_of(WANTED.version, after=1)

        assert pod.status.trouble == ""


UNTRUSTED = {
    "an authority of nobody known": (
        lambda ours: Authority().server_context(),
        "unable to get local issuer certificate",
    ),
    "an expired certificate": (lambda ours: ours.server_context(is_expired=True), "certificate has expired"),
    "another's name": (lambda ours: ours.server_context("operator.example"), "IP address mismatch"),
}


@pytest.mark.parametrize("name", UNTRUSTED)
async def test_who_is_not_the_operator_gets_no_token(operator, tmp_path, name):
    """Whoever answers in its place would get the pod's identity, and could give it any policy."""
    make, reason = UNTRUSTED[name]
    await operator.stop()
    await operator.offer(WANTED, {})
    await operator.start(make(operator.authority))
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state") as pod:
            await eventually(lambda: len(pod.pauses) >= 3)

            assert pod.version is None
            assert reason in pod.status.trouble

    assert operator.requests == []
    [told] = [log for log in logs if log["event"] == "stream_unavailable"]
    assert "was refused" in told["reason"]
    assert reason in told["reason"]


async def test_a_missing_file_is_named_and_waited_for(operator, tmp_path):
    """Volumes may be filled after the container has started."""
    token, authority = operator.token_file.read_text(), operator.ca_file.read_text()
    operator.token_file.unlink()
    operator.ca_file.write_text("")
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state") as pod:
        await eventually(lambda: f"token file {operator.token_file}: can't be read" in pod.status.trouble)
        operator.token_file.write_text("two words")
        await eventually(lambda: f"token file {operator.token_file}: holds no token" in pod.status.trouble)
        operator.token_file.write_text(f"{token}\n")
        await eventually(lambda: f"CA file {operator.ca_file}: holds no PEM certificate" in pod.status.trouble)
        operator.ca_file.write_text(authority)
        await operator.ack_of(WANTED.version)


async def test_a_redirect_is_not_followed(operator, tmp_path):
    """The token would go where the answer says."""
    async with FakeOperator(tmp_path / "other", authority=operator.authority) as other:
        operator.stream_refusals.append(Refusal(status=307, headers={"location": f"{other.url}/v1/config/stream"}))
        await operator.offer(WANTED, {})
        async with followed_source(operator, tmp_path / "state"):
            await operator.ack_of(WANTED.version)

        assert other.requests == []


async def test_an_ack_that_fails_is_sent_again(operator, tmp_path):
    """Else the pack's status would wait for an answer that was given."""
    operator.ack_refusals.extend([Refusal(status=503), Refusal(status=401)])
    await operator.offer(WANTED, {})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state", dice=0.0):
            await operator.ack_of(WANTED.version)

    assert [log["reason"] for log in logs if log["event"] == "ack_failed"] == [
        "the operator refused an ack with status 503",
        "the operator refused an ack with status 401",
    ]


async def test_a_newer_ack_takes_the_place_of_one_that_fails(operator, tmp_path):
    """What is superseded is of no interest, and must not be heard after what came later."""
    edited = bundle((forbidding("other"), 2), targets=(grok_target(),))
    operator.ack_refusals.extend([Refusal(status=503)] * 3)
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state", dice=0.0):
        await eventually(lambda: len(operator.ack_refusals) == 2)
        await operator.offer(edited)
        await operator.ack_of(edited.version)

    assert [ack.manifest for ack in operator.acks] == [edited.version]


async def test_an_ack_ends_with_its_stream(operator, tmp_path):
    """The next stream asks anew; until then there is nobody to tell, and nothing to complain of."""
    operator.ack_refusals.extend([Refusal(status=503)] * 50)
    await operator.offer(WANTED, {})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state", dice=0.0) as pod:
            await eventually(lambda: [log for log in logs if log["event"] == "ack_failed"])
            await operator.stop()
            await eventually(lambda: len(pod.pauses) >= 60, timeout_seconds=10)

    assert {log["reason"] for log in logs if log["event"] == "ack_failed"} == {
        "the operator refused an ack with status 503"
    }


async def test_the_connection_for_acks_is_there_beforehand_and_kept(operator, tmp_path):
    """With a handshake for each ack, a thousand sidecars would answer a change four times later."""
    operator.is_mute = True
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state"):
        await eventually(lambda: operator.requests_for(ACK))
        opened = operator.connections
        for number in range(2, 6):
            edited = bundle((forbidding("other"), number), targets=(grok_target(),))
            await operator.offer(edited)
            await operator.ack_of(edited.version)

    assert opened == 2
    assert operator.connections == 2
    assert "authorization" not in operator.requests_for(ACK)[0].headers


async def test_an_unchanged_manifest_is_answered_on_each_stream(operator, tmp_path):
    """An operator that was restarted knows nothing of what was said to the one before; nothing is built anew."""
    await operator.offer(WANTED, {})
    with capture_logs() as logs:
        async with followed_source(operator, tmp_path / "state"):
            first = await operator.ack_of(WANTED.version)
            (await operator.stream()).hang_up()
            second = await operator.ack_of(WANTED.version, after=1)

    assert first == second
    assert [log["event"] for log in logs].count("bundle_applied") == 1


async def test_staleness_counts_from_when_it_was_last_known(operator, tmp_path):
    """An alert on it must fire for a stream that is gone, and for a configuration that is refused."""
    clock = HandClock()
    await operator.offer(WANTED, {})
    async with followed_source(operator, tmp_path / "state", clock=clock) as pod:
        await operator.ack_of(WANTED.version)
        current = pod.status.staleness_seconds
        clock.advance(10)
        while_connected = pod.status.staleness_seconds
        await operator.stop()
        await eventually(lambda: pod.status.trouble)
        clock.advance(20)
        while_away = pod.status.staleness_seconds
        await operator.start()
        await operator.ack_of(WANTED.version, after=1)
        again = pod.status.staleness_seconds
        await operator.offer(bundle((forbidding("x", targets=("shop/none",)), 2), targets=(grok_target(),)))
        await eventually(lambda: len(operator.acks) == 3)
        clock.advance(5)
        while_refused = pod.status.staleness_seconds

    assert (current, while_connected, while_away, again, while_refused) == (0, 0, 30, 0, 5)


async def test_a_manifest_whose_parts_do_not_come_is_asked_for_anew(operator, tmp_path):
    """Two sides that disagree on what has been sent must not wait for each other for ever."""
    keys = {KEY_NAME: "xai-key"}
    async with followed_source(operator, tmp_path / "state") as pod:
        stream = await operator.stream()
        await operator.offer_raw(WANTED_MANIFEST, WANTED.version, [])
        for _ in range(2):
            await stream.send_event(StreamEvent.PING, b"")
        await eventually(lambda: len(operator.requests_for(STREAM)) == 2)
        await operator.offer(WANTED, keys)
        await operator.ack_of(WANTED.version)

    assert "not all of its parts" in pod.status.report.last_error


async def test_only_the_newest_of_a_burst_has_to_be_applied(operator, tmp_path):
    """Two hundred edits in five seconds: each sidecar ends with the last one, whatever it has skipped."""
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.stream()
        for number in range(1, 101):
            await operator.offer(bundle((forbidding(f"word{number}"), number), targets=(grok_target(),)), {})
        last = bundle((forbidding("word100"), 100), targets=(grok_target(),))
        await operator.ack_of(last.version)

        assert pod.version == last.version
    assert operator.acks[-1].manifest == last.version


async def test_an_uncompressed_stream_is_read_too(tmp_path):
    """Compression is an offer of ours, not a condition."""
    async with FakeOperator(tmp_path / "plain", compresses=False) as operator:
        await operator.offer(WANTED, {KEY_NAME: "xai-key"})
        async with followed_source(operator, tmp_path / "state") as pod:
            await operator.ack_of(WANTED.version)

            assert pod.keys.names == {KEY_NAME}
