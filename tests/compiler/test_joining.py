"""Units put together for one pod: what governs it, where its calls go, and what of that can't be followed."""

from collections.abc import Mapping, Sequence

import pytest

from grokwarden.bundle import PartRef, Routing, decode_bundle, digest_of, encode_bundle
from grokwarden.compiler import (
    CompiledPack,
    Joined,
    RefReason,
    Scope,
    TargetsView,
    UnresolvedRef,
    compile_pack,
    compile_target,
    governs,
    join,
    resolve_routing,
)
from grokwarden.vocabulary import Tier
from resource_texts import documents, pack_text, target_text

ROOT = "grokwarden-system"
LABELS: Mapping[str, Mapping[str, str]] = {ROOT: {}, "shop": {"team": "a"}, "billing": {"team": "b"}}
CHAIN = "chain: [{name: core, policy: core-policy}]"
KEY = "secretKeyRef: {name: xai-key, key: XAI_API_KEY}"


def scope_of(namespace: str = "shop", **pod_labels: str) -> Scope:
    return Scope(namespace=namespace, pod_labels=pod_labels, labels_of=LABELS)


def packs_of(*texts: str) -> list[CompiledPack]:
    return [compile_pack(document, scope=Scope()) for document in documents(*texts)]


def view_of(*texts: str, unusable: Sequence[str] = ()) -> TargetsView:
    compiled = {t.name: t for t in (compile_target(document, scope=Scope()) for document in documents(*texts))}
    return TargetsView(compiled=compiled, names=dict.fromkeys([*compiled, *unusable]))


def target(name: str = "xai", namespace: str = "shop", allowed: str = "{from: Same}") -> str:
    return target_text(f"{{provider: xai, {KEY}, allowedNamespaces: {allowed}}}", name=name, namespace=namespace)


def routed(*references: str, name: str = "gateway", namespace: str = "shop") -> str:
    listed = ", ".join(f"{{{reference}}}" for reference in references)
    return pack_text(f"{{{CHAIN}, routing: {{targets: [{listed}]}}}}", name=name, namespace=namespace)


def resolved(pack: str, *targets: str, unusable: Sequence[str] = ()) -> tuple[Routing, Sequence[UnresolvedRef]]:
    routing, unresolved = resolve_routing(packs_of(pack)[0], view_of(*targets, unusable=unusable), scope=scope_of())
    assert routing is not None
    return routing, unresolved


def names_of(joined: Joined) -> list[str]:
    return [ref.name for ref in joined.bundle.manifest.packs]


@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [
        ("{from: All}", True),
        ("{from: Same}", False),
        ("{from: Selector, selector: {matchLabels: {team: a}}}", True),
        ("{from: Selector, selector: {matchLabels: {team: b}}}", False),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", True),
        ("{from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [b]}]}}", True),
        ("{from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}", False),
    ],
)
@pytest.mark.parametrize("home", [ROOT, "billing"])
def test_another_namespaces_target_has_to_allow_the_packs(home, allowed, is_allowed):
    """A key is lent by whoever keeps it, never taken."""
    routing, unresolved = resolved(routed(f"name: xai, namespace: {home}"), target(namespace=home, allowed=allowed))
    assert routing.targets == ((f"{home}/xai",) if is_allowed else ())
    assert [ref.reason for ref in unresolved] == ([] if is_allowed else [RefReason.TARGET_NOT_ALLOWED])


def test_the_packs_namespace_counts_and_not_the_pods():
    """A root pack brings its target along to every namespace; nobody has to open the key to all of them."""
    joined = join(packs_of(routed("name: xai", namespace=ROOT)), view_of(target(namespace=ROOT)), scope=scope_of())
    assert [part.name for part in joined.bundle.targets] == [f"{ROOT}/xai"]
    assert joined.unresolved == ()


def test_a_namespace_that_is_not_there_is_allowed_nothing():
    """Of a namespace whose event is still to come nothing is known, so a `NotIn` must not let it in."""
    allowed = "{from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [b]}]}}"
    pack = packs_of(routed(f"name: xai, namespace: {ROOT}", namespace="new"))[0]
    _, (ref,) = resolve_routing(pack, view_of(target(namespace=ROOT, allowed=allowed)), scope=scope_of("new"))
    assert ref.reason is RefReason.TARGET_NOT_ALLOWED


def test_what_is_left_of_a_routing_is_followed():
    """One missing fallback must not take the first target away."""
    routing, (ref,) = resolved(routed("name: first", "name: gone", "name: last"), target("first"), target("last"))
    assert routing.targets == ("shop/first", "shop/last")
    assert (ref.pack, ref.reason) == ("shop/gateway", RefReason.TARGET_NOT_FOUND)
    assert (ref.problem.path, ref.problem.resource) == ("spec.routing.targets[1].name", "PolicyPack shop/gateway")
    assert ref.problem.message == "there is no ProviderTarget shop/gone; there are first, last"


def test_a_routing_of_which_nothing_is_left_stays_one():
    """Else the only target of the namespace would be taken, which nobody said."""
    view = view_of(target("other"))
    joined = join(packs_of(routed("name: gone")), view, scope=scope_of())
    assert joined.bundle.packs[0].routing is not None
    assert joined.bundle.packs[0].routing.targets == ()
    assert joined.bundle.targets == ()
    assert [ref.reason for ref in joined.unresolved] == [RefReason.TARGET_NOT_FOUND]


def test_a_target_that_is_not_accepted_is_told_from_one_that_is_not_there():
    """Its author must look at the target, and not for it."""
    routing, (ref,) = resolved(routed("name: xai"), unusable=["shop/xai"])
    assert routing.targets == ()
    assert (ref.reason, ref.problem.path) == (RefReason.TARGET_NOT_ACCEPTED, "spec.routing.targets[0].name")
    assert "shop/xai can't be used: it is not accepted" in ref.problem.message


def test_messages_name_only_what_the_packs_namespace_may_use():
    """A status is read by the pack's author, who need not know what others have."""
    there = [target("secret-project", "billing"), target("open", "billing", "{from: All}"), target("xai", ROOT)]
    _, elsewhere = resolved(routed("name: xai, namespace: billing", "name: xia, namespace: shop"), *there)
    messages = " ".join(ref.problem.message for ref in elsewhere)
    assert "there are open" in messages
    assert "secret-project" not in messages
    _, (hidden,) = resolved(routed("name: x, namespace: billing"), target("secret-project", "billing"))
    assert hidden.problem.message.endswith("namespace billing has none that namespace shop may use")


def test_a_target_elsewhere_is_pointed_at_if_it_may_be_used():
    """To forget the namespace of a shared target is the likeliest mistake of all."""
    _, (offered,) = resolved(routed("name: xai"), target(namespace=ROOT, allowed="{from: All}"))
    assert f"there is one in {ROOT}: set namespace: {ROOT}" in offered.problem.message
    _, (kept,) = resolved(routed("name: xai"), target(namespace=ROOT))
    assert kept.problem.message == "there is no ProviderTarget shop/xai; namespace shop has none at all"


def test_the_root_routing_wins():
    """The first pack with a routing decides, and root packs are first; the other's author is told."""
    packs = packs_of(routed("name: own"), routed("name: xai", name="root", namespace=ROOT))
    joined = join(packs, view_of(target("own"), target(namespace=ROOT)), scope=scope_of())
    first = next(part.routing for part in joined.bundle.packs if part.routing)
    assert names_of(joined) == [f"{ROOT}/root", "shop/gateway"]
    assert first.targets == (f"{ROOT}/xai",)
    assert [warning.message for warning in joined.warnings] == [f"is not used: the routing of {ROOT}/root comes first"]


def test_without_a_routing_calls_go_to_the_only_target_of_the_pods_namespace():
    """The shortest useful configuration is a chain and a target, whatever other namespaces have."""
    packs = packs_of(pack_text(f"{{{CHAIN}}}", namespace="shop"))
    joined = join(packs, view_of(target(), target(namespace="billing", allowed="{from: All}")), scope=scope_of())
    assert [part.name for part in joined.bundle.targets] == ["shop/xai"]
    assert joined.unresolved == ()


def test_there_is_no_default_beside_a_routing():
    """Wherever in the order the routing stands: its author, and nobody else, says where calls go."""
    first = pack_text(f"{{{CHAIN}, priority: 5}}", name="first", namespace="shop")
    view = view_of(target("own"), target(namespace=ROOT, allowed="{from: All}"))
    joined = join(packs_of(first, routed(f"name: xai, namespace: {ROOT}")), view, scope=scope_of())
    assert [part.routing and part.routing.targets for part in joined.bundle.packs] == [None, (f"{ROOT}/xai",)]


def test_a_pack_of_the_pods_namespace_says_the_default_routing():
    """So a root pack is one part for all namespaces, and not another one in each."""
    texts = [pack_text(f"{{{CHAIN}}}", name=name, namespace=space) for name, space in (("r", ROOT), ("s", "shop"))]
    joined = join(packs_of(*texts), view_of(target()), scope=scope_of())
    assert [part.routing and part.routing.targets for part in joined.bundle.packs] == [None, ("shop/xai",)]


@pytest.mark.parametrize(
    ("targets", "unusable", "reason", "message"),
    [
        ([], [], RefReason.NO_TARGET, "has no ProviderTarget"),
        ([target(namespace="billing")], [], RefReason.NO_TARGET, "has no ProviderTarget"),
        ([target("a"), target("b")], [], RefReason.AMBIGUOUS_TARGET, "has 2 ProviderTargets (shop/a, shop/b)"),
        ([target("a")], ["shop/b"], RefReason.AMBIGUOUS_TARGET, "has 2 ProviderTargets (shop/a, shop/b)"),
        ([], ["shop/a"], RefReason.TARGET_NOT_ACCEPTED, "the only ProviderTarget of namespace shop, shop/a, can't"),
    ],
)
def test_a_route_that_must_be_guessed_is_none(targets, unusable, reason, message):
    """Which of two keys pays is not for a proxy to guess, also not while one of them is broken."""
    packs = packs_of(pack_text(f"{{{CHAIN}}}", namespace="shop"))
    joined = join(packs, view_of(*targets, unusable=unusable), scope=scope_of())
    (ref,) = joined.unresolved
    assert (ref.pack, ref.reason, ref.problem.path) == ("shop/gateway", reason, "spec.routing")
    assert message in ref.problem.message
    assert joined.bundle.packs[0].routing is None
    assert joined.bundle.targets == ()


def test_a_pod_that_nothing_governs_needs_no_target():
    """Nothing is wrong with a namespace that has no packs."""
    joined = join([], view_of(), scope=scope_of())
    assert (joined.bundle.packs, joined.unresolved, joined.warnings) == ((), (), ())


@pytest.mark.parametrize(
    ("pack", "labels", "is_governed"),
    [
        (pack_text(f"{{{CHAIN}}}", namespace="shop"), {}, True),
        (pack_text(f"{{{CHAIN}}}", namespace="billing"), {}, False),
        (pack_text(f"{{{CHAIN}, enabled: false}}", namespace="shop"), {}, False),
        (
            pack_text(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: bot}}}}}}}}", namespace="shop"),
            {},
            False,
        ),
        (
            pack_text(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: bot}}}}}}}}", namespace="shop"),
            {"app": "bot"},
            True,
        ),
        (pack_text(f"{{{CHAIN}}}", namespace=ROOT), {}, True),
    ],
)
def test_a_pack_governs_the_pods_that_it_selects(pack, labels, is_governed):
    """The operator counts the pods that should run a pack by the same rule that gives it to them."""
    (unit,) = packs_of(pack)
    assert governs(unit, scope_of(**labels)) is is_governed
    assert bool(join([unit], view_of(), scope=scope_of(**labels)).packs) is is_governed


@pytest.mark.parametrize(("namespace", "is_governed"), [("shop", True), ("billing", False), ("new", True)])
def test_a_root_pack_selects_by_the_labels_of_each_namespace(namespace, is_governed):
    """A namespace that is not known yet is governed: a policy must not vanish because an event is late."""
    selector = "selector: {namespaceSelector: {matchLabels: {team: a}}}"
    (unit,) = packs_of(pack_text(f"{{{CHAIN}, {selector}}}", namespace=ROOT))
    assert governs(unit, scope_of(namespace)) is is_governed


def test_the_manifest_names_object_generation_and_tier():
    """Status says which generation of which object runs where."""
    spec = pack_text(f"{{{CHAIN}}}", name="r", namespace=ROOT).replace("{name: r", "{name: r, uid: 7d2c, generation: 7")
    joined = join(packs_of(spec), view_of(), scope=scope_of())
    digest = digest_of(joined.bundle.packs[0])
    assert joined.bundle.manifest.packs == (
        PartRef(name=f"{ROOT}/r", uid="7d2c", generation=7, digest=digest, tier=Tier.ROOT),
    )
    assert decode_bundle(encode_bundle(joined.bundle), source="a test") == joined.bundle


def test_pods_share_the_parts_that_are_equal():
    """A thousand pods of ten packs are ten parts, each encoded once; only what differs by pod is made anew."""
    packs = packs_of(
        pack_text(f"{{{CHAIN}}}", name="r", namespace=ROOT),
        pack_text(f"{{{CHAIN}}}", name="s", namespace="shop"),
        pack_text(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: bot}}}}}}}}", name="t", namespace="shop"),
    )
    view = view_of(target())
    bot, cat = (join(packs, view, scope=scope_of(app=app)).bundle for app in ("bot", "cat"))
    assert len(bot.packs) == len(cat.packs) + 1 == 3
    assert bot.version != cat.version
    assert all(ours is theirs for ours, theirs in zip(bot.packs, cat.packs, strict=False))
    assert bot.targets[0] is cat.targets[0]


def test_a_root_pack_alone_sends_each_namespace_to_its_own_target():
    """What is kept for the next pod must not carry the last pod's route along."""
    packs = packs_of(pack_text(f"{{{CHAIN}}}", name="r", namespace=ROOT))
    view = view_of(target(), target(namespace="billing"))
    bundles = [join(packs, view, scope=scope_of(namespace)).bundle for namespace in ("shop", "billing", "shop")]
    assert [[part.name for part in bundle.targets] for bundle in bundles] == [
        ["shop/xai"],
        ["billing/xai"],
        ["shop/xai"],
    ]
    assert bundles[0] == bundles[2]
    for bundle in bundles:
        assert bundle.packs[0].routing is not None
        assert bundle.packs[0].routing.targets == (bundle.targets[0].name,)
        assert bundle.manifest.packs[0].digest == digest_of(bundle.packs[0])
