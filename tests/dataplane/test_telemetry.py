"""Metrics and audit records are contracts: dashboards, alerts and auditors hang on their names, fields and figures."""

import asyncio
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from answers import DONE, answer, chunk, tool_call, usage_event
from command_line import run_grokwarden
from fake_grok import FakeGrok
from resource_texts import pack_text, target_text
from sidecar import Metrics, Sidecar, running_sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")

GEN_AI = {"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"}
LABELS = {
    "gen_ai_client_token_usage_count": GEN_AI | {"gen_ai_token_type"},
    "gen_ai_client_operation_duration_seconds_count": GEN_AI | {"error_type"},
    "gen_ai_client_operation_time_to_first_chunk_seconds_count": GEN_AI,
    "grokwarden_decisions_total": {"pack", "step", "policy", "phase", "mode", "action"},
    "grokwarden_evaluation_seconds_count": {"policy", "phase"},
    "grokwarden_overhead_seconds_count": {"stream"},
    "grokwarden_stream_holdback_seconds_count": {"pack", "step"},
    "grokwarden_unscanned_total": {"endpoint", "reason"},
    "grokwarden_requests_refused_total": {"reason"},
    "grokwarden_upstream_requests_total": {"target", "outcome"},
    "grokwarden_fallbacks_total": {"from", "to", "reason"},
    "grokwarden_circuit_state": {"target"},
    "grokwarden_model_substitutions_total": {"requested", "served"},
    "grokwarden_cost_usd_total": {"target", "model", "source"},
    "grokwarden_config_generation": {"pack"},
    "grokwarden_config_apply_total": {"result"},
    "grokwarden_config_staleness_seconds": set(),
    "grokwarden_audit_events_total": {"sink"},
    "grokwarden_audit_dropped_total": {"sink", "reason"},
}
RECORD = {
    *("chain_id", "seq", "prev_hash", "hash", "time", "decision_id", "request_id", "namespace", "pod"),
    *("service_account", "bundle", "endpoint", "stream", "model_requested", "model_sent", "model_served"),
    *("provider", "target", "action", "would_action", "steps", "tokens", "cost_usd_ticks", "status"),
    *("duration_ms", "overhead_us", "content"),
}
STEP = {"pack", "step", "policy", "phase", "mode", "action", "rule", "score", "scanned", "took_us"}
CHAIN = """
    {name: injection, policy: prompt-injection, mode: Shadow, promptInjection: {attackPatterns: [open sesame]}},
    {name: safety, policy: safety-filter, safetyFilter: {patterns: [verboten]}}
"""
PICTURE = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is known of the process afterwards; ``live`` and ``ended`` are verdicts on its log."""

    sidecar: Sidecar
    metrics: Metrics
    records: dict[str, dict[str, Any]]
    bundle: str
    live: subprocess.CompletedProcess[str]
    ended: subprocess.CompletedProcess[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def observed(tmp_path_factory):
    """A process that has seen one call of each kind: its metrics, and its records by the calls' names."""
    async with FakeGrok() as grok:
        pack = pack_text(
            f"{{chain: [{CHAIN}], onUnscannable: Allow, routing: "
            "{targets: [{name: first}, {name: second}], retry: {maxRetries: 1}}}",
            namespace="shop",
        )
        address = f"provider: xai, baseURL: '{grok.base_url}', secretKeyRef: {{env: XAI_API_KEY}}"
        breaker = "circuitBreaker: {failures: 1, cooldown: 1h}"
        texts = (
            pack,
            target_text(f"{{{address}, {breaker}}}", name="first", namespace="shop"),
            target_text(f"{{{address}}}", name="second", namespace="shop"),
        )
        directory = tmp_path_factory.mktemp("telemetry")
        async with running_sidecar(directory, *texts) as sidecar:
            responses = await calls_of_each_kind(sidecar, grok)
            records = {name: await sidecar.record_of(response) for name, response in responses.items()}
            metrics = await sidecar.metrics()
            live = await asyncio.to_thread(run_grokwarden, "audit", "verify", sidecar.audit_dir)
            bundle = await sidecar.bundle()
    ended = await asyncio.to_thread(run_grokwarden, "audit", "verify", sidecar.audit_dir)
    return Observed(sidecar=sidecar, metrics=metrics, records=records, bundle=bundle, live=live, ended=ended)


async def calls_of_each_kind(sidecar, grok):
    """The answers by name. The first target's circuit opens with the one call that falls back."""
    responses = {}
    for name, fields in {
        "allowed": {},
        "unknown model": {"model": "who-knows"},
        "substituted": {"model": "grok-4.7"},
        "unread": {"messages": [{"role": "user", "content": [PICTURE]}]},
    }.items():
        grok.reply(json=answer(model="who-knows" if name == "unknown model" else "grok-4.3"))
        responses[name] = await sidecar.chat(**fields)
    grok.reply(json=answer("verboten"))
    responses["blocked answer"] = await sidecar.chat()
    responses["blocked"] = await sidecar.chat("verboten, open sesame")
    responses["malformed"] = await sidecar.post(b"hello")
    responses["unknown route"] = await sidecar.http.get(f"{sidecar.base_url}/files")
    grok.reply(json={"data": []})
    responses["models"] = await sidecar.http.get(f"{sidecar.base_url}/models")
    gate = asyncio.Event()
    held = chunk(tool_calls=[tool_call("{}")])
    grok.stream([chunk("I look it up.") + held, gate, chunk(finish="tool_calls"), usage_event(), DONE])
    async with sidecar.stream() as responses["stream"]:
        async for _ in responses["stream"].aiter_raw():
            gate.set()
    grok.reply(status=503, json={"code": "x", "error": "overloaded"})
    grok.reply(json=answer())
    responses["fallback"] = await sidecar.chat()
    return responses


async def test_every_metric_has_its_labels_and_no_other_is_there(observed):
    """A renamed label breaks dashboards in silence; one too many may be unbounded."""
    metrics = observed.metrics
    names = {
        sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for family in metrics.families.values()
        for sample in family.samples
    }

    assert names == {name.removesuffix("_count") for name in LABELS}
    for name, labels in LABELS.items():
        assert {frozenset(found) for found in metrics.label_sets(name)} == {frozenset(labels)}, name


async def test_an_unknown_model_is_other_in_every_label(observed):
    """The client chooses the name: as a label, it would fill the memory of whoever scrapes it."""
    assert "who-knows" not in observed.metrics.text
    counted = observed.metrics.value("gen_ai_client_operation_duration_seconds_count", gen_ai_request_model="other")
    assert counted == 1


async def test_the_provider_is_named_as_the_convention_says(observed):
    """OpenTelemetry's name for xAI; ``none`` for what never reached a provider."""
    found = {
        labels["gen_ai_provider_name"] for labels in observed.metrics.label_sets("gen_ai_client_token_usage_count")
    }

    assert found == {"x_ai"}
    duration = "gen_ai_client_operation_duration_seconds_count"
    assert observed.metrics.value(duration, gen_ai_provider_name="none", error_type="content_filter") == 1


async def test_decisions_are_counted_by_step_phase_mode_and_action(observed):
    """One for each step and phase that had something to see."""
    blocked = {"pack": "shop/gateway", "action": "Block"}
    decided = observed.metrics.value

    safety = {"step": "safety", "policy": "safety-filter", "mode": "Enforce"}
    injection = {"step": "injection", "policy": "prompt-injection", "mode": "Shadow"}
    assert decided("grokwarden_decisions_total", **blocked, **safety, phase="Request") == 1
    assert decided("grokwarden_decisions_total", **blocked, **safety, phase="Response") == 1
    assert decided("grokwarden_decisions_total", **blocked, **injection, phase="Request") == 1
    assert decided("grokwarden_decisions_total", **safety, phase="ToolArguments", action="Allow") == 1


async def test_calls_and_attempts_are_counted_once(observed):
    """Nine calls of the chat endpoint; each attempt at a target by its outcome; and the money, once."""
    value = observed.metrics.value

    assert value("gen_ai_client_operation_duration_seconds_count") == 9
    assert value("grokwarden_overhead_seconds_count", stream="true") == 1
    assert value("gen_ai_client_operation_time_to_first_chunk_seconds_count") == 1
    assert value("grokwarden_upstream_requests_total", target="shop/first", outcome="ok") == 7
    assert value("grokwarden_upstream_requests_total", target="shop/first", outcome="server_error") == 1
    assert value("grokwarden_upstream_requests_total", target="shop/second", outcome="ok") == 1
    assert value("grokwarden_circuit_state", target="shop/first") == 2
    assert value("grokwarden_unscanned_total", endpoint="ChatCompletions", reason="image") == 1
    assert value("grokwarden_cost_usd_total", source="provider") == pytest.approx(7 * 212500 / 1e10)
    assert value("gen_ai_client_token_usage_sum", gen_ai_token_type="input") == 7 * 7
    assert value("grokwarden_stream_holdback_seconds_count", step="safety") == 1


async def test_every_record_has_exactly_its_fields(observed):
    """Whoever reads the log finds each of them in each line, and nothing that was never agreed on."""
    assert [name for name, record in observed.records.items() if set(record) != RECORD] == []
    assert all(set(step) == STEP for record in observed.records.values() for step in record["steps"])
    assert {record["content"] for record in observed.records.values()} == {None}
    assert {record["namespace"] for record in observed.records.values()} == {"shop"}
    assert {record["bundle"] for record in observed.records.values()} == {observed.bundle}


EXPECTED = {
    "allowed": ("ChatCompletions", 200, "Allow", "Allow", "shop/first"),
    "substituted": ("ChatCompletions", 200, "Allow", "Allow", "shop/first"),
    "blocked": ("ChatCompletions", 400, "Block", "Block", None),
    "blocked answer": ("ChatCompletions", 200, "Block", "Block", "shop/first"),
    "malformed": ("ChatCompletions", 400, "Block", "Block", None),
    "unknown route": ("Unknown", 404, "Block", "Block", None),
    "models": ("Models", 200, "Allow", "Allow", "shop/first"),
    "stream": ("ChatCompletions", 200, "Allow", "Allow", "shop/first"),
    "fallback": ("ChatCompletions", 200, "Allow", "Allow", "shop/second"),
}


@pytest.mark.parametrize(("name", "wanted"), EXPECTED.items(), ids=EXPECTED.keys())
async def test_a_record_says_what_became_of_the_call(observed, name, wanted):
    """Endpoint, status, what was done, what would have been done, and who answered."""
    record = observed.records[name]

    assert tuple(record[key] for key in ("endpoint", "status", "action", "would_action", "target")) == wanted


async def test_a_record_has_the_providers_figures(observed):
    """Models, tokens and cost as they were told; durations that make sense."""
    record = observed.records["allowed"]

    assert [record[key] for key in ("model_requested", "model_sent", "model_served")] == ["grok-4.3"] * 3
    assert record["provider"] == "xai"
    assert record["tokens"] == {"prompt": 7, "completion": 5, "reasoning": None, "cached": None, "total": 12}
    assert record["cost_usd_ticks"] == 212500
    assert 0 < record["overhead_us"] / 1000 <= record["duration_ms"]
    assert [(step["step"], step["phase"], step["scanned"]) for step in record["steps"]] == [
        ("injection", "Request", 5),
        ("safety", "Request", 5),
        ("safety", "Response", 5),
    ]


async def test_a_step_in_shadow_leaves_the_others_in_force(observed):
    """A new step is tried beside those that are trusted; only theirs is what acts."""
    steps = [(step["step"], step["mode"], step["action"]) for step in observed.records["blocked"]["steps"]]

    assert steps == [("injection", "Shadow", "Block"), ("safety", "Enforce", "Block")]


async def test_every_call_has_one_record(observed):
    """Answered or refused, governed or unknown: the log is complete."""
    ids = [record["decision_id"] for record in observed.sidecar.records]

    assert len(ids) == len(set(ids)) == len(observed.records)


async def test_the_chain_verifies_while_it_grows_and_after_the_end(observed):
    """By the command that an auditor runs."""
    assert observed.live.returncode == 0, observed.live.stdout + observed.live.stderr
    assert observed.ended.returncode == 0, observed.ended.stdout + observed.ended.stderr


async def test_a_changed_record_does_not_verify(observed, tmp_path):
    """The near miss: the same log with one word changed."""
    copy = tmp_path / "audit"
    copy.mkdir()
    for file in observed.sidecar.audit_dir.iterdir():
        (copy / file.name).write_bytes(file.read_bytes().replace(b'"status":400', b'"status":200', 1))

    checked = await asyncio.to_thread(run_grokwarden, "audit", "verify", copy)

    assert checked.returncode == 1
