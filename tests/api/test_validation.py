"""What an author reads when a document is wrong: one row per mistake, with the exact path."""

import pytest

from grokwarden.api.v1alpha1 import PolicyPack
from grokwarden.api.validation import validated
from grokwarden.resources import Document
from resource_texts import documents, pack_text, target_text

KEY = "secretKeyRef: {env: K}"
STEP = "{name: a, policy: core-policy}"
TEST = "{name: one, request: {user: Hello}, expect: {action: Allow}}"


def found(text: str) -> dict[str, str]:
    """Path to message of everything wrong with a text."""
    _, problems = validated(documents(text)[0])
    return {problem.path: problem.message for problem in problems}


PACKS = [
    ("{chain: []}", "spec.chain", "a pack needs a chain or a routing"),
    ("{}", "spec.chain", "a pack needs a chain or a routing"),
    (f"{{chain: [{STEP}], chian: []}}", "spec.chian", 'unknown field; did you mean "chain"?'),
    (f"{{chain: [{STEP}], zzzzzzzzzzzzzz: 1}}", "spec.zzzzzzzzzzzzzz", "the fields here are version, enabled"),
    (f"{{chain: [{STEP}], mode: shadow}}", "spec.mode", 'expected Enforce or Shadow; did you mean "Shadow"?'),
    (f"{{chain: [{STEP}], mode: 3}}", "spec.mode", "is the number 3; expected Enforce or Shadow"),
    (f"{{chain: [{STEP}], version: 1.0}}", "spec.version", 'expected text: put it in quotes, "1.0"'),
    (f"{{chain: [{STEP}], version: v1}}", "spec.version", "expected a semantic version such as 1.4.0"),
    (f'{{chain: [{STEP}], enabled: "true"}}', "spec.enabled", "expected true or false, without quotes"),
    (f'{{chain: [{STEP}], priority: "5"}}', "spec.priority", "expected a whole number, without quotes"),
    (f"{{chain: [{STEP}], priority: true}}", "spec.priority", "is the boolean true; expected a whole number"),
    (f"{{chain: [{STEP}], priority: 1.5}}", "spec.priority", "expected a whole number"),
    (f"{{chain: [{STEP}], priority: 1000001}}", "spec.priority", "expected at most 1000000"),
    (f"{{chain: [{STEP}], endpoints: {{allow: []}}}}", "spec.endpoints.allow", "at least 1 entry"),
    (f"{{chain: [{STEP}], endpoints: {{allow: [Models, Models]}}}}", "spec.endpoints.allow[1]", "is repeated"),
    (f"{{chain: {STEP}}}", "spec.chain", "is a mapping; expected a list"),
    ("{chain: [core-policy]}", "spec.chain[0]", "is text; expected a mapping"),
    ("{chain: [{policy: core-policy}]}", "spec.chain[0].name", "is required"),
    ("{chain: [{name: a}]}", "spec.chain[0].policy", "is required"),
    ("{chain: [{name: A, policy: core-policy}]}", "spec.chain[0].name", "lower-case letters"),
    ("{chain: [{name: a, policy: core-polcy}]}", "spec.chain[0].policy", 'did you mean "core-policy"?'),
    ("{chain: [{name: a, policy: pii-detector}]}", "spec.chain[0].policy", 'unknown policy "pii-detector"'),
    ("{chain: [{name: a, policy: corePolicy}]}", "spec.chain[0].policy", 'did you mean "core-policy"?'),
    (f"{{chain: [{STEP}, {STEP}]}}", "spec.chain[1].name", 'the name "a" is already taken by chain[0]'),
    (
        f"{{chain: [{STEP}], tests: [{TEST}, {TEST}]}}",
        "spec.tests[1].name",
        'the name "one" is already taken by tests[0]',
    ),
    (
        f"{{chain: [{STEP}], selector: {{podSelector: {{matchLabels: {{}}}}}}}}",
        "spec.selector.podSelector.matchLabels",
        "is too short: at least 1 entry",
    ),
    (
        f"{{chain: [{STEP}], selector: {{podSelector: {{matchLabels: {{app: }}}}}}}}",
        "spec.selector.podSelector.matchLabels.app",
        "is nothing; expected text",
    ),
    (
        f"{{chain: [{STEP}], selector: {{podSelector: {{matchExpressions: [{{key: a, operator: []}}]}}}}}}",
        "spec.selector.podSelector.matchExpressions[0].operator",
        "is a list; expected In, NotIn, Exists or DoesNotExist",
    ),
    (
        "{chain: [{name: a, policy: core-policy, auditLogger: {}}]}",
        "spec.chain[0].auditLogger",
        "may only be given with policy audit-logger",
    ),
    (
        "{chain: [{name: a, policy: system-prompt-guard}]}",
        "spec.chain[0].systemPromptGuard",
        "is required with policy system-prompt-guard",
    ),
    (
        "{chain: [{name: a, policy: system-prompt-guard, systemPromptGuard: {}}]}",
        "spec.chain[0].systemPromptGuard.requiredPrefix",
        "is required",
    ),
    ("{chain: [{name: a, policy: core-policy, action: Redact}]}", "spec.chain[0].action", "expected Block or Flag"),
    (
        "{chain: [{name: a, policy: core-policy, onStream: HoldBack}]}",
        "spec.chain[0].onStream",
        "Cut, Buffer or Reject",
    ),
    ("{chain: [{name: a, policy: core-policy, phases: []}]}", "spec.chain[0].phases", "at least 1 entry"),
    (
        "{chain: [{name: a, policy: prompt-injection, promptInjection: {threshold: 0.8}}]}",
        "spec.chain[0].promptInjection.threshold",
        'put it in quotes, "0.8"',
    ),
    (
        '{chain: [{name: a, policy: prompt-injection, promptInjection: {threshold: "1.1"}}]}',
        "spec.chain[0].promptInjection.threshold",
        "expected a number from 0 to 1",
    ),
    (
        "{chain: [{name: a, policy: prompt-injection, promptInjection: {attack_patterns: [x]}}]}",
        "spec.chain[0].promptInjection.attack_patterns",
        'did you mean "attackPatterns"?',
    ),
    (
        "{chain: [{name: a, policy: audit-logger, auditLogger: {contentCapture: Full}}]}",
        "spec.chain[0].auditLogger.contentCapture",
        'is "Full"; expected None',
    ),
    (
        "{chain: [{name: a, policy: audit-logger, auditLogger: {sinks: []}}]}",
        "spec.chain[0].auditLogger.sinks",
        "unknown field",
    ),
    (
        "{chain: [{name: a, policy: safety-filter, safetyFilter: {categories: []}}]}",
        "spec.chain[0].safetyFilter.categories",
        "at least 1 entry",
    ),
    ("{routing: {}}", "spec.routing.targets", "is required"),
    ("{routing: {targets: []}}", "spec.routing.targets", "at least 1 entry"),
    ("{routing: {targets: [{name: a}, {name: a}]}}", "spec.routing.targets[1].name", "already taken"),
    ("{routing: {targets: [{name: a}], retry: {maxRetries: 11}}}", "spec.routing.retry.maxRetries", "at most 10"),
    (
        f"{{chain: [{STEP}], selector: {{podSelector: {{app: x}}}}}}",
        "spec.selector.podSelector.app",
        "the fields here are matchLabels, matchExpressions",
    ),
    (
        "{selector: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}}",
        "spec.selector.podSelector.matchExpressions[0].values",
        "may not be given with operator Exists",
    ),
    (
        f"{{chain: [{STEP}], selector: {{podSelector: {{matchLabels: {{app: 5}}}}}}}}",
        "spec.selector.podSelector.matchLabels.app",
        'put it in quotes, "5"',
    ),
    (
        f"{{chain: [{STEP}], tests: [{{name: t, request: {{}}, expect: {{action: Allow}}}}]}}",
        "spec.tests[0].request.user",
        "one of user, system, assistant or body is required",
    ),
    (
        f"{{chain: [{STEP}], tests: [{{name: t, request: {{user: a, body: {{}}}}, expect: {{action: Allow}}}}]}}",
        "spec.tests[0].request.user",
        "may not be given beside body",
    ),
    (
        f"{{chain: [{STEP}], tests: [{{name: t, request: {{user: a}}, response: {{}}, expect: {{action: Allow}}}}]}}",
        "spec.tests[0].response.content",
        "one of content, reasoning or toolArguments",
    ),
    (
        '{tests: [{name: t, request: {body: {m: [{"false": 1}]}}, expect: {action: Allow}}]}',
        "spec.tests[0].request.body.m[0].false",
        "quote it",
    ),
]

TARGETS = [
    (f"{{provider: [], {KEY}}}", "spec.provider", "is a list; expected text"),
    ("{provider: {}}", "spec.provider", "is a mapping; expected text"),
    (f"{{provider: xia, {KEY}}}", "spec.provider", 'did you mean "xai"?'),
    (f"{{provider: openai:chat:gpt, {KEY}}}", "spec.provider", "expected xai, openai, openai-compatible"),
    ("{provider: xai}", "spec.secretKeyRef", "is required unless provider is openai-compatible"),
    ("{provider: xai, secretKeyRef: {}}", "spec.secretKeyRef", "exactly one form is required"),
    ("{provider: xai, secretKeyRef: {name: a}}", "spec.secretKeyRef", "exactly one form is required"),
    ("{provider: xai, secretKeyRef: {name: a, key: b, env: C}}", "spec.secretKeyRef", "exactly one form is required"),
    ("{provider: xai, secretKeyRef: {env: A, file: b}}", "spec.secretKeyRef", "exactly one form is required"),
    ("{provider: openai-compatible}", "spec.baseURL", "is required with provider openai-compatible"),
    (f'{{provider: xai, {KEY}, baseURL: "http://api.x.ai/v1"}}', "spec.baseURL", "must be https"),
    (f'{{provider: xai, {KEY}, baseURL: "http://localhost.evil/v1"}}', "spec.baseURL", "must be https"),
    (f'{{provider: xai, {KEY}, baseURL: "https://a:b@api.x.ai"}}', "spec.baseURL", "without user"),
    (f'{{provider: xai, {KEY}, baseURL: "https://api.x.ai/v1?key=1"}}', "spec.baseURL", "without user, query"),
    (f"{{provider: xai, {KEY}, baseUrl: x}}", "spec.baseUrl", 'did you mean "baseURL"?'),
    (f"{{provider: xai:chat:grok-4.3, model: grok-3, {KEY}}}", "spec.model", "contradicts the model"),
    (f"{{provider: xai, {KEY}, timeouts: {{connect: 0s}}}}", "spec.timeouts.connect", "at least 1ms"),
    (f"{{provider: xai, {KEY}, timeouts: {{connect: 25h}}}}", "spec.timeouts.connect", "at most 24h"),
    (f"{{provider: xai, {KEY}, timeouts: {{connect: 5 s}}}}", "spec.timeouts.connect", "a duration such as 500ms"),
    (f"{{provider: xai, {KEY}, timeouts: {{connect: 5}}}}", "spec.timeouts.connect", "is the number 5; expected text"),
    (f"{{provider: xai, {KEY}, pricing: {{inputPerMillion: 1.25}}}}", "spec.pricing.inputPerMillion", "in quotes"),
    (
        f'{{provider: xai, {KEY}, pricing: {{inputPerMillion: "0.00005"}}}}',
        "spec.pricing.inputPerMillion",
        "at most four decimals",
    ),
    (f"{{provider: xai, {KEY}, pricing: {{source: Table}}}}", "spec.pricing.outputPerMillion", "with source Table"),
    (f"{{provider: xai, {KEY}, format: xai}}", "spec.format", 'is "xai"; expected openai'),
    (f"{{provider: xai, {KEY}, allowedNamespaces: {{selector: {{}}}}}}", "spec.allowedNamespaces.selector", "only be"),
    (
        f"{{provider: xai, {KEY}, allowedNamespaces: {{from: Selector}}}}",
        "spec.allowedNamespaces.selector",
        "is required with from Selector",
    ),
    (f'{{provider: xai, {KEY}, proxyURL: "http://u:p@proxy"}}', "spec.proxyURL", "without user or path"),
    (f"{{provider: xai, {KEY}, weight: -1}}", "spec.weight", "at least 0"),
]


@pytest.mark.parametrize(("spec", "path", "message"), PACKS)
def test_a_wrong_pack_is_refused_at_its_place(spec, path, message):
    """The author mends what the message names, without reading the schema."""
    assert message in found(pack_text(spec))[path]


@pytest.mark.parametrize(("spec", "path", "message"), TARGETS)
def test_a_wrong_target_is_refused_at_its_place(spec, path, message):
    """The author mends what the message names, without reading the schema."""
    assert message in found(target_text(spec))[path]


@pytest.mark.parametrize(
    "spec",
    [
        f"{{provider: xai, {KEY}}}",
        f"{{provider: xai:chat:grok-4.3, model: grok-4.3, {KEY}}}",
        f'{{provider: xai, {KEY}, baseURL: "http://127.0.0.1:41010/v1"}}',
        f'{{provider: xai, {KEY}, baseURL: "http://localhost/v1"}}',
        f'{{provider: xai, {KEY}, baseURL: "http://[::1]:80"}}',
        f'{{provider: xai, {KEY}, baseURL: "http://grok.corp", insecure: true}}',
        '{provider: openai-compatible, baseURL: "https://llm.corp/v1"}',
        "{provider: openai, secretKeyRef: {name: a, key: b}}",
        "{provider: openai, secretKeyRef: {file: /run/key}, model: null, timeouts: null}",
        f"{{provider: xai, {KEY}, allowedNamespaces: {{from: Selector, selector: {{}}}}}}",
    ],
)
def test_a_near_miss_among_targets_is_accepted(spec):
    """Each stands next to a refusal above and must not be caught with it."""
    assert found(target_text(spec)) == {}


def test_every_mistake_is_reported_at_once():
    """One run per mistake is how people learn to hate a validator."""
    text = pack_text(
        "{mode: x, chain: [{name: a, policy: core-policy, auditLogger: {}}, {name: a, policy: nope}], tests: 5}"
    )
    assert set(found(text)) == {
        "spec.mode",
        "spec.chain[0].auditLogger",
        "spec.chain[1].policy",
        "spec.chain[1].name",
        "spec.tests",
    }


def test_a_problem_names_file_line_and_resource():
    """An editor can jump there."""
    text = """
apiVersion: grokwarden.io/v1alpha1
kind: PolicyPack
metadata: {name: gateway, namespace: shop}
spec:
  chain:
    - name: core
      polcy: core-policy
"""
    _, problems = validated(documents(text, file="packs/shop.yaml")[0])
    assert [str(problem) for problem in problems] == [
        "packs/shop.yaml:6: PolicyPack shop/gateway spec.chain[0].policy: is required",
        'packs/shop.yaml:7: PolicyPack shop/gateway spec.chain[0].polcy: unknown field; did you mean "policy"?',
    ]


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        ({}, "apiVersion", "is missing; expected grokwarden.io/v1alpha1"),
        ({"apiVersion": "grokwarden.io/v1", "kind": "PolicyPack"}, "apiVersion", "expected grokwarden.io/v1alpha1"),
        ({"apiVersion": "grokwarden.io/v1alpha1"}, "kind", "expected PolicyPack or ProviderTarget"),
        ({"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPac"}, "kind", 'did you mean "PolicyPack"?'),
        ({"apiVersion": "grokwarden.io/v1alpha1", "kind": ["PolicyPack"]}, "kind", "expected PolicyPack"),
        ({"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPack"}, "metadata", "is required"),
        ({"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPack"}, "spec", "is required"),
        (
            {"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPack", "metadata": {}},
            "metadata.name",
            "is required",
        ),
    ],
)
def test_a_document_that_is_no_resource_says_so(content, path, message):
    """Whatever stands in a file, the reader is told what was expected."""
    resource, problems = validated(Document(content=content))
    assert resource is None
    assert any(problem.path == path and message in problem.message for problem in problems)


def test_what_a_cluster_adds_is_no_mistake():
    """`kubectl get -o yaml` gives files that must be readable again, whatever the status says."""
    text = """
apiVersion: grokwarden.io/v1alpha1
kind: PolicyPack
metadata:
  name: gateway
  namespace: shop
  uid: 7d2c
  generation: 7
  resourceVersion: "12"
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{manager: kubectl}]
spec: {chain: [{name: core, policy: core-policy}]}
status: {somethingNewer: 1}
"""
    resource, problems = validated(documents(text)[0])
    assert problems == ()
    assert isinstance(resource, PolicyPack)
    assert (resource.metadata.uid, resource.metadata.generation) == ("7d2c", 7)


@pytest.mark.parametrize("secret", ["https://user:hunter2@api.x.ai/v1", "ftp://hunter2"])
def test_a_refused_address_is_not_repeated(secret):
    """An address may carry a password, and errors end up in logs and in status."""
    assert "hunter2" not in str(found(target_text(f'{{provider: xai, {KEY}, baseURL: "{secret}"}}')))


def test_a_free_body_keeps_what_it_holds():
    """A test's body is the author's request, to the last unknown field."""
    body = '{model: grok-4.3, "n": 1, messages: [{role: user, content: "hi", extra: {deep: [1, true]}}]}'
    text = pack_text(f"{{chain: [{STEP}], tests: [{{name: t, request: {{body: {body}}}, expect: {{action: Allow}}}}]}}")
    resource, _ = validated(documents(text)[0])
    assert isinstance(resource, PolicyPack)
    held = resource.spec.tests[0].request.body
    assert held is not None
    assert held["n"] == 1
    assert held["messages"][0]["extra"] == {"deep": [1, True]}
