"""What is in force of each resource, and what outlives the operator."""

import pytest

from grokwarden_operator.listing import StoredResource
from grokwarden_operator.reconcile.compiling import MAX_DOCUMENT_BYTES, ResourceCompiler
from listings import BROKEN, CHAIN, ROOT, XAI, listing, pack, target

FAILING = f"{{{CHAIN}, tests: [{{name: t, request: {{user: hello}}, expect: {{action: Block}}}}]}}"
PASSING = f"{{{CHAIN}, tests: [{{name: t, request: {{user: hello}}, expect: {{action: Allow}}}}]}}"
BAD_TARGET = "{provider: xai, secretKeyRef: {env: XAI_API_KEY}}"
NAME = "shop/gateway"


def compiler(stored=None):
    return ResourceCompiler(root_namespace=ROOT, stored=stored or {})


@pytest.mark.parametrize("bad", [BROKEN, FAILING, "{chain: []}", "null", "text", "{chain: 7}"])
def test_a_bad_generation_leaves_the_last_good_one_in_force(bad):
    """A slip of the hand must not switch a policy off."""
    heart = compiler()
    heart.verdicts(listing(pack(PASSING)))
    verdict = heart.verdicts(listing(pack(bad, generation=2))).packs[NAME]
    assert not verdict.is_good
    assert verdict.problems or verdict.failures
    assert verdict.in_force_generation == 1


def test_the_next_good_generation_takes_over():
    """What was kept is a stopgap, not a state."""
    heart = compiler()
    for generation, spec in enumerate((PASSING, BROKEN, FAILING, f"{{{CHAIN}}}"), 1):
        verdict = heart.verdicts(listing(pack(spec, generation=generation))).packs[NAME]
    assert verdict.is_good
    assert verdict.in_force is verdict.newest
    assert verdict.in_force_generation == 4


@pytest.mark.parametrize("bad", [BROKEN, FAILING])
def test_a_pack_that_never_was_good_is_not_in_force(bad):
    """Half a policy would look like a whole one."""
    verdicts = compiler().verdicts(listing(pack(bad)))
    assert verdicts.packs[NAME].in_force is None
    assert verdicts.packs[NAME].in_force_generation is None
    assert not verdicts.good


def test_a_bad_target_keeps_its_last_good_generation():
    """Calls in the middle of the night must not fail for somebody's typo."""
    heart = compiler()
    heart.verdicts(listing(target()))
    verdict = heart.verdicts(listing(target(BAD_TARGET, generation=2))).targets["shop/xai-grok"]
    assert verdict.newest is None
    assert verdict.in_force_generation == 1


def test_the_secret_of_the_version_in_force_is_still_asked_for():
    """A broken edit that names another Secret would else cost a restarted sidecar the key of what it runs."""
    heart = compiler()
    first = heart.verdicts(listing(target()))
    broken = heart.verdicts(listing(target(BAD_TARGET, generation=2)))
    gone = heart.verdicts(listing())
    assert first.secrets == broken.secrets == {("shop", "xai-key")}
    assert gone.secrets == frozenset()


def test_another_object_of_the_same_name_inherits_nothing():
    """Deleting a pack deletes what it said, also if a broken one comes in its place."""
    heart = compiler()
    heart.verdicts(listing(pack(uid="first")))
    verdicts = heart.verdicts(listing(pack(BROKEN, uid="second")))
    assert verdicts.packs[NAME].in_force is None
    assert not verdicts.good


@pytest.mark.parametrize("bad", [BROKEN, FAILING])
def test_the_last_good_generation_survives_a_restart(bad):
    """Else a restart over a broken edit would take a policy away that nobody took away."""
    good = compiler().verdicts(listing(pack(), target())).good
    heart = compiler(good)
    verdicts = heart.verdicts(listing(pack(bad, generation=2), target(BAD_TARGET, generation=2)))
    assert verdicts.packs[NAME].in_force_generation == 1
    assert verdicts.targets["shop/xai-grok"].in_force_generation == 1
    assert verdicts.good == good
    again = heart.verdicts(listing(pack(bad, generation=3), target(BAD_TARGET, generation=2)))
    assert again.packs[NAME].in_force_generation == 1


def test_what_was_stored_stays_in_force_though_its_tests_fail_now():
    """A newer program may judge a test differently; that must not disarm a pack that nobody touched."""
    stored = StoredResource(uid=pack().uid, generation=1, document=pack(FAILING).document)
    verdict = compiler({stored.uid: stored}).verdicts(listing(pack(FAILING))).packs[NAME]
    assert verdict.failures
    assert verdict.in_force_generation == 1


@pytest.mark.parametrize(
    "wrong",
    [
        StoredResource(uid=pack().uid, generation=1, document=pack(name="other").document),
        StoredResource(uid=pack().uid, generation=1, document=pack(uid="other").document),
        StoredResource(uid=pack().uid, generation=1, document=pack(generation=3).document),
        StoredResource(uid=pack().uid, generation=1, document=pack(BROKEN).document),
        StoredResource(uid=pack().uid, generation=1, document=target().document),
    ],
)
def test_a_stored_version_that_is_not_what_it_says_is_not_used(wrong):
    """A bundle names generations; it must not name a wrong one."""
    verdict = compiler({wrong.uid: wrong}).verdicts(listing(pack(BROKEN, generation=2))).packs[NAME]
    assert verdict.in_force is None


def test_what_is_to_be_stored_and_what_is_not_needed_any_more():
    """The store holds the last good version of what is there, and nothing else."""
    heart = compiler()
    first = heart.verdicts(listing(pack(), target(), pack(BROKEN, name="never")))
    assert {(good.uid, good.generation) for good in first.good.values()} == {(pack().uid, 1), (target().uid, 1)}
    assert first.unstored({}) == first.good
    assert not first.unstored(first.good)
    second = heart.verdicts(listing(pack(f"{{{CHAIN}, priority: 2}}", generation=2), pack(BROKEN, name="never")))
    assert {good.generation for good in second.unstored(first.good).values()} == {2}
    assert second.obsolete(first.good) == {target().uid}
    third = heart.verdicts(listing(pack(BROKEN, generation=3)))
    assert third.good == second.good
    assert not third.obsolete(second.good)


def test_each_generation_is_compiled_once():
    """A thousand events on pods must not run a pack's tests a thousand times."""
    heart = compiler()
    one = heart.verdicts(listing(pack(), target()))
    two = heart.verdicts(listing(pack(status={"observedGeneration": 1}), target()))
    assert two.packs[NAME].newest is one.packs[NAME].newest
    assert two.targets["shop/xai-grok"].newest is one.targets["shop/xai-grok"].newest
    assert two.packs[NAME].fact.status == {"observedGeneration": 1}


def test_what_is_gone_is_forgotten():
    """An operator that runs for a year sees many packs come and go."""
    heart = compiler()
    one = heart.verdicts(listing(pack())).packs[NAME].newest
    heart.verdicts(listing())
    back = heart.verdicts(listing(pack()))
    assert back.packs[NAME].newest is not one
    assert not heart.verdicts(listing()).good


def test_one_broken_pack_concerns_no_other():
    """Isolation: whoever breaks their pack breaks theirs."""
    verdicts = compiler().verdicts(listing(pack(BROKEN, name="bad"), pack(), target(BAD_TARGET, name="bad"), target()))
    assert verdicts.packs[NAME].is_good
    assert verdicts.targets["shop/xai-grok"].is_good
    assert [name for name, verdict in verdicts.packs.items() if not verdict.is_good] == ["shop/bad"]


def test_a_keys_reference_names_the_hosts_that_it_may_go_to():
    """By the Secret's name alone, a key allowed for one host would be found for another."""
    proxied = XAI[:-1] + ", proxyURL: 'http://proxy.corp:3128', baseURL: 'https://EU.api.x.ai/v1'}"
    verdicts = compiler().verdicts(listing(target(), target(proxied, name="proxied")))
    secrets = [verdict.newest.part.key.secret for verdict in verdicts.targets.values()]
    assert secrets == [
        "shop/xai-key/XAI_API_KEY@api.x.ai:443",
        "shop/xai-key/XAI_API_KEY@eu.api.x.ai:443@proxy.corp:3128",
    ]


def test_an_object_that_breaks_the_compiler_is_refused_alone():
    """Whoever may write one pack would else end the operator for all of them, and again at each start."""
    poison: object = "x"
    for _ in range(5000):
        poison = {"a": poison}
    fact = pack(PASSING, name="poison")
    fact.document.content["spec"]["tests"][0]["request"] = {"body": poison}
    verdicts = compiler().verdicts(listing(fact, pack(PASSING))).packs

    assert verdicts[NAME].is_good
    assert not verdicts["shop/poison"].is_good
    assert "RecursionError" in verdicts["shop/poison"].problems[0].message


def test_a_pack_that_can_not_be_kept_is_refused():
    """It would be in force until a broken edit meets a restart of the operator, and then be gone without a word."""
    large = pack(PASSING, generation=2)
    large.document.content["spec"]["tests"][0]["request"]["user"] = "x" * MAX_DOCUMENT_BYTES
    heart = compiler()
    heart.verdicts(listing(pack(PASSING)))
    verdict = heart.verdicts(listing(large)).packs[NAME]

    assert verdict.in_force_generation == 1
    assert "1,000,000" in verdict.problems[0].message
