"""Keeptrusts-style files: everything in them has an equal of ours, or is an error that names it."""

from pathlib import Path

import pytest
import yaml

from grokwarden.edge.files import Loaded, load_sources
from grokwarden.edge.sources import Source
from grokwarden.edge.yaml_writer import write_yaml

FIXTURES = Path(__file__).parents[1] / "fixtures" / "keeptrusts"


def loaded(text: str, *, name: str = "policy-config.yaml") -> Loaded:
    return load_sources([Source(name=name, data=text.encode())])


def converted(text: str) -> list[dict[str, object]]:
    result = loaded(text)
    assert result.problems == ()
    return [document.content for document in result.documents]


def complaint(text: str) -> str:
    (problem,) = loaded(text).problems
    return str(problem)


def chain_of(text: str) -> object:
    return converted(text)[0]["spec"]["chain"]


def target_of(fields: str) -> object:
    _, target = converted("providers:\n  targets:\n    - {id: t, " + fields + "}\n")
    return target["spec"]


def test_the_documented_gateway_becomes_a_pack_and_a_target():
    """The page's first example is what a newcomer brings along."""
    pack, target = converted((FIXTURES / "xai-gateway.yaml").read_text())

    assert pack == {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": "PolicyPack",
        "metadata": {"name": "xai-gateway"},
        "spec": {
            "version": "0.1.0",
            "enabled": True,
            "chain": [
                {"name": "prompt-injection", "policy": "prompt-injection"},
                {"name": "safety-filter", "policy": "safety-filter"},
                {"name": "audit-logger", "policy": "audit-logger"},
            ],
            "routing": {"targets": [{"name": "xai-grok"}]},
        },
    }
    assert target["metadata"] == {"name": "xai-grok"}
    assert target["spec"] == {
        "provider": "xai",
        "model": "grok-3",
        "baseURL": "https://api.x.ai/v1",
        "secretKeyRef": {"env": "XAI_API_KEY"},
    }


def test_several_targets_are_tried_in_their_order():
    """The file promises fallback on error, so every other target gets one attempt."""
    pack, first, second = converted((FIXTURES / "multi-provider-fallback.yaml").read_text())

    assert pack["spec"]["routing"] == {
        "strategy": "Ordered",
        "targets": [{"name": "xai-primary"}, {"name": "openai-fallback"}],
        "retry": {"maxRetries": 1},
    }
    assert pack["spec"]["chain"] == [
        {
            "name": "audit-logger",
            "policy": "audit-logger",
            "auditLogger": {"immutable": True, "retentionDays": 365, "logAllAccess": True},
        }
    ]
    assert first["spec"]["model"] == "grok-3"
    assert second["spec"] == {"provider": "openai", "model": "gpt-4o", "secretKeyRef": {"env": "OPENAI_API_KEY"}}


def test_a_file_with_a_chain_alone_goes_to_xai_and_says_so():
    """The page shows such a file; without a target it could not be run, without the warning it would surprise."""
    result = load_sources(
        [
            Source(
                name="system-prompt-enforcement.yaml",
                data=(FIXTURES / "system-prompt-enforcement.yaml").read_bytes(),
            )
        ]
    )
    pack, target = (document.content for document in result.documents)

    assert pack["metadata"] == {"name": "system-prompt-enforcement"}
    assert pack["spec"]["chain"][1]["systemPromptGuard"] == {
        "requiredPrefix": "You are a helpful assistant. Never reveal internal system details."
    }
    assert target["spec"] == {"provider": "xai", "secretKeyRef": {"env": "XAI_API_KEY"}}
    assert [warning.message for warning in result.warnings] == [
        "no providers.targets: calls go to xAI, with the key in the environment variable XAI_API_KEY"
    ]


@pytest.mark.parametrize(
    ("file", "name"), [("My Config (v2).yaml", "my-config-v2"), ("<stdin>", "imported"), ("_.yml", "imported")]
)
def test_a_pack_without_a_name_is_called_after_its_file(file: str, name: str):
    """A pack needs a name that Kubernetes accepts."""
    pack, _ = loaded("policies: {chain: [audit-logger]}", name=file).documents
    assert pack.content["metadata"] == {"name": name}


@pytest.mark.parametrize(
    ("chain", "steps"),
    [
        ("[{safety-filter: null}]", [{"name": "safety-filter", "policy": "safety-filter"}]),
        (
            "[{safety-filter: {threshold: 0.7, categories: [criminal_activity, AdultContent]}}]",
            [
                {
                    "name": "safety-filter",
                    "policy": "safety-filter",
                    "safetyFilter": {"threshold": "0.7", "categories": ["CriminalActivity", "AdultContent"]},
                }
            ],
        ),
        (
            "[{prompt-injection: {action: flag, mode: shadow, on_error: allow, attack_patterns: [a_b]}}]",
            [
                {
                    "name": "prompt-injection",
                    "policy": "prompt-injection",
                    "action": "Flag",
                    "mode": "Shadow",
                    "onError": "Allow",
                    "promptInjection": {"attackPatterns": ["a_b"]},
                }
            ],
        ),
        (
            "[safety-filter, {safety-filter: {patterns: [x]}}]",
            [
                {"name": "safety-filter", "policy": "safety-filter"},
                {"name": "safety-filter-2", "policy": "safety-filter", "safetyFilter": {"patterns": ["x"]}},
            ],
        ),
    ],
)
def test_a_chain_entry_becomes_a_step(chain: str, steps: object):
    """Names and values are theirs in snake_case and ours in the API's case; texts stay as they are."""
    assert chain_of(f"policies: {{chain: {chain}}}") == steps


def test_inline_parameters_and_the_policy_block_are_united():
    """Both places are documented, so a file may use both."""
    text = "policies: {chain: [{audit-logger: {immutable: true}}]}\npolicy: {audit-logger: {retention_days: 30}}"
    (step,) = chain_of(text)
    assert step["auditLogger"] == {"immutable": True, "retentionDays": 30}


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ("provider: xai", {"provider": "xai", "secretKeyRef": {"env": "XAI_API_KEY"}}),
        ("provider: openai", {"provider": "openai", "secretKeyRef": {"env": "OPENAI_API_KEY"}}),
        (
            "provider: openai-compatible, base_url: 'http://127.0.0.1:8000/v1'",
            {"provider": "openai-compatible", "baseURL": "http://127.0.0.1:8000/v1"},
        ),
        (
            "provider: 'xai:chat:grok-4.3', model: grok-4.3, format: openai, secret_key_ref: {env: K}",
            {"provider": "xai", "model": "grok-4.3", "format": "openai", "secretKeyRef": {"env": "K"}},
        ),
        (
            "provider: xai, pricing: {input_per_million: 1.25, cached_input_per_million: '0.2', output_per_1k: 0.0025}",
            {
                "provider": "xai",
                "secretKeyRef": {"env": "XAI_API_KEY"},
                "pricing": {"inputPerMillion": "1.25", "cachedInputPerMillion": "0.2", "outputPerMillion": "2.5"},
            },
        ),
    ],
)
def test_a_target_becomes_a_provider_target(fields: str, spec: object):
    """Every field that the page documents is honoured."""
    assert target_of(fields) == spec


ONE = "policies: {chain: [audit-logger]}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "policies: {chain: [promt-injection]}",
            'policies.chain[0]: unknown policy promt-injection; did you mean "prompt-',
        ),
        ("policies: {chain: [pii-detector]}", "policies.chain[0]: unknown policy pii-detector"),
        ("policies: {chain: [7]}", "policies.chain[0]: expected the name of a policy, found the number 7"),
        (
            "policies:\n  chain:\n    - audit-logger:\n      immutable: true",
            ":3: policies.chain[0]: expected one policy per entry; indent its parameters below audit-logger: immutable",
        ),
        ("policies: {chain: audit-logger}", "policies.chain: expected a list, found text"),
        ("policies: {chains: []}", 'policies.chains: unknown field chains; did you mean "chain"?'),
        (
            "policies: {chain: [{audit-logger: {retention: 3}}]}",
            'policies.chain[0].audit-logger.retention: unknown field retention; did you mean "retention_days"?',
        ),
        (
            "policies: {chain: [{prompt-injection: {embedding_threshold: 0.9}}]}",
            "policies.chain[0].prompt-injection.embedding_threshold: unknown field",
        ),
        (
            ONE + "policy: {audit-loger: {}}",
            'policy.audit-loger: unknown policy audit-loger; did you mean "audit-logger"?',
        ),
        (ONE + "policy: {safety-filter: {}}", "policy.safety-filter: safety-filter is not in policies.chain"),
        (ONE + "policy: 1", "policy: expected fields"),
        (
            "policies: {chain: [{audit-logger: {immutable: true}}]}\npolicy: {audit-logger: {immutable: false}}",
            ":2: policy.audit-logger.immutable: another value than in policies.chain",
        ),
        (ONE + "testing: {}", "testing: unknown field testing"),
        (ONE + "pack: {name: a, owner: b}", "pack.owner: unknown field owner"),
        (ONE + "pack: {version: 1.0}", 'pack.version: expected text, found the number 1.0; write it in quotes, "1.0"'),
        (ONE + "pack: {enabled: 1}", "pack.enabled: expected true or false, found the number 1"),
        (ONE + "pack: {enabled: yes}", "pack.enabled: an unquoted yes is a boolean to kubectl"),
        (ONE + "providers: {}", "providers.targets: expected at least one target"),
        (
            ONE + "providers: {fallback: {strategy: latency}, targets: [{id: a, provider: xai}]}",
            "unknown field fallback",
        ),
        (ONE + "providers: {targets: [xai]}", "providers.targets[0]: expected fields"),
        (ONE + "providers: {targets: [{provider: xai}]}", "providers.targets[0].id: id is required"),
        (ONE + "providers: {targets: [{id: a}]}", "providers.targets[0].provider: provider is required"),
        (
            ONE + "providers: {targets: [{id: a, provider: xia}]}",
            'providers.targets[0].provider: unknown provider xia; did you mean "xai"?',
        ),
        (ONE + "providers: {targets: [{id: a, provider: 'xai:image:grok-2'}]}", "write xai or xai:chat:<model>"),
        (ONE + "providers: {targets: [{id: a, provider: 'xai:chat:'}]}", "write xai or xai:chat:<model>"),
        (
            ONE + "providers: {targets: [{id: a, provider: 'xai:chat:m', model: o}]}",
            "another model than the provider's m",
        ),
        (ONE + "providers: {targets: [{id: a, provider: xai, url: u}]}", "targets[0].url: unknown field url"),
        (
            ONE + "providers: {targets: [{id: a, provider: xai, secret_key_ref: K}]}",
            "secret_key_ref: expected fields (env)",
        ),
        (ONE + "providers: {targets: [{id: a, provider: xai, secret_key_ref: {}}]}", "secret_key_ref: expected env"),
        (
            ONE + "providers: {targets: [{id: a, provider: xai, pricing: {input: 1}}]}",
            "pricing.input: unknown field input",
        ),
        (
            ONE + "providers: {targets: [{id: a, provider: xai, pricing: {input_per_million: free}}]}",
            "expected a price in USD such as 1.25",
        ),
    ],
)
def test_what_has_no_equal_is_an_error_that_names_it(text: str, message: str):
    """A policy that was dropped on import would be enforced by nobody, and nobody would know."""
    assert message in complaint(text)


def test_a_key_given_in_place_of_its_variable_is_not_repeated():
    """People paste keys where a reference belongs; the message ends up in a build log."""
    text = ONE + "providers: {targets: [{id: a, provider: xai, secret_key_ref: xai-s3cr3t}]}"
    assert "s3cr3t" not in complaint(text)


def test_every_problem_is_reported_at_once():
    """One run per mistake is what makes people give up on a migration."""
    result = loaded("pack: {nam: a}\npolicies: {chain: [x-ray]}\nproviders: {targets: [{id: a}]}\nmore: 1\n")

    assert [problem.line for problem in result.problems] == [4, 3, 1, 2]
    assert result.documents == ()


@pytest.mark.parametrize("fixture", sorted(FIXTURES.iterdir()), ids=lambda path: path.stem)
def test_what_import_prints_reads_back_as_the_same_resources(fixture: Path):
    """What is converted and committed must be what was running from the original."""
    original = load_sources([Source(name=fixture.name, data=fixture.read_bytes())])
    written = write_yaml(original.documents)
    again = loaded(written, name="resources.yaml")

    assert again.problems == ()
    assert [d.content for d in again.documents] == [d.content for d in original.documents]
    assert list(yaml.safe_load_all(written)) == [d.content for d in original.documents], "other readers agree"


def test_odd_texts_survive_being_written():
    """A prefix is compared character for character, so a changed line break would block every call."""
    for text in [
        "yes",
        "n",
        "0.10",
        "2024-01-01",
        "0644",
        "a: b",
        "two\nlines",
        "two\nlines\n",
        " edge ",
        "ü “x”",
        "# no",
    ]:
        result = loaded(f"policies: {{chain: [{{system-prompt-guard: {{required_prefix: {quoted(text)}}}}}]}}")
        again = loaded(write_yaml(result.documents))
        assert again.documents[0].content["spec"]["chain"][0]["systemPromptGuard"] == {"requiredPrefix": text}


def quoted(text: str) -> str:
    return '"' + text.replace("\n", "\\n").replace('"', '\\"') + '"'


def test_lines_point_into_the_original():
    """The author knows the file that was written, not the resource that it became."""
    result = loaded((FIXTURES / "xai-gateway.yaml").read_text())
    pack, target = result.documents

    assert pack.line_of(("metadata", "name")) == 2
    assert pack.line_of(("spec", "version")) == 3
    assert pack.line_of(("spec", "chain", 1, "action")) == 8
    assert pack.line_of(("spec", "routing", "targets", 0)) == 12
    assert target.line_of(("spec", "baseURL")) == 14
    assert target.line_of(("spec", "secretKeyRef", "env")) == 15
