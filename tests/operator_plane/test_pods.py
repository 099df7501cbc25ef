"""What each pod gets: its own packs, targets and keys, nobody else's, and one object for all that are alike."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listings import BROKEN, CHAIN, KEY, ROOT, namespace_of, pack, pod, secret, target
from rounds import Rounds, pack_names

SHARED = "{provider: xai, allowedNamespaces: {from: %s}, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"
SPACES = ["shop", "billing", ROOT]


def test_a_pod_that_nothing_governs_has_an_empty_bundle():
    """Its sidecar then knows that it has to refuse calls; without one it would wait."""
    plan = Rounds().plan(target(), secret("api.x.ai"), pod())
    config = plan.pods[pod().uid]
    assert (config.bundle.packs, config.bundle.targets, dict(config.keys)) == ((), (), {})


def test_only_live_pods_with_a_sidecar_have_a_configuration():
    """Nobody else could ask for it."""
    plan = Rounds().plan(pack(), pod("a"), pod("b", has_sidecar=False), pod("c", is_live=False))
    assert set(plan.pods) == {pod("a").uid}


def test_root_packs_come_first():
    """The order is the compiler's; here it must survive grouping."""
    spec = f"{{{CHAIN}, priority: 9}}"
    plan = Rounds().plan(target(), pack(spec), pack(namespace=ROOT, name="root"), pod())
    assert pack_names(plan, pod().uid) == [f"{ROOT}/root", "shop/gateway"]


def test_a_broken_pack_leaves_the_others_of_the_pod_alone():
    """Isolation, as far as the bundle."""
    plan = Rounds().plan(target(), pack(), pack(BROKEN, name="bad"), pod())
    assert pack_names(plan, pod().uid) == ["shop/gateway"]


def test_a_broken_target_leaves_the_others_of_a_pack_alone():
    """Fallback is what several targets are for."""
    bad = target("{provider: xai, secretKeyRef: {env: X}}", name="bad")
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: bad}}, {{name: xai-grok}}]}}}}"
    plan = Rounds().plan(target(), bad, secret("api.x.ai"), pack(spec), pod())
    config = plan.pods[pod().uid]
    assert config.bundle.packs[0].routing.targets == ("shop/xai-grok",)
    assert list(config.keys.values()) == [KEY]


def test_a_pod_has_the_keys_of_its_own_targets_only():
    """A key that no call of the pod needs has no business there."""
    spare = target("{provider: xai, secretKeyRef: {name: spare, key: K}}", name="spare")
    others = secret("api.x.ai", name="spare", entries={"K": b"spare"})
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok}}]}}}}"
    plan = Rounds().plan(target(), spare, secret("api.x.ai"), others, pack(spec), pod())
    assert list(plan.pods[pod().uid].keys.values()) == [KEY]


@pytest.mark.parametrize(("allowed", "has_key"), [("Same", False), ("All", True)])
def test_another_namespaces_target_serves_only_whom_it_allows(allowed, has_key):
    """A shared key is shared by its owner, and not by whoever names it."""
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok, namespace: {ROOT}}}]}}}}"
    plan = Rounds().plan(
        target(SHARED % allowed, namespace=ROOT), secret("api.x.ai", namespace=ROOT), pack(spec), pod()
    )
    assert (KEY in plan.pods[pod().uid].keys.values()) is has_key
    assert plan.pods[pod().uid].bundle.packs[0].routing.targets == ((f"{ROOT}/xai-grok",) if has_key else ())


def test_a_selector_of_namespaces_follows_their_labels():
    """Taking the label away takes the key away."""
    chosen = "{from: Selector, selector: {matchLabels: {team: a}}}"
    shared = f"{{provider: xai, allowedNamespaces: {chosen}, secretKeyRef: {{name: xai-key, key: XAI_API_KEY}}}}"
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok, namespace: {ROOT}}}]}}}}"
    facts = (target(shared, namespace=ROOT), secret("api.x.ai", namespace=ROOT), pack(spec), pod())
    rounds = Rounds()
    assert rounds.plan(*facts, namespace_of("shop", team="a")).pods[pod().uid].keys
    assert not rounds.plan(*facts, namespace_of("shop", team="b")).pods[pod().uid].keys


@given(st.data())
def test_nothing_of_a_namespace_reaches_the_pods_of_another(data):
    """Whatever packs and targets there are: only root packs, and what their owner shares, cross a border."""
    facts, spaces = [], st.sampled_from(SPACES)
    for index in range(data.draw(st.integers(0, 4))):
        named = [f"{{name: t{i}, namespace: {data.draw(spaces)}}}" for i in range(data.draw(st.integers(1, 3)))]
        spec = (
            f"{{{CHAIN}, routing: {{targets: [{', '.join(named)}]}}}}" if data.draw(st.booleans()) else f"{{{CHAIN}}}"
        )
        facts.append(pack(spec, name=f"p{index}", namespace=data.draw(spaces)))
    shared: set[str] = set()
    for space in SPACES:
        for index in range(data.draw(st.integers(0, 3))):
            allowed = data.draw(st.sampled_from(["Same", "All"]))
            shared |= {f"{space}/t{index}"} if allowed == "All" else set()
            facts.append(target(SHARED % allowed, name=f"t{index}", namespace=space))
        facts.append(secret("api.x.ai", namespace=space, entries={"XAI_API_KEY": f"key-of-{space}".encode()}))
        facts.append(pod(namespace=space, labels={"app": data.draw(st.sampled_from("ab"))}))
    plan = Rounds().plan(*facts)
    for space in SPACES:
        config = plan.pods[pod(namespace=space).uid]
        own = {space, ROOT}
        assert {name.split("/")[0] for name in (part.name for part in config.bundle.packs)} <= own
        lenders = {part.name.split("/")[0] for part in config.bundle.targets if part.name not in shared}
        assert lenders <= own
        assert set(config.keys.values()) <= {f"key-of-{part.name.split('/')[0]}" for part in config.bundle.targets}
        if not any(name.startswith(f"{ROOT}/") for name in (part.name for part in config.bundle.packs)):
            assert lenders <= {space}


def test_pods_that_are_alike_share_one_object():
    """A thousand bundles that are equal would be a thousand to encode, compress and keep."""
    select = "{%s, selector: {podSelector: {matchLabels: {set: '%s'}}}}"
    packs = [pack(select % (CHAIN, index), name=f"p{index}") for index in range(20)]
    names = [(str(index % 20), f"bot-{index}") for index in range(1000)]
    pods = [pod(name, labels={"set": label, "statefulset.kubernetes.io/pod-name": name}) for label, name in names]
    plan = Rounds().plan(target(), secret("api.x.ai"), *packs, *pods)
    assert len(plan.pods) == 1000
    assert len({id(config) for config in plan.pods.values()}) == 20
    assert len({id(config.bundle) for config in plan.pods.values()}) == 20
    first, other = plan.pods[pods[0].uid], plan.pods[pods[20].uid]
    assert first is other
    assert first.bundle is other.bundle
    assert pack_names(plan, pods[3].uid) == ["shop/p3"]


def test_pods_of_two_namespaces_share_what_is_the_same():
    """Under a root pack with a routing of its own, namespaces make no difference."""
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok}}]}}}}"
    facts = (target(SHARED % "All", namespace=ROOT), pack(spec, namespace=ROOT))
    plan = Rounds().plan(*facts, pod(), pod(namespace="billing"))
    assert plan.pods[pod().uid] is plan.pods[pod(namespace="billing").uid]


@pytest.mark.parametrize("key", ["matchLabels: {own: a}", "matchExpressions: [{key: own, operator: In, values: [a]}]"])
@pytest.mark.parametrize("space", ["shop", ROOT])
def test_a_label_that_a_selector_asks_for_tells_pods_apart(key, space):
    """Sharing must not make two pods equal that a pack tells apart."""
    chosen = pack(f"{{{CHAIN}, selector: {{podSelector: {{{key}}}}}}}", namespace=space)
    plan = Rounds().plan(
        target(), chosen, pod("a", labels={"own": "a"}), pod("b", labels={"own": "b"}), pod("c", labels={})
    )
    governed = [name for name in "abc" if plan.pods[pod(name).uid].bundle.packs]
    assert governed == ["a"]


def test_root_packs_ask_for_labels_in_every_namespace():
    """Where a namespace's own pack asks for another label, the root pack's must still tell pods apart."""
    select = "{%s, selector: {podSelector: {matchLabels: {%s}}}}"
    packs = (pack(select % (CHAIN, "root: x"), namespace=ROOT), pack(select % (CHAIN, "own: x")))
    labels = {"none": {}, "root": {"root": "x"}, "own": {"own": "x"}, "both": {"root": "x", "own": "x"}}
    plan = Rounds().plan(*packs, *(pod(name, labels=each) for name, each in labels.items()))
    governed = {name: pack_names(plan, pod(name).uid) for name in labels}
    root, own = f"{ROOT}/gateway", "shop/gateway"
    assert governed == {"none": [], "root": [root], "own": [own], "both": [root, own]}


def test_pods_of_the_root_namespace_have_its_packs_once():
    """It is their own namespace and the root of all."""
    plan = Rounds().plan(pack(namespace=ROOT), pod(namespace=ROOT))
    assert pack_names(plan, pod(namespace=ROOT).uid) == [f"{ROOT}/gateway"]


def test_the_same_listing_gives_the_same_plan_in_whatever_order_it_is():
    """Which event came first must never matter."""
    facts = [target(), target(name="second"), secret("api.x.ai"), pack(), pack(namespace=ROOT), pod("a"), pod("b")]
    facts += [pack(f"{{{CHAIN}, routing: {{targets: [{{name: none}}, {{name: second}}]}}}}", name="routed")]
    plans = [Rounds().plan(*some) for some in list(permutations(facts))[::2011]]
    assert len(plans) > 10
    for plan in plans:
        assert plan.statuses == plans[0].statuses
        assert plan.pods == plans[0].pods


def test_the_same_listing_gives_the_same_plan_again():
    """Nothing is remembered from one round to the next but what was good."""
    rounds = Rounds()
    facts = (target(), secret("api.x.ai"), pack(), pod())
    first = rounds.plan(*facts)
    rounds.plan(target(name="other"), pod("other"))
    assert rounds.plan(*facts) == first
