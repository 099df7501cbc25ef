"""``grokwarden sidecar`` as a kubelet starts and ends it."""

import asyncio
import signal
import socket

import pytest

from answers import DONE, chunk
from eventually import eventually
from fake_operator import FakeOperator
from grokwarden.errors import SettingsError
from grokwarden_sidecar.settings import SidecarOptions, decode_options, encode_options, https_origin
from pod_bundles import KEY_NAME, bundle, forbidding, grok_target
from sidecar import running_pod_sidecar, started_process

NOWHERE = ("--operator", "https://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")


async def test_a_stream_in_flight_is_drained_while_the_configuration_still_comes(grok, operator, tmp_path):
    """A rolling update must not cut answers short; SIGTERM lets them end, takes no new ones, and exits with 0."""
    gate = asyncio.Event()
    grok.stream([chunk("one"), gate, chunk("two"), chunk(finish="stop"), DONE])
    wanted = bundle(forbidding("verboten"), targets=(grok_target(grok.base_url),))
    await operator.offer(wanted, {KEY_NAME: "xai-key"})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(wanted.version)
        async with sidecar.stream() as response:
            body = response.aiter_raw()
            assert b"one" in await anext(body)
            sidecar.process.send_signal(signal.SIGTERM)
            await eventually(lambda: sidecar.events("draining"))
            ready = await sidecar.readiness()
            assert operator.streams
            gate.set()
            rest = b"".join([piece async for piece in body])
        assert await asyncio.wait_for(sidecar.process.wait(), 10) == 0

    assert rest.endswith(DONE)
    assert ready == (503, "not ready: draining\n")
    assert [event["event"] for event in sidecar.logs][-2:] == ["draining", "drained"]


async def test_it_ends_in_good_order_without_an_operator(tmp_path):
    """Nothing that waits for somebody else may hold up the pod's end."""
    operator = FakeOperator(tmp_path / "operator")
    operator.reserve()
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await eventually(lambda: sidecar.events("stream_unavailable"), timeout_seconds=5)

    assert sidecar.process.returncode == 0


async def test_the_socket_of_a_process_before_is_replaced(operator, tmp_path):
    """One that was killed could not remove it; the next one must start all the same."""
    path = tmp_path / "pod" / "admin" / "admin.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        assert (await sidecar.configuration())["bundle"] is None


BAD_STARTS = {
    "in clear": (
        ("--operator", "http://127.0.0.1:9"),
        "--operator: 'http://127.0.0.1:9' is not the operator's address",
    ),
    "a path": (("--operator", "https://127.0.0.1:9/v1"), "expected https://HOST:PORT"),
    "no host": (("--operator", "https://"), "expected https://HOST:PORT"),
    "somebody's name": (("--operator", "https://me@operator:9444"), "expected https://HOST:PORT"),
    "no port": (("--admin", "127.0.0.1"), "--admin: '127.0.0.1' is not an address"),
    "the socket's file is something else": (("--config-socket", "FILE"), "--config-socket"),
    "the audit directory is none": (("--audit-dir", "FILE"), "--audit-dir"),
}


@pytest.mark.parametrize("name", BAD_STARTS)
async def test_bad_usage_is_told_with_its_flag(tmp_path, name):
    """Exit 2 and a sentence; a pod that restarts in a loop without one says nothing to anybody."""
    flags, told = BAD_STARTS[name]
    file = tmp_path / "file"
    file.write_text("something of somebody's")
    socket_file, state, audit = tmp_path / "admin.sock", tmp_path / "state", tmp_path / "audit"
    places = ("--state-dir", state, "--config-socket", socket_file, "--audit-dir", audit)
    given = [str(file) if flag == "FILE" else flag for flag in flags]
    async with started_process(tmp_path, *NOWHERE, *places, *given, command="sidecar") as sidecar:
        code = await asyncio.wait_for(sidecar.process.wait(), 30)

    assert code == 2
    assert told in sidecar.log_text
    assert "Traceback" not in sidecar.log_text
    assert file.read_text() == "something of somebody's"
    assert not socket_file.exists()


@pytest.mark.parametrize("url", ["https://grokwarden-operator.grokwarden-system.svc:9444", "https://[::1]:9444/"])
def test_an_operators_address_is_an_origin(url):
    """The paths on it are the contract's."""
    assert https_origin(url, flag="--operator") == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "https", "https://:9444", "https://a:port", "https://a:0", "https://a?b", "ftp://a"]
)
def test_anything_else_is_none(url):
    """It would be asked for a policy, with the pod's token."""
    with pytest.raises(SettingsError, match="--operator"):
        https_origin(url, flag="--operator")


def test_options_survive_the_change_of_process():
    """The command line's process gives its place away, and all that it was told with it."""
    options = SidecarOptions(
        operator="https://operator:9444",
        ca_file="/ca",
        token_file="/token",
        state_dir="/state",
        config_socket="/socket",
        listen="127.0.0.1:0",
        admin="127.0.0.1:0",
        audit_dir="/audit",
        max_body_bytes=1024,
        drain_seconds=1.5,
        log_format="json",
        log_level="info",
    )

    assert decode_options(encode_options(options)) == options
