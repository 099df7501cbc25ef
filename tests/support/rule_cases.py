"""One case for each rule of the CRDs: a spec that breaks this rule alone, and one beside it that is fine."""

from dataclasses import dataclass

import yaml

from resource_texts import pack_text, target_text

KEY = "provider: xai, secretKeyRef: {name: xai-key, key: XAI_API_KEY}"
STEP = "{name: core, policy: core-policy}"
SELECTOR = "{matchExpressions: [%s]}"


@dataclass(frozen=True, kw_only=True)
class RuleCase:
    """A rule, broken and kept.

    Attributes:
        rule: Kind and place of the object that carries it, then the member that it blames.
        at: The field path that the API server names.
        message: What it says there, as far as it doesn't follow from the value.
        broken: A spec that breaks this rule and no other.
        kept: One as near to it as possible, which is valid.
    """

    rule: str
    at: str
    message: str
    broken: str
    kept: str

    @property
    def kind(self) -> str:
        return self.rule.partition(".")[0]

    def text(self, spec: str) -> str:
        """The resource with that spec."""
        return pack_text(spec) if self.kind == "PolicyPack" else target_text(spec)

    def document(self, spec: str) -> dict[str, object]:
        return yaml.safe_load(self.text(spec))


def step(text: str) -> str:
    """A pack with one step."""
    return f"{{chain: [{{name: one, {text}}}]}}"


def pack_with_test(text: str) -> str:
    """A pack that carries one test."""
    return f"{{chain: [{STEP}], tests: [{{name: one, expect: {{action: Allow}}, {text}}}]}}"


def target(text: str) -> str:
    """A target with a key, and this."""
    return f"{{{KEY}, {text}}}"


def _labels(place: str, template: str) -> RuleCase:
    """The server would drop a label without a value, and the selector would select more."""
    kind, _, path = place.partition(".")
    return RuleCase(
        rule=f"{kind}.{path}.matchLabels",
        at=f"{path}.matchLabels",
        message='a label has no value; write the value, or "" for the empty one',
        broken=template % "matchLabels: {app: , tier: a}",
        kept=template % 'matchLabels: {app: "", tier: a}',
    )


def _expressions(member: str) -> RuleCase:
    return RuleCase(
        rule=f"PolicyPack.spec.selector.{member}.matchExpressions[].values",
        at=f"spec.selector.{member}.matchExpressions[0].values",
        message="is required with operator In or NotIn, and may not be given with Exists or DoesNotExist",
        broken=f"{{chain: [{STEP}], selector: {{{member}: {SELECTOR % '{key: app, operator: In}'}}}}}",
        kept=f"{{chain: [{STEP}], selector: {{{member}: {SELECTOR % '{key: app, operator: In, values: [bot]}'}}}}}",
    )


def _only_for(block: str, policy: str, other: str, needed: str = "") -> RuleCase:
    return RuleCase(
        rule=f"PolicyPack.spec.chain[].{block}",
        at=f"spec.chain[0].{block}",
        message=f"may only be given with policy {policy}",
        broken=step(f"policy: {other}, {block}: {{{needed}}}"),
        kept=step(f"policy: {policy}, {block}: {{{needed}}}"),
    )


def _duration(block: str, field: str) -> RuleCase:
    return RuleCase(
        rule=f"ProviderTarget.spec.{block}.{field}",
        at=f"spec.{block}.{field}",
        message="must be at least 1ms and at most 24h",
        broken=target(f"{block}: {{{field}: 24h1s}}"),
        kept=target(f"{block}: {{{field}: 24h}}"),
    )


def _price(field: str, other: str) -> RuleCase:
    return RuleCase(
        rule=f"ProviderTarget.spec.pricing.{field}",
        at=f"spec.pricing.{field}",
        message="is required with source Table",
        broken=target(f'pricing: {{source: Table, {other}: "1"}}'),
        kept=target(f'pricing: {{source: Table, {other}: "1", {field}: "1"}}'),
    )


CASES = (
    RuleCase(
        rule="PolicyPack.spec.chain",
        at="spec.chain",
        message="a pack needs a chain or a routing",
        broken="{version: 1.0.0, chain: []}",
        kept="{version: 1.0.0, chain: [], routing: {targets: [{name: xai-grok}]}}",
    ),
    RuleCase(
        rule="PolicyPack.spec.chain",
        at="spec.chain",
        message="names must be unique",
        broken=f"{{chain: [{STEP}, {STEP}]}}",
        kept=f"{{chain: [{STEP}, {STEP.replace('name: core', 'name: core2')}]}}",
    ),
    _labels("PolicyPack.spec.selector.podSelector", f"{{chain: [{STEP}], selector: {{podSelector: {{%s}}}}}}"),
    _labels(
        "PolicyPack.spec.selector.namespaceSelector", f"{{chain: [{STEP}], selector: {{namespaceSelector: {{%s}}}}}}"
    ),
    _expressions("podSelector"),
    _expressions("namespaceSelector"),
    _only_for("corePolicy", "core-policy", "safety-filter"),
    _only_for("promptInjection", "prompt-injection", "core-policy"),
    _only_for("safetyFilter", "safety-filter", "core-policy"),
    _only_for("systemPromptGuard", "system-prompt-guard", "core-policy", "requiredPrefix: Hello"),
    _only_for("auditLogger", "audit-logger", "core-policy"),
    RuleCase(
        rule="PolicyPack.spec.chain[].systemPromptGuard",
        at="spec.chain[0].systemPromptGuard",
        message="is required with policy system-prompt-guard",
        broken=step("policy: system-prompt-guard"),
        kept=step("policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: Hello}"),
    ),
    RuleCase(
        rule="PolicyPack.spec.routing.targets",
        at="spec.routing.targets",
        message="names must be unique",
        broken="{routing: {targets: [{name: a}, {name: a}]}}",
        kept="{routing: {targets: [{name: a}, {name: b}]}}",
    ),
    RuleCase(
        rule="PolicyPack.spec.tests[].request.body",
        at="spec.tests[0].request.body",
        message="may not be given beside user, system, assistant or model: it is the whole request",
        broken=pack_with_test("request: {body: {messages: []}, model: grok-4}"),
        kept=pack_with_test("request: {body: {messages: [], model: grok-4}}"),
    ),
    RuleCase(
        rule="PolicyPack.spec.tests[].request.user",
        at="spec.tests[0].request.user",
        message="one of user, system, assistant or body is required",
        broken=pack_with_test("request: {model: grok-4}"),
        kept=pack_with_test("request: {model: grok-4, assistant: Hello}"),
    ),
    RuleCase(
        rule="PolicyPack.spec.tests[].response.content",
        at="spec.tests[0].response.content",
        message="one of content, reasoning or toolArguments is required",
        broken=pack_with_test("request: {user: Hello}, response: {}"),
        kept=pack_with_test("request: {user: Hello}, response: {reasoning: Hm}"),
    ),
    RuleCase(
        rule="ProviderTarget.spec.secretKeyRef",
        at="spec.secretKeyRef",
        message="exactly one form is required: name and key, or env, or file",
        broken="{provider: xai, secretKeyRef: {name: xai-key, key: XAI_API_KEY, env: XAI_API_KEY}}",
        kept="{provider: xai, secretKeyRef: {env: XAI_API_KEY}}",
    ),
    RuleCase(
        rule="ProviderTarget.spec.secretKeyRef",
        at="spec.secretKeyRef",
        message="is required unless provider is openai-compatible",
        broken="{provider: openai}",
        kept="{provider: openai-compatible, baseURL: https://models.example.com/v1}",
    ),
    RuleCase(
        rule="ProviderTarget.spec.baseURL",
        at="spec.baseURL",
        message="is required with provider openai-compatible",
        broken="{provider: openai-compatible}",
        kept="{provider: openai-compatible, baseURL: http://127.0.0.1:8080/v1}",
    ),
    RuleCase(
        rule="ProviderTarget.spec.baseURL",
        at="spec.baseURL",
        message=(
            "must be https: over http the key and every prompt are readable on the way; insecure: true accepts that"
        ),
        broken=target("baseURL: http://127.0.0.1.example.com/v1"),
        kept=target("baseURL: http://127.0.0.1.example.com/v1, insecure: true"),
    ),
    RuleCase(
        rule="ProviderTarget.spec.model",
        at="spec.model",
        message="contradicts the model that provider names; give one of the two",
        broken="{provider: 'xai:chat:grok-4.3', model: grok-4, secretKeyRef: {env: XAI_API_KEY}}",
        kept="{provider: 'xai:chat:grok-4.3', model: grok-4.3, secretKeyRef: {env: XAI_API_KEY}}",
    ),
    *(_duration("timeouts", field) for field in ("connect", "firstByte", "streamIdle", "total")),
    *(_duration("circuitBreaker", field) for field in ("window", "cooldown")),
    _price("inputPerMillion", "outputPerMillion"),
    _price("outputPerMillion", "inputPerMillion"),
    RuleCase(
        rule="ProviderTarget.spec.allowedNamespaces.selector",
        at="spec.allowedNamespaces.selector",
        message="may only be given with from Selector",
        broken=target("allowedNamespaces: {from: All, selector: {}}"),
        kept=target("allowedNamespaces: {from: Selector, selector: {}}"),
    ),
    RuleCase(
        rule="ProviderTarget.spec.allowedNamespaces.selector",
        at="spec.allowedNamespaces.selector",
        message="is required with from Selector",
        broken=target("allowedNamespaces: {from: Selector}"),
        kept=target("allowedNamespaces: {from: All}"),
    ),
    _labels(
        "ProviderTarget.spec.allowedNamespaces.selector",
        target("allowedNamespaces: {from: Selector, selector: {%s}}"),
    ),
    RuleCase(
        rule="ProviderTarget.spec.allowedNamespaces.selector.matchExpressions[].values",
        at="spec.allowedNamespaces.selector.matchExpressions[0].values",
        message="is required with operator In or NotIn, and may not be given with Exists or DoesNotExist",
        broken=target(
            f"allowedNamespaces: {{from: Selector, selector: {SELECTOR % '{key: a, operator: Exists, values: [b]}'}}}"
        ),
        kept=target(f"allowedNamespaces: {{from: Selector, selector: {SELECTOR % '{key: a, operator: Exists}'}}}"),
    ),
)
