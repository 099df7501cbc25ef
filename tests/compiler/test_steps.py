"""Steps: their defaults, and what is refused because it could not be enforced."""

import pytest

from grokwarden.bundle import StepPart
from grokwarden.compiler import Enforcement
from grokwarden.vocabulary import Action, OnStream, Phase
from resource_texts import TARGET, compiled, pack_text, problems_of

GUARD = 'systemPromptGuard: {requiredPrefix: "Be kind."}'


def step_of(step: str) -> StepPart:
    return compiled(TARGET, pack_text(f"{{chain: [{{name: s, {step}}}]}}")).bundle.packs[0].steps[0]


DEFAULTS = [
    ("policy: core-policy", Action.BLOCK, ["Request", "ToolArguments", "ToolResult"], None),
    ("policy: prompt-injection", Action.BLOCK, ["Request", "ToolResult"], None),
    ("policy: prompt-injection, action: Flag", Action.FLAG, ["Request", "ToolResult"], None),
    ("policy: safety-filter", Action.BLOCK, list(Phase), OnStream.CUT),
    ("policy: safety-filter, phases: [Response]", Action.BLOCK, ["Response"], OnStream.CUT),
    ("policy: safety-filter, phases: [ToolArguments]", Action.BLOCK, ["ToolArguments"], OnStream.BUFFER),
    ("policy: safety-filter, phases: [ToolResult, Request]", Action.BLOCK, ["Request", "ToolResult"], None),
    ("policy: safety-filter, onStream: Reject", Action.BLOCK, list(Phase), OnStream.REJECT),
    (f"policy: system-prompt-guard, {GUARD}", Action.BLOCK, ["Request"], None),
    ("policy: audit-logger", Action.BLOCK, list(Phase), None),
]


@pytest.mark.parametrize(("step", "action", "phases", "on_stream"), DEFAULTS)
def test_a_step_is_resolved(step, action, phases, on_stream):
    """The sidecar looks nothing up: what the bundle says is all there is."""
    part = step_of(step)
    assert (part.action, list(part.phases), part.on_stream) == (action, phases, on_stream)


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        ("policy: core-policy", {"on_forged_tag": "Neutralise", "restrict": []}),
        ("policy: core-policy, corePolicy: {onForgedTag: Block}", {"on_forged_tag": "Block", "restrict": []}),
        ("policy: prompt-injection", {"threshold": "0.8", "attack_patterns": []}),
        (
            "policy: safety-filter, safetyFilter: null",
            {"threshold": "0.8", "categories": ["CriminalActivity"], "patterns": []},
        ),
        (f"policy: system-prompt-guard, {GUARD}", {"required_prefix": "Be kind.", "on_missing": "Block"}),
        (
            "policy: audit-logger",
            {"immutable": False, "retention_days": None, "log_all_access": True, "content_capture": "None"},
        ),
    ],
)
def test_settings_are_complete(step, settings):
    """A default that changes later must not change a bundle that was compiled before."""
    assert step_of(step).settings == settings


REFUSED = [
    ("policy: core-policy, action: Block", "action", "corePolicy.onForgedTag decides"),
    (f"policy: system-prompt-guard, action: Flag, {GUARD}", "action", "systemPromptGuard.onMissing decides"),
    ("policy: audit-logger, action: Flag", "action", "it judges nothing: remove it"),
    (
        "policy: core-policy, phases: [Request, Response]",
        "phases[1]",
        "core-policy can't be enforced on ChatCompletions x Response x no stream or on its stream",
    ),
    ("policy: prompt-injection, phases: [ToolArguments]", "phases[0]", "it sees Request, ToolResult"),
    ("policy: prompt-injection, onStream: Cut", "onStream", "it looks at Request, ToolResult; remove onStream"),
    ("policy: audit-logger, onStream: Buffer", "onStream", "remove onStream"),
    (
        "policy: safety-filter, phases: [Request], onStream: Cut",
        "onStream",
        "add Response, ToolArguments to phases, or remove onStream",
    ),
    (
        "policy: safety-filter, phases: [ToolArguments], onStream: Cut",
        "onStream",
        "x stream: safety-filter judges that as a whole; write Buffer or Reject, or add Response to phases",
    ),
    (
        'policy: prompt-injection, promptInjection: {attackPatterns: [ok, "(a"]}',
        "promptInjection.attackPatterns[1]",
        "RE2 refuses it",
    ),
    ('policy: safety-filter, safetyFilter: {patterns: ["(?=a)"]}', "safetyFilter.patterns[0]", "RE2 refuses it"),
]


@pytest.mark.parametrize(("step", "path", "message"), REFUSED)
def test_what_can_not_be_enforced_is_refused_when_it_is_applied(step, path, message):
    """Never silently unenforced: the author hears of the gap before a call falls into it."""
    (problem,) = problems_of(TARGET, pack_text(f"{{chain: [{{name: s, {step}}}]}}"))
    assert problem.path == f"spec.chain[0].{path}"
    assert message in problem.message


def coverage(step: str, spec: str = "") -> dict[tuple[str, str, bool], Enforcement]:
    rows = compiled(TARGET, pack_text(f"{{chain: [{{name: s, {step}}}]{spec}}}")).coverage
    return {(row.endpoint, row.phase, row.stream): row.enforcement for row in rows}


@pytest.mark.parametrize(
    ("step", "phase", "whole", "streamed"),
    [
        ("policy: safety-filter", "Request", "Enforced", "Enforced"),
        ("policy: safety-filter", "Response", "Enforced", "Cut"),
        ("policy: safety-filter", "ToolArguments", "Enforced", "Buffer"),
        ("policy: safety-filter, onStream: Buffer", "Response", "Enforced", "Buffer"),
        ("policy: safety-filter, onStream: Reject", "ToolArguments", "Enforced", "Reject"),
        ("policy: safety-filter, onStream: Reject", "Request", "Enforced", "Enforced"),
        ("policy: safety-filter, phases: [Request]", "Response", "NotSelected", "NotSelected"),
        ("policy: prompt-injection", "Response", "NotSeen", "NotSeen"),
        ("policy: prompt-injection", "ToolResult", "Enforced", "Enforced"),
        ("policy: audit-logger", "Response", "Enforced", "Enforced"),
    ],
)
def test_coverage_says_how_each_path_is_enforced(step, phase, whole, streamed):
    """What the table says is what the engine does; a stream is where they would differ."""
    rows = coverage(step)
    assert rows["ChatCompletions", phase, False] == whole
    assert rows["ChatCompletions", phase, True] == streamed


def test_coverage_leaves_nothing_blank():
    """Every endpoint that is let through, every phase, streamed or not."""
    rows = coverage("policy: core-policy")
    assert len(rows) == len(Phase) * 3
    assert {how for (endpoint, _, _), how in rows.items() if endpoint == "Models"} == {Enforcement.NO_TEXT}
    only_models = coverage("policy: core-policy", ", endpoints: {allow: [Models]}")
    assert {endpoint for endpoint, _, _ in only_models} == {"Models"}


def test_a_chain_with_nothing_to_look_at_is_worth_a_warning():
    """The author of such a pack believes that something is checked."""
    pack = pack_text("{chain: [{name: s, policy: core-policy}], endpoints: {allow: [Models]}}")
    assert [warning.path for warning in compiled(TARGET, pack).warnings] == ["spec.endpoints.allow"]
