"""Targets: what a reference may reach, and what a target is once nothing is left to look up."""

import pytest

from grokwarden.bundle import CircuitBreaker, KeySource, Pricing, Retry, Routing, TargetPart, Timeouts
from grokwarden.compiler import Scope
from resource_texts import ALONE, TARGET, compiled, pack_text, problems_of, target_text

CLUSTER = Scope(namespace="shop", pod_labels={}, namespace_labels={"team": "a"})
ROOT = "grokwarden-system"
CHAIN = "chain: [{name: core, policy: core-policy}]"
ROUTED = "{routing: {targets: [{name: xai-grok}]}}"
SECRET = "secretKeyRef: {name: xai-key, key: XAI_API_KEY}"
KEY = "secretKeyRef: {env: K}"


def target_of(spec: str, scope: Scope = ALONE) -> TargetPart:
    return compiled(target_text(spec), pack_text(ROUTED), scope=scope).bundle.targets[0]


def test_a_target_is_resolved():
    """Durations in milliseconds, prices in ticks, the address of the provider."""
    prices = '{inputPerMillion: "1.25", cachedInputPerMillion: "0.20", outputPerMillion: "2.50"}'
    part = target_of(f"{{provider: xai, {KEY}, pricing: {prices}, timeouts: {{connect: 250ms}}}}")
    assert part.base_url == "https://api.x.ai/v1"
    assert part.model is None
    assert part.key == KeySource(env="K")
    assert part.timeouts == Timeouts(connect_ms=250, first_byte_ms=600_000, stream_idle_ms=600_000, total_ms=1_620_000)
    assert part.circuit_breaker == CircuitBreaker(failures=5, window_ms=30_000, cooldown_ms=15_000)
    assert part.pricing == Pricing(source="Provider", input_ticks=12_500, cached_input_ticks=2_000, output_ticks=25_000)


@pytest.mark.parametrize(
    ("spec", "provider", "model", "url"),
    [
        (f"{{provider: xai:chat:grok-4.3, {KEY}}}", "xai", "grok-4.3", "https://api.x.ai/v1"),
        (f"{{provider: xai, model: grok-4.3, {KEY}}}", "xai", "grok-4.3", "https://api.x.ai/v1"),
        (f"{{provider: openai, {KEY}}}", "openai", None, "https://api.openai.com/v1"),
        ('{provider: openai-compatible, baseURL: "https://a.b/v1/"}', "openai-compatible", None, "https://a.b/v1"),
    ],
)
def test_provider_model_and_address(spec, provider, model, url):
    """The shorthand is the same as its two halves."""
    part = target_of(spec)
    assert (part.provider, part.model, part.base_url) == (provider, model, url)


def test_in_a_cluster_the_key_is_in_a_secret_of_the_targets_namespace():
    """The pack's namespace must not lend its Secrets to a target of another."""
    assert target_of(f"{{provider: xai, {SECRET}}}", CLUSTER).key == KeySource(secret="shop/xai-key/XAI_API_KEY")


@pytest.mark.parametrize(
    ("ref", "scope", "path", "message"),
    [
        (SECRET, ALONE, "name", "there are no Secrets to read standalone; write secretKeyRef: {env: XAI_API_KEY}"),
        ("secretKeyRef: {env: K}", CLUSTER, "env", "env is for standalone use"),
        ("secretKeyRef: {file: k}", CLUSTER, "file", "write secretKeyRef: {name: secret, key: entry}"),
    ],
)
def test_a_key_is_named_in_the_form_of_the_place(ref, scope, path, message):
    """A key that can't be found would only be noticed by the first call."""
    (problem,) = problems_of(target_text(f"{{provider: xai, {ref}}}"), pack_text(ROUTED), scope=scope)
    assert problem.path == f"spec.secretKeyRef.{path}"
    assert message in problem.message


def test_only_referenced_targets_are_in_the_bundle():
    """A sidecar gets no key that it does not need."""
    other = target_text(f"{{provider: xai, {SECRET}}}", name="other")
    assert [part.name for part in compiled(TARGET, other, pack_text(ROUTED)).bundle.targets] == ["default/xai-grok"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xai-grk", 'there is no ProviderTarget default/xai-grk; did you mean "xai-grok"?'),
        ("zzz", "there is no ProviderTarget default/zzz; there are xai-grok"),
    ],
)
def test_an_unknown_target_is_named_with_the_nearest(name, message):
    """A typo in a route is found before a call is lost."""
    (problem,) = problems_of(TARGET, pack_text(f"{{routing: {{targets: [{{name: {name}}}]}}}}"))
    assert (problem.path, problem.message) == ("spec.routing.targets[0].name", message)


def test_a_target_elsewhere_is_pointed_at():
    """The most likely mistake with a shared target is to forget its namespace."""
    shared = target_text(f"{{provider: xai, {SECRET}}}", namespace=ROOT)
    (problem,) = problems_of(shared, pack_text(ROUTED), scope=CLUSTER)
    assert f"there is one in {ROOT}: set namespace: {ROOT}" in problem.message


@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [
        ("{from: Same}", False),
        ("{from: All}", True),
        ("{from: Selector, selector: {matchLabels: {team: a}}}", True),
        ("{from: Selector, selector: {matchLabels: {team: b}}}", False),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", True),
        ("{from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}", False),
    ],
)
def test_a_shared_target_allows_namespaces(allowed, is_allowed):
    """Its owner pays for the key and decides who spends."""
    shared = target_text(f"{{provider: xai, {SECRET}, allowedNamespaces: {allowed}}}", namespace=ROOT)
    pack = pack_text(f"{{routing: {{targets: [{{name: xai-grok, namespace: {ROOT}}}]}}}}")
    found = problems_of(shared, pack, scope=CLUSTER)
    assert [problem.path for problem in found] == ([] if is_allowed else ["spec.routing.targets[0].namespace"])


def test_routing_is_resolved():
    """Targets by full name, retries in one order, so that equal packs are equal bytes."""
    retry = "{maxRetries: 2, retryOn: [Timeout, Connect]}"
    pack = pack_text(f"{{routing: {{strategy: Weighted, targets: [{{name: xai-grok}}], retry: {retry}}}}}")
    assert compiled(TARGET, pack).bundle.packs[0].routing == Routing(
        strategy="Weighted",
        targets=("default/xai-grok",),
        retry=Retry(max_retries=2, retry_on=("Connect", "Timeout")),
    )


def test_the_only_target_needs_no_routing():
    """The shortest useful configuration is a chain and a target."""
    bundle = compiled(TARGET, pack_text(f"{{{CHAIN}}}", name="b"), pack_text(f"{{{CHAIN}}}", name="a")).bundle
    assert [pack.routing and pack.routing.targets for pack in bundle.packs] == [("default/xai-grok",), None]


@pytest.mark.parametrize(
    ("targets", "message"),
    [([], "has no ProviderTarget"), ([TARGET, target_text(f"{{provider: xai, {KEY}}}", name="b")], "has 2 ProviderT")],
)
def test_a_route_that_must_be_guessed_is_an_error(targets, message):
    """Which of two keys pays is not for a proxy to guess."""
    (problem,) = problems_of(*targets, pack_text(f"{{{CHAIN}}}"))
    assert problem.path == "spec.routing"
    assert message in problem.message


def test_a_broken_target_is_reported_once():
    """A reference to it is right; only the target itself is wrong."""
    found = problems_of(target_text("{provider: xai}"), pack_text(ROUTED))
    assert [problem.path for problem in found] == ["spec.secretKeyRef"]


def test_certificates_are_read_when_they_are_applied():
    """Otherwise the first call would find out."""
    target = target_text(f"{{provider: xai, {KEY}, caBundle: nonsense}}")
    assert [problem.path for problem in problems_of(target, pack_text(ROUTED))] == ["spec.caBundle"]


def test_a_second_routing_is_worth_a_warning():
    """Its author would wait for calls that never come."""
    first, second = pack_text(ROUTED, name="a"), pack_text(ROUTED, name="b")
    (warning,) = compiled(TARGET, first, second).warnings
    assert warning.resource == "PolicyPack default/b"
    assert "the routing of default/a comes first" in warning.message
