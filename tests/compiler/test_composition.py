"""Which packs govern a pod and in which order, and in whose namespace."""

import pytest

from grokwarden.compiler import Scope
from grokwarden.vocabulary import Tier
from resource_texts import ALONE, TARGET, compiled, pack_text, problems_of, target_text

CHAIN = "chain: [{name: core, policy: core-policy}]"
ROOT = "grokwarden-system"
SHOP = Scope(namespace="shop", standalone=True, pod_labels={"app": "bot"}, namespace_labels={"team": "a"})


def order_of(*texts: str, scope: Scope = SHOP) -> list[str]:
    return [ref.name for ref in compiled(TARGET, *texts, scope=scope).bundle.manifest.packs]


@pytest.mark.parametrize(
    ("packs", "order"),
    [
        ([("b", "shop", 0), ("a", "shop", 0)], ["shop/a", "shop/b"]),
        ([("a", "shop", 1), ("b", "shop", 2)], ["shop/b", "shop/a"]),
        ([("a", "shop", -1), ("b", "shop", 0)], ["shop/b", "shop/a"]),
        ([("a", "shop", 1000000), ("z", ROOT, -5)], [f"{ROOT}/z", "shop/a"]),
        ([("z", ROOT, 0), ("y", ROOT, 7), ("x", "shop", 9)], [f"{ROOT}/y", f"{ROOT}/z", "shop/x"]),
        ([("a", "shop", 0), ("b", "billing", 9)], ["shop/a"]),
    ],
)
def test_root_first_then_priority_then_name(packs, order):
    """Nobody's priority reorders the root tier, or reaches into another namespace."""
    texts = [pack_text(f"{{{CHAIN}, priority: {p}}}", name=name, namespace=space) for name, space, p in packs]
    assert order_of(*texts) == order


def test_the_manifest_names_the_tier():
    """The sidecar must know whose steps can't be weakened."""
    texts = [pack_text(f"{{{CHAIN}}}", name="r", namespace=ROOT), pack_text(f"{{{CHAIN}}}", name="s")]
    tiers = [ref.tier for ref in compiled(TARGET, *texts, scope=SHOP).bundle.manifest.packs]
    assert tiers == [Tier.ROOT, Tier.NAMESPACE]


def test_a_disabled_pack_is_left_out_and_still_checked():
    """Enabling it later must hold no surprise."""
    on, off = pack_text(f"{{{CHAIN}}}", name="on"), pack_text(f"{{{CHAIN}, enabled: false}}", name="off")
    assert order_of(on, off) == ["shop/on"]
    broken = pack_text("{enabled: false, chain: [{name: a, policy: core-policy, action: Block}]}", name="off")
    assert [p.path for p in problems_of(TARGET, on, broken)] == ["spec.chain[0].action"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("{podSelector: {}}", True),
        ("{podSelector: {matchLabels: {app: bot}}}", True),
        ("{podSelector: {matchLabels: {app: bot, tier: x}}}", False),
        ("{podSelector: {matchExpressions: [{key: app, operator: In, values: [bot, cat]}]}}", True),
        ("{podSelector: {matchExpressions: [{key: app, operator: In, values: [cat]}]}}", False),
        ("{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [bot]}]}}", False),
        ("{podSelector: {matchExpressions: [{key: absent, operator: NotIn, values: [bot]}]}}", True),
        ("{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}", True),
        ("{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}", False),
        ("{podSelector: {matchLabels: {app: bot}, matchExpressions: [{key: x, operator: Exists}]}}", False),
        ("{}", True),
    ],
)
def test_a_selector_means_what_it_means_in_kubernetes(selector, selected):
    """The same YAML governs the same pods on a laptop and in a cluster."""
    always = pack_text(f"{{{CHAIN}}}", name="always")
    pack = pack_text(f"{{{CHAIN}, selector: {selector}}}", name="maybe")
    assert ("shop/maybe" in order_of(always, pack)) is selected


@pytest.mark.parametrize(
    ("labels", "selected"), [({"team": "a"}, True), ({"team": "b"}, False), ({}, False), (None, True)]
)
def test_a_root_pack_selects_namespaces(labels, selected):
    """Unknown labels exclude nothing: a policy must not vanish because something is not known."""
    scope = Scope(namespace="shop", standalone=True, pod_labels={}, namespace_labels=labels)
    root = pack_text(
        f"{{{CHAIN}, selector: {{namespaceSelector: {{matchLabels: {{team: a}}}}}}}}", name="r", namespace=ROOT
    )
    assert (f"{ROOT}/r" in order_of(root, pack_text(f"{{{CHAIN}}}"), scope=scope)) is selected


def test_a_namespace_knows_its_own_name():
    """The API server puts this label on every namespace, and selectors by name rely on it."""
    selector = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}"
    root = pack_text(f"{{{CHAIN}, selector: {selector}}}", name="r", namespace=ROOT)
    assert order_of(root) == [f"{ROOT}/r"]


def test_only_root_packs_select_namespaces():
    """Otherwise an application's pack would look as if it governed others."""
    pack = pack_text(f"{{{CHAIN}, selector: {{namespaceSelector: {{}}}}}}", namespace="shop")
    (problem,) = problems_of(TARGET, pack, scope=SHOP)
    assert problem.path == "spec.selector.namespaceSelector"
    assert "only packs of the operator's namespace (grokwarden-system)" in problem.message


def test_without_labels_every_pack_applies_and_a_warning_says_so():
    """A laptop has no pod labels; leaving packs out in silence would be a policy unenforced."""
    pack = pack_text(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: x}}}}}}}}")
    compilation = compiled(TARGET, pack)
    assert len(compilation.bundle.packs) == 1
    (warning,) = compilation.warnings
    assert (warning.path, warning.line) == ("spec.selector.podSelector", 9)
    assert "--pod-labels" in warning.message


@pytest.mark.parametrize(
    ("namespaces", "expected"), [([None], "default"), (["shop"], "shop"), (["shop", None], "shop")]
)
def test_the_namespace_is_the_only_one_there_is(namespaces, expected):
    """Files for one application need no flag."""
    texts = [pack_text(f"{{{CHAIN}}}", name=f"p{i}", namespace=space) for i, space in enumerate(namespaces)]
    assert {pack.name.split("/")[0] for pack in compiled(TARGET, *texts).bundle.packs} == {expected}


@pytest.mark.parametrize("namespaces", [["shop", "billing"], ["shop", ROOT], [ROOT, None]])
def test_several_namespaces_need_the_flag(namespaces):
    """Guessing would enforce somebody else's packs."""
    texts = [pack_text(f"{{{CHAIN}}}", name=f"p{i}", namespace=space) for i, space in enumerate(namespaces)]
    (problem,) = problems_of(*texts)
    assert "--namespace" in problem.message


def test_the_flag_places_what_names_no_namespace():
    """`--namespace` is the default of the resources, as it is with kubectl."""
    assert order_of(pack_text(f"{{{CHAIN}}}")) == ["shop/gateway"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "there is none among the resources"),
        ([pack_text(f"{{{CHAIN}, enabled: false}}")], "shop/gateway is not enabled"),
        ([pack_text(f"{{{CHAIN}}}", namespace="billing")], "governs namespace billing, not shop"),
        ([pack_text(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: x}}}}}}}}")], "does not select"),
    ],
)
def test_a_pod_that_nothing_governs_is_an_error_standalone(texts, message):
    """A proxy that was started to govern and governs nothing is worse than none."""
    (problem,) = problems_of(TARGET, *texts, scope=SHOP)
    assert problem.message.startswith("no PolicyPack applies")
    assert message in problem.message


def test_in_a_cluster_a_pod_may_be_governed_by_nothing():
    """The operator decides what that means for the pod; compiling it is no error."""
    target = target_text("{provider: openai-compatible, baseURL: 'https://a.b'}")
    assert compiled(target, scope=Scope()).bundle.packs == ()


def test_a_resource_defined_twice_names_both_places():
    """Which of two equal names wins would be chance."""
    pack = pack_text(f"{{{CHAIN}}}")
    (problem,) = problems_of(TARGET, pack, pack)
    assert problem.path == "metadata.name"
    assert problem.line == 13
    assert "is defined twice; the first one is in pack.yaml:8" in problem.message


def test_mode_weakens_and_never_strengthens():
    """A step can't enforce what its pack only watches, and is told so."""
    steps = "chain: [{name: a, policy: core-policy, mode: Enforce}, {name: b, policy: core-policy, mode: Shadow}]"
    watching = compiled(TARGET, pack_text(f"{{{steps}, mode: Shadow}}"))
    enforcing = compiled(TARGET, pack_text(f"{{{steps}}}"))
    assert [step.mode for step in watching.bundle.packs[0].steps] == ["Shadow", "Shadow"]
    assert [step.mode for step in enforcing.bundle.packs[0].steps] == ["Enforce", "Shadow"]
    assert [warning.path for warning in watching.warnings] == ["spec.chain[0].mode"]
    assert enforcing.warnings == ()


def test_everything_wrong_is_said_at_once():
    """Schema, policies, references and duplicates in one run, in the order of the lines."""
    found = problems_of(
        target_text("{provider: xia}", name="broken"),
        pack_text("{chain: [{name: a, policy: core-policy, action: Block}], routing: {targets: [{name: broken}]}}"),
        pack_text(f"{{{CHAIN}, routing: {{targets: [{{name: brken}}]}}}}", name="other"),
        pack_text(f"{{{CHAIN}, mod: Shadow}}", name="third"),
        scope=ALONE,
    )
    assert [problem.path for problem in found] == [
        "spec.provider",
        "spec.secretKeyRef",
        "spec.chain[0].action",
        "spec.routing.targets[0].name",
        "spec.mod",
    ]
