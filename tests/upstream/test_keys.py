"""Keys: found where the target says, renewed when the file is, shown nowhere."""

import os
import traceback

import pytest
from structlog.testing import capture_logs

from grokwarden.bundle import KeySource
from grokwarden_sidecar.configuration.keys import RECHECK_SECONDS, KeyRing, TargetKeyError
from targets import HandClock, target_of

CANARY = "xai-canary-0123456789"


def file_target(path):
    return target_of(key=KeySource(file=str(path)))


def test_a_key_comes_from_the_mapping_that_was_given():
    """The environment is read in one place; here it is a parameter."""
    ring = KeyRing({"XAI_API_KEY": f" {CANARY}\n"}, clock=HandClock())

    assert ring.key_of(target_of(key=KeySource(env="XAI_API_KEY"))).authorization == f"Bearer {CANARY}"
    assert ring.key_of(target_of(key=None)) is None


def test_no_text_shows_a_key(tmp_path):
    """A key in a log is a key that must be changed."""
    (tmp_path / "key").write_text(CANARY)
    ring = KeyRing({"K": CANARY}, clock=HandClock())
    keys = [ring.key_of(target_of(key=KeySource(env="K"))), ring.key_of(file_target(tmp_path / "key"))]

    assert CANARY not in f"{keys} {keys[0]!s} {ring!r}"


@pytest.mark.parametrize("value", ["", "  \n", f"{CANARY}\r\nx-evil: 1", f"{CANARY} x", f"{CANARY}\x00", f"{CANARY}é"])
def test_a_key_that_is_no_header_value_is_refused(value, tmp_path):
    """It would end up as a header of the attacker's choice, or as no key at all."""
    (tmp_path / "key").write_text(value)
    ring = KeyRing({"XAI_API_KEY": value}, clock=HandClock())

    for target, place in [
        (target_of(key=KeySource(env="XAI_API_KEY")), "environment variable XAI_API_KEY"),
        (file_target(tmp_path / "key"), f"key file {tmp_path / 'key'}"),
    ]:
        with pytest.raises(TargetKeyError) as failure:
            ring.key_of(target)
        assert f"target shop/xai-grok: {place}" in str(failure.value)
        assert CANARY not in "".join(traceback.format_exception(failure.value))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (KeySource(env="NOPE"), "environment variable NOPE, which holds its key, is not set"),
        (KeySource(file="/nowhere/key"), r"key file /nowhere/key can't be read \(No such file or directory\)"),
        (KeySource(file="/"), r"key file / can't be read \(Is a directory\)"),
        (KeySource(file="/dev/zero"), "key file /dev/zero is larger than"),
        (KeySource(secret="shop/xai-key/K"), "Secret shop/xai-key/K, which this sidecar can't read"),
    ],
)
def test_a_missing_key_names_target_and_place(source, message):
    """The person who reads it has to know what to mend."""
    ring = KeyRing({}, clock=HandClock())

    with pytest.raises(TargetKeyError, match=f"target shop/xai-grok: .*{message}"):
        ring.key_of(target_of(key=source))


def test_a_rotated_file_is_used_without_a_restart(tmp_path):
    """Mounted Secrets change by a swap of their folder; editors replace or rewrite."""
    clock = HandClock()
    ring = KeyRing({}, clock=clock)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"xai-{name}")
    link = tmp_path / "..data"
    link.symlink_to("one")
    target = file_target(link / "key")
    assert ring.key_of(target).secret == b"xai-one"

    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", link)  # noqa: PTH105
    assert ring.key_of(target).secret == b"xai-one"
    clock.advance(RECHECK_SECONDS)

    assert ring.key_of(target).secret == b"xai-two"


def test_a_file_that_is_empty_for_a_moment_costs_no_call(tmp_path):
    """A writer that truncates first must not fail the calls in between; the log says that the old key is in use."""
    clock = HandClock()
    ring = KeyRing({}, clock=clock)
    path = tmp_path / "key"
    path.write_text("xai-old")
    ring.key_of(file_target(path))

    path.write_text("")
    clock.advance(RECHECK_SECONDS)
    with capture_logs() as logs:
        assert ring.key_of(file_target(path)).secret == b"xai-old"
    path.write_text("xai-new")
    clock.advance(RECHECK_SECONDS)

    assert ring.key_of(file_target(path)).secret == b"xai-new"
    assert [(log["event"], log["log_level"]) for log in logs] == [("key_file_unusable", "warning")]


def test_all_missing_keys_are_found_at_once():
    """Whoever starts the sidecar wants the whole list, not the first of it."""
    ring = KeyRing({"A": CANARY}, clock=HandClock())
    targets = [target_of(name=f"shop/{name}", key=KeySource(env=name)) for name in ("A", "B", "C")]

    assert [str(problem).split(",")[0] for problem in ring.check(targets)] == [
        "target shop/B: environment variable B",
        "target shop/C: environment variable C",
    ]
