"""A changed file takes effect in the running process; one that can't be used changes nothing, and is not hidden."""

import asyncio

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, read_events, text_of
from eventually import eventually
from resource_texts import pack_text
from sidecar import config_text, configuration, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

RELOAD_SECONDS = 10.0
"""It takes about one: the wait for more changes, a compiler's start, and its work."""
BAD_CA = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"


def forbidding(base_url, word, **fields):
    """A configuration whose one step forbids one word."""
    chain = f"{{name: safety, policy: safety-filter, safetyFilter: {{patterns: [{word}]}}}}"
    return configuration(base_url, chain=chain, **fields)


async def is_blocked(sidecar, word):
    return (await sidecar.chat(word)).status_code == 400


async def until_applied(sidecar, before):
    """The version that follows the one before."""

    async def version():
        now = await sidecar.bundle()
        return now if now != before else None

    return await eventually(version, timeout_seconds=RELOAD_SECONDS, state=lambda: sidecar.log_text)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_sidecar_here(running_grok, tmp_path_factory):
    directory = tmp_path_factory.mktemp("reloading")
    async with running_sidecar(directory, *forbidding(running_grok.base_url, "first")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def reloading(running_sidecar_here, running_grok, grok):
    """A sidecar whose pack forbids the word ``first``."""
    sidecar = running_sidecar_here
    text = config_text(*forbidding(running_grok.base_url, "first"))
    if not sidecar.config.exists() or sidecar.config.read_text() != text:
        applied = len(sidecar.events("bundle_applied"))
        sidecar.config.write_text(text)
        await eventually(lambda: len(sidecar.events("bundle_applied")) > applied, timeout_seconds=RELOAD_SECONDS)
    return sidecar


async def test_an_edit_in_place_takes_effect(reloading, grok):
    """No restart: the next call is governed by what the file says now, and the record says by which bundle."""
    grok.reply(json=answer(), times=2)
    before = await reloading.bundle()
    assert await is_blocked(reloading, "first")

    await reloading.configure(*forbidding(grok.base_url, "second"))
    now = await until_applied(reloading, before)

    assert await is_blocked(reloading, "second")
    allowed = await reloading.chat("first")
    assert allowed.status_code == 200
    assert (await reloading.record_of(allowed))["bundle"] == now
    assert (await reloading.metrics()).value("grokwarden_config_staleness_seconds") == 0


async def test_an_atomic_rename_takes_effect(reloading, grok):
    """Editors and configuration management replace files: the watched one has another inode then."""
    before = await reloading.bundle()
    other = reloading.config.with_name("pack.yaml.new")
    other.write_text(config_text(*forbidding(grok.base_url, "second")))
    other.replace(reloading.config)

    await until_applied(reloading, before)

    assert await is_blocked(reloading, "second")


async def test_edits_that_never_pause_take_effect(reloading, grok):
    """A controller that writes ten times a second must not keep an old policy in force."""
    applied = len(reloading.events("bundle_applied"))
    number = 0

    async def is_applied():
        nonlocal number
        number += 1
        await reloading.configure(*forbidding(grok.base_url, f"word{number}"))
        return len(reloading.events("bundle_applied")) > applied

    await eventually(is_applied, timeout_seconds=RELOAD_SECONDS, state=lambda: (number, reloading.log_text))

    assert await reloading.bundle()
    assert number > 1


async def test_a_call_keeps_the_bundle_it_began_with(reloading, grok):
    """A stream that is judged by two packs, each for a half of it, would be judged by neither."""
    gate = asyncio.Event()
    grok.stream([chunk("begun "), gate, chunk("second " * 100), chunk(finish="stop"), DONE])
    before = await reloading.bundle()

    async with reloading.stream() as response:
        body = response.aiter_raw()
        begun = await anext(body)
        await reloading.configure(*forbidding(grok.base_url, "second"))
        await until_applied(reloading, before)
        assert await is_blocked(reloading, "second")
        gate.set()
        events = read_events(begun + b"".join([piece async for piece in body]))

    assert text_of(events).endswith("second ")
    assert events[-1] == "[DONE]"
    assert (await reloading.record_of(response))["bundle"] == before


def broken_edits(base_url):
    good = forbidding(base_url, "second")
    return {
        "half a file": (config_text(*good)[:-40], "pack.yaml:"),
        "an unknown policy": (config_text(pack_text("{chain: [{name: x, policy: nonsense}]}")), "nonsense"),
        "a key that is missing": (config_text(*good).replace("XAI_API_KEY", "NO_SUCH_KEY"), "NO_SUCH_KEY"),
        "a certificate that is none": (
            config_text(*forbidding(base_url, "second", target=f'caBundle: "{BAD_CA}"')),
            "caBundle",
        ),
        "nothing": ("", "pack.yaml"),
    }


@pytest.mark.parametrize("name", broken_edits(""))
async def test_a_bad_edit_keeps_the_last_good_bundle_and_says_so(reloading, grok, name):
    """In the log, in the probe's body and in metrics, with the place of the mistake; calls go on as before."""
    text, told = broken_edits(grok.base_url)[name]
    bundle, metrics, seen = (
        await reloading.bundle(),
        await reloading.metrics(),
        len(reloading.events("bundle_rejected")),
    )

    reloading.config.write_text(text)
    await eventually(
        lambda: len(reloading.events("bundle_rejected")) > seen,
        timeout_seconds=RELOAD_SECONDS,
        state=lambda: reloading.log_text,
    )
    after, ready = await reloading.metrics(), await reloading.admin("/readyz")

    rejected = "grokwarden_config_apply_total"
    problems = reloading.events("bundle_rejected")[-1]["problems"]
    assert told in str(problems)
    assert ready.status_code == 200
    assert ready.text.startswith("ready\nthe newest configuration is refused (keeping the last good one):\n")
    assert all(problem in ready.text for problem in problems)
    assert after.value(rejected, result="rejected") == metrics.value(rejected, result="rejected") + 1
    assert after.value("grokwarden_config_staleness_seconds") > 0
    assert await reloading.bundle() == bundle
    assert await is_blocked(reloading, "first")


async def test_after_the_mistake_is_mended_all_is_well(reloading, grok):
    """With no restart, and nothing left of the complaint."""
    before = await reloading.bundle()
    reloading.config.write_text("nonsense: [")
    await eventually(lambda: _is_refused(reloading), timeout_seconds=RELOAD_SECONDS)

    await reloading.configure(*forbidding(grok.base_url, "second"))
    await until_applied(reloading, before)

    assert (await reloading.admin("/readyz")).text == "ready\n"
    assert (await reloading.admin("/config")).json()["problems"] == []
    assert (await reloading.metrics()).value("grokwarden_config_staleness_seconds") == 0
    assert await is_blocked(reloading, "second")


async def _is_refused(sidecar):
    return "is refused" in (await sidecar.admin("/readyz")).text


async def test_a_deleted_file_keeps_the_last_good_bundle(reloading, grok):
    """No file is no permission."""
    reloading.config.unlink()

    await eventually(lambda: _is_refused(reloading), timeout_seconds=RELOAD_SECONDS)

    assert await is_blocked(reloading, "first")


def mount(directory, text):
    """A ConfigMap's next version, swapped in as the kubelet does it."""
    number = len(list(directory.glob("..version-*")))
    version = directory / f"..version-{number}"
    version.mkdir()
    (version / "pack.yaml").write_text(text)
    link = directory / "..data.new"
    link.symlink_to(version.name)
    link.replace(directory / "..data")
    if not (directory / "pack.yaml").is_symlink():
        (directory / "pack.yaml").symlink_to("..data/pack.yaml")


@pytest.mark.parametrize("path", [".", "pack.yaml"], ids=["directory", "file"])
async def test_the_swap_of_a_mounted_config_map_takes_effect(running_grok, grok, tmp_path, path):
    """Only ``..data`` changes: neither the directory's own entry of the file nor the link behind it does."""
    directory = tmp_path / "mount"
    directory.mkdir()
    mount(directory, config_text(*forbidding(grok.base_url, "first")))
    async with running_sidecar(tmp_path, config=directory / path) as sidecar:
        before = await sidecar.bundle()
        mount(directory, config_text(*forbidding(grok.base_url, "second")))
        await until_applied(sidecar, before)

        assert await is_blocked(sidecar, "second")


async def test_a_file_more_or_less_in_a_directory_takes_effect(running_grok, grok, tmp_path):
    """Packs come and go as files."""
    directory = tmp_path / "packs"
    directory.mkdir()
    (directory / "one.yaml").write_text(config_text(*forbidding(grok.base_url, "first")))
    extra = "{name: more, policy: safety-filter, safetyFilter: {patterns: [second]}}"
    other = directory / "two.yaml"
    async with running_sidecar(tmp_path, config=directory) as sidecar:
        one = await sidecar.bundle()
        other.write_text(pack_text(f"{{chain: [{extra}]}}", name="other", namespace="shop"))
        two = await until_applied(sidecar, one)
        assert await is_blocked(sidecar, "second")
        assert await is_blocked(sidecar, "first")
        generations = (await sidecar.metrics()).label_sets("grokwarden_config_generation")
        assert {labels["pack"] for labels in generations} == {"shop/gateway", "shop/other"}

        other.unlink()
        assert await until_applied(sidecar, two) == one
        generations = (await sidecar.metrics()).label_sets("grokwarden_config_generation")
        assert {labels["pack"] for labels in generations} == {"shop/gateway"}
