"""Anyone can recompute a chain with a standard library: the promise that makes a log evidence."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import call_record
from grokwarden.audit.chain import GENESIS, canonical_json, is_intact, read_link, rfc3339, seal_record
from grokwarden.audit.record import AuditRecord, RecoveredRecord, StepRecord, Tokens

texts = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
floats = st.floats(allow_nan=False, allow_infinity=False)
steps = st.builds(
    StepRecord,
    **dict.fromkeys(("pack", "step", "policy", "phase", "mode", "action"), texts),
    rule=st.none() | texts,
    score=st.none() | floats | st.floats(0, 1),
    scanned=st.integers(),
    took_us=st.integers(),
)
records = st.builds(
    AuditRecord,
    chain_id=st.just(""),
    seq=st.just(0),
    prev_hash=st.just(""),
    hash=st.just(""),
    **dict.fromkeys(("time", "decision_id", "request_id", "namespace", "pod", "service_account"), texts),
    **dict.fromkeys(("bundle", "endpoint", "action", "would_action"), texts),
    **dict.fromkeys(("model_requested", "model_sent", "model_served", "provider", "target"), st.none() | texts),
    steps=st.lists(steps, max_size=3),
    tokens=st.none() | st.builds(Tokens, prompt=st.none() | st.integers(), total=st.none() | st.integers()),
    cost_usd_ticks=st.none() | st.integers(),
    duration_ms=floats | st.floats(0, 1e7).map(lambda ms: round(ms, 3)),
    content=st.none() | st.dictionaries(texts, json_values, max_size=3),
)


def standard_library_bytes(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def assert_recomputable(line: bytes) -> None:
    fields = json.loads(line)
    assert line == standard_library_bytes(fields) + b"\n"
    claimed = fields.pop("hash")
    assert hashlib.sha256(standard_library_bytes(fields)).hexdigest() == claimed
    link = read_link(line[:-1])
    assert link is not None
    assert is_intact(line[:-1], link)


@given(record=records)
def test_the_standard_library_gives_the_same_bytes_and_hash_for_every_record(record):
    """Two JSON writers that differ in one digit of one float would make an honest log look forged."""
    line = seal_record(record, chain_id="c" * 32, seq=7, prev_hash=GENESIS)

    assert_recomputable(line)
    assert json.loads(line)["hash"] == record.hash


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"duration_ms": 1e-05}, id="a float where the two writers differ"),
        pytest.param({"duration_ms": 1e16}, id="a large float"),
        pytest.param({"duration_ms": float("nan")}, id="NaN"),
        pytest.param({"duration_ms": float("inf")}, id="infinity"),
        pytest.param({"pod": "a\ud800b"}, id="a lone surrogate"),
        pytest.param({"model_requested": '","hash":"","x":"'}, id="a text that looks like the empty hash"),
        pytest.param({"pod": '\x00\x1f\x7f\u2028"\\/'}, id="characters that JSON writers escape differently"),
        pytest.param({"cost_usd_ticks": 2**80}, id="a number past 64 bits"),
        pytest.param({"content": {"hash": "", "a": {"hash": ""}}}, id="content with a hash of its own"),
        pytest.param({"content": {"at": object()}}, id="content that is no JSON"),
    ],
)
def test_no_record_is_lost_for_a_value_that_json_writers_treat_differently(changes):
    """A record that can't be encoded would stop the writer, or be dropped."""
    line = seal_record(call_record(**changes), chain_id="c", seq=1, prev_hash=GENESIS)

    assert_recomputable(line)


def test_every_field_is_under_the_hash():
    """A field outside it could be changed unseen."""
    line = seal_record(call_record(), chain_id="c", seq=1, prev_hash=GENESIS)
    fields = json.loads(line)
    for name in fields.keys() - {"hash"}:
        changed = standard_library_bytes(fields | {name: "changed"})
        link = read_link(changed)
        assert link is None or not is_intact(changed, link), name


def test_white_space_is_an_edit():
    """A line is canonical, or a reader and the hash could see two different things."""
    line = seal_record(call_record(), chain_id="c", seq=1, prev_hash=GENESIS)
    spaced = json.dumps(json.loads(line)).encode()

    link = read_link(spaced)

    assert link is not None
    assert not is_intact(spaced, link)


def test_a_recovered_record_is_told_apart_by_its_kind():
    """Who counts calls must not count repairs."""
    recovered = RecoveredRecord(
        time="t", segment="audit-000001.jsonl", offset=9, lost_bytes=3, lost_sha256="0", kept_in="audit-000001-9.torn"
    )
    line = seal_record(recovered, chain_id="c", seq=2, prev_hash="p")

    assert_recomputable(line)
    assert json.loads(line)["kind"] == "recovered"
    assert "kind" not in json.loads(seal_record(call_record(), chain_id="c", seq=1, prev_hash="p"))


def test_canonical_json_sorts_at_every_depth():
    """Order must not depend on who built the value."""
    assert (
        canonical_json({"b": {"z": 1, "a": [True, None]}, "a": "é"}) == '{"a":"é","b":{"a":[true,null],"z":1}}'.encode()
    )


def test_times_are_rfc3339_in_utc_with_microseconds():
    """Times sort as text."""
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"
