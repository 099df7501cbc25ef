"""The process as a person or a supervisor starts and ends it: every way ends with a code and a sentence."""

import asyncio
import shutil
import signal
from dataclasses import dataclass

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk
from audit_logs import verify_directory
from eventually import eventually
from fake_grok import HANG
from resource_texts import pack_text, target_text
from sidecar import config_text, configuration, running_sidecar, started_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

FREE = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
NOWHERE = "http://127.0.0.1:9/v1"


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


async def test_an_audit_directory_that_is_gone_is_told_to_the_end(running_grok, grok, tmp_path):
    """A supervisor reads the exit code, a person the sentence; a traceback says neither."""
    grok.reply(json=answer(), times=1000)
    async with running_sidecar(tmp_path, *configuration(running_grok.base_url)) as sidecar:
        await sidecar.record_of(await sidecar.chat())
        shutil.rmtree(sidecar.audit_dir.rename(tmp_path / "gone"))
        await sidecar.chat()
        refused = await eventually(lambda: _refusal(sidecar), timeout_seconds=5)
        ready = await sidecar.admin("/readyz")
        sidecar.exit_code = 1

    said = sidecar.log_text
    assert refused.json()["error"]["code"] == "audit_unavailable"
    assert "found no file" in ready.text
    assert "started again" in ready.text
    assert "\nerror: audit log" in said
    assert "records unwritten" in said
    assert "Traceback" not in said


async def test_an_audit_directory_that_comes_back_is_gone_on_with(running_grok, grok, tmp_path):
    """A volume that was moved for a moment costs refused calls, but neither records nor a restart."""
    grok.reply(json=answer(), times=1000)
    async with running_sidecar(tmp_path, *configuration(running_grok.base_url)) as sidecar:
        first = await sidecar.record_of(await sidecar.chat())
        aside = sidecar.audit_dir.rename(tmp_path / "aside")
        second = await sidecar.chat()
        await eventually(lambda: _refusal(sidecar), timeout_seconds=5)
        aside.rename(sidecar.audit_dir)
        record = await sidecar.record_of(second)
        third = await eventually(lambda: _answered(sidecar), timeout_seconds=5)
        await sidecar.record_of(third)

    assert record["prev_hash"] == first["hash"]
    assert verify_directory(sidecar.audit_dir).is_clean


async def _refusal(sidecar):
    response = await sidecar.chat()
    return response if response.status_code == 503 else None


async def _answered(sidecar):
    response = await sidecar.chat()
    return response if response.status_code == 200 else None


@dataclass(frozen=True, kw_only=True)
class BadStart:
    """A start that must come to nothing: flags, a pack if there is one, and what is told."""

    code: int
    told: tuple[str, ...]
    flags: tuple[str, ...] = FREE
    pack: str | None = config_text(*configuration(NOWHERE))


KEY_OF = "{{provider: xai, secretKeyRef: {}}}"
ROUTED = pack_text("{routing: {targets: [{name: xai-grok}]}}", namespace="shop")
BAD_STARTS = {
    "the port is in use": BadStart(
        code=2,
        flags=("--listen", "TAKEN", "--admin", "127.0.0.1:0"),
        told=("--listen TAKEN: can't listen there (Address already in use)",),
    ),
    "the admin port is in use": BadStart(
        code=2,
        flags=("--listen", "127.0.0.1:0", "--admin", "TAKEN"),
        told=("--admin TAKEN: can't listen there (Address already in use)",),
    ),
    "the audit directory is in use": BadStart(code=2, flags=(*FREE, "--audit-dir", "BUSY"), told=("BUSY",)),
    "the address is none": BadStart(code=2, flags=("--listen", "127.0.0.1:http"), told=("expected HOST:PORT",)),
    "the file is not there": BadStart(code=2, pack=None, told=("DIRECTORY/pack.yaml",)),
    "not YAML": BadStart(code=2, pack="spec: {chain: [", told=("DIRECTORY/pack.yaml:",)),
    "nowhere to send calls": BadStart(
        code=1, pack=pack_text("{chain: [{name: x, policy: safety-filter}]}"), told=("DIRECTORY/pack.yaml:4",)
    ),
    "two mistakes": BadStart(
        code=1,
        pack=config_text(pack_text("{chain: [{name: x, policy: nonsense}]}"), target_text("{provider: rubbish}")),
        told=("DIRECTORY/pack.yaml:4", "nonsense", "DIRECTORY/pack.yaml:9", "rubbish"),
    ),
    "no key in the environment": BadStart(
        code=1,
        pack=config_text(ROUTED, target_text(KEY_OF.format("{env: NO_SUCH_KEY}"), namespace="shop")),
        told=("shop/xai-grok", "NO_SUCH_KEY"),
    ),
    "no key file": BadStart(
        code=1,
        pack=config_text(ROUTED, target_text(KEY_OF.format("{file: /nowhere/key}"), namespace="shop")),
        told=("shop/xai-grok", "/nowhere/key"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a start ended; in ``said``, what differs from machine to machine goes by its name in the table."""

    code: int
    said: str
    announced: str


async def start_badly(directory, start, names):
    """How it ended."""
    pack = directory / "pack.yaml"
    if start.pack is not None:
        pack.write_text(start.pack)
    flags = [names.get(flag, flag) for flag in start.flags]
    async with started_process(directory, "--config", pack, "--audit-dir", directory / "audit", *flags) as sidecar:
        code = await asyncio.wait_for(sidecar.process.wait(), 60)
        said = sidecar.log_text.replace(str(directory), "DIRECTORY")
        for name, value in names.items():
            said = said.replace(str(value), name)
        return Ended(code=code, said=said, announced=sidecar.stdout.read_text())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lonely_sidecar(tmp_path_factory):
    """One whose provider is down."""
    async with running_sidecar(tmp_path_factory.mktemp("lonely"), *configuration(NOWHERE)) as running:
        yield running


async def test_it_serves_though_the_provider_is_down(lonely_sidecar):
    """A provider's bad hour must not keep a pod from starting; the call says whose fault it is."""
    response = await lonely_sidecar.chat()

    assert (await lonely_sidecar.admin("/readyz")).text == "ready\n"
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_connect_error")
    assert "shop/xai-grok" in response.json()["error"]["message"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bad_starts(lonely_sidecar, tmp_path_factory):
    """All of them at once, which takes half the time, beside a sidecar that has what some of them want."""
    names = {"TAKEN": lonely_sidecar.url.removeprefix("http://"), "BUSY": lonely_sidecar.audit_dir}
    starts = (start_badly(tmp_path_factory.mktemp("bad"), start, names) for start in BAD_STARTS.values())
    return dict(zip(BAD_STARTS, await asyncio.gather(*starts), strict=True))


@pytest.mark.parametrize("name", BAD_STARTS)
async def test_a_start_that_can_not_be_is_refused(bad_starts, name):
    """Exit 2 for bad usage, 1 for a configuration that can't be used, all its mistakes at once, and no traceback.

    To run without the pack or the key would be to run ungoverned, or to fail with the first user's first call.
    """
    wanted, ended = BAD_STARTS[name], bad_starts[name]

    assert ended.code == wanted.code, ended.said
    assert [words for words in wanted.told if words not in ended.said] == [], ended.said
    assert "Traceback" not in ended.said
    assert ended.announced == ""


async def test_an_empty_directory_is_not_started_with(tmp_path):
    """An empty configuration must not be one that allows everything."""
    (tmp_path / "packs").mkdir()

    async with started_process(tmp_path, "--config", tmp_path / "packs", *FREE) as sidecar:
        code = await asyncio.wait_for(sidecar.process.wait(), 60)

    assert code == 2
    assert str(tmp_path / "packs") in sidecar.log_text
    assert "Traceback" not in sidecar.log_text
