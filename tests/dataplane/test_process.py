"""The process as a person or a supervisor starts and ends it: every way ends with a code and a sentence."""

import asyncio
import signal
import socket

import pytest

from answers import DONE, chunk
from eventually import eventually
from fake_grok import HANG
from resource_texts import pack_text, target_text
from sidecar import config_text, configuration, running_sidecar, started_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

FREE = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
NOWHERE = "http://127.0.0.1:9/v1"


async def refused_start(directory, *arguments, **environment):
    """Exit code and standard error of a start that comes to nothing."""
    audit = ("--audit-dir", directory / "audit")
    async with started_process(directory, *arguments, *audit, **environment) as sidecar:
        code = await asyncio.wait_for(sidecar.process.wait(), 20)
        assert "governing" not in sidecar.stdout.read_text()
        return code, sidecar.log_text


def written(directory, *texts):
    path = directory / "pack.yaml"
    path.write_text(config_text(*texts))
    return path


async def test_a_stream_in_flight_is_drained(running_grok, grok, tmp_path):
    """A rolling update must not cut answers short: SIGTERM lets them end, takes no new ones, and exits with 0."""
    gate = asyncio.Event()
    grok.stream([chunk("one"), gate, chunk("two"), chunk(finish="stop"), DONE])
    async with running_sidecar(tmp_path, *configuration(running_grok.base_url)) as sidecar:
        async with sidecar.stream() as response:
            body = response.aiter_raw()
            assert b"one" in await anext(body)
            sidecar.process.send_signal(signal.SIGTERM)
            await eventually(lambda: sidecar.events("draining"))
            ready = await sidecar.admin("/readyz")
            gate.set()
            rest = b"".join([piece async for piece in body])

        assert rest.endswith(DONE)
        assert (ready.status_code, ready.text) == (503, "not ready: draining\n")
        assert await asyncio.wait_for(sidecar.process.wait(), 10) == 0

    assert [event["event"] for event in sidecar.logs][-2:] == ["draining", "drained"]
    [record] = sidecar.records
    assert (record["status"], record["stream"]) == (200, True)


async def test_a_second_sigterm_ends_at_once(running_grok, grok, tmp_path):
    """Who asks twice doesn't want to wait; the call that was cut has its record all the same."""
    grok.stream([chunk("one"), HANG])
    texts = configuration(running_grok.base_url)
    async with running_sidecar(tmp_path, *texts) as sidecar, sidecar.stream() as response:
        await anext(response.aiter_raw())
        sidecar.process.send_signal(signal.SIGTERM)
        await eventually(lambda: sidecar.events("draining"))
        sidecar.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(sidecar.process.wait(), 5)

    assert code == 0
    assert len(sidecar.records) == 1


async def test_draining_ends_when_its_time_is_up(running_grok, grok, tmp_path):
    """A stream that never ends must not keep a pod from ending; the supervisor would kill it with everything."""
    grok.stream([chunk("one"), HANG])
    texts, arguments = configuration(running_grok.base_url), ("--drain-seconds", 1)
    async with running_sidecar(tmp_path, *texts, arguments=arguments) as sidecar, sidecar.stream() as response:
        await anext(response.aiter_raw())
        sidecar.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(sidecar.process.wait(), 8)

    assert code == 0
    assert len(sidecar.records) == 1


@pytest.mark.parametrize("flag", ["--listen", "--admin"])
async def test_a_port_in_use_is_said_clearly(tmp_path, flag):
    """The commonest failure of all: a second proxy. Exit 2 is bad usage."""
    pack = written(tmp_path, *configuration(NOWHERE))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await refused_start(tmp_path, "--config", pack, *FREE, flag, address, XAI_API_KEY="k")

    assert code == 2
    assert f"{flag} {address}: can't listen there (Address already in use)" in said
    assert "Traceback" not in said


async def test_an_audit_directory_in_use_is_said_clearly(running_grok, tmp_path):
    """Two writers on one chain would make it nobody's proof."""
    (tmp_path / "first").mkdir()
    texts = configuration(NOWHERE)
    async with running_sidecar(tmp_path / "first", *texts) as sidecar:
        pack, other = written(tmp_path, *texts), tmp_path / "second"
        other.mkdir()
        arguments = ("--config", pack, *FREE, "--audit-dir", sidecar.audit_dir)
        async with started_process(other, *arguments, XAI_API_KEY="k") as second:
            code = await asyncio.wait_for(second.process.wait(), 20)

    assert code == 2
    assert str(sidecar.audit_dir) in second.log_text
    assert "Traceback" not in second.log_text


BROKEN = {
    "not YAML": ("spec: {chain: [", ["pack.yaml:"]),
    "nowhere to send calls": (pack_text("{chain: [{name: x, policy: safety-filter}]}"), ["pack.yaml:4"]),
    "two mistakes": (
        config_text(pack_text("{chain: [{name: x, policy: nonsense}]}"), target_text("{provider: rubbish}")),
        ["pack.yaml:4", "nonsense", "pack.yaml:9", "rubbish"],
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_pack_is_not_started_with(tmp_path, text, told):
    """Exit 1 with file and line of all problems at once; to run without the pack would be to run ungoverned."""
    pack = written(tmp_path, text)

    code, said = await refused_start(tmp_path, "--config", pack, *FREE)

    assert code == 1
    assert [words for words in told if words not in said] == []
    assert "nothing was started" in said
    assert "Traceback" not in said


async def test_a_file_that_is_not_there_is_not_started_with(tmp_path):
    """A typing error in the path must not be an empty configuration."""
    code, said = await refused_start(tmp_path, "--config", tmp_path / "none.yaml", *FREE)

    assert code in {1, 2}
    assert str(tmp_path / "none.yaml") in said
    assert "Traceback" not in said


async def test_an_empty_directory_is_not_started_with(tmp_path):
    """Neither must an empty configuration be one that allows everything."""
    (tmp_path / "config").mkdir()

    code, said = await refused_start(tmp_path, "--config", tmp_path / "config", *FREE)

    assert code in {1, 2}
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("reference", "names"),
    [("{env: NO_SUCH_KEY}", "NO_SUCH_KEY"), ("{file: /nowhere/key}", "/nowhere/key")],
    ids=["variable", "file"],
)
async def test_a_missing_key_is_said_at_the_start(tmp_path, reference, names):
    """Not with the first call of the first user; the target and the key's place are named, and what to do."""
    target = target_text(f"{{provider: xai, secretKeyRef: {reference}}}", namespace="shop")
    pack = written(tmp_path, pack_text("{routing: {targets: [{name: xai-grok}]}}", namespace="shop"), target)

    code, said = await refused_start(tmp_path, "--config", pack, *FREE)

    assert code == 1
    assert "shop/xai-grok" in said
    assert names in said
    assert "Traceback" not in said


@pytest.mark.parametrize("address", ["41002", "127.0.0.1:http", "127.0.0.1:70000"])
async def test_a_bad_address_is_bad_usage(tmp_path, address):
    """Exit 2, and what is expected."""
    code, said = await refused_start(tmp_path, "--config", tmp_path, "--listen", address)

    assert code == 2
    assert "expected HOST:PORT" in said
