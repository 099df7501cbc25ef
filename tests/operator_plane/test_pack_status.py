"""What a pack's status says to the person who has to act on it."""

import pytest

from grokwarden_operator.listing import Kind, SecretTrouble
from grokwarden_operator.reconcile.sentences import MAX_STATUS_CHARACTERS
from listings import BROKEN, CHAIN, ROOT, XAI, pack, pod, secret, target
from rounds import Rounds, condition, draft_of, told

FACTS = (target(), secret("api.x.ai"))
ROUTED = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok}}]}}}}"
TEST = (
    "tests: [{name: greets, request: {user: hello}, expect: {action: Block}}, "
    "{name: b, request: {user: hi}, expect: {action: Allow}}]"
)
BAD_TARGET = "{provider: xai, secretKeyRef: {env: X}}"


def message(plan, kind, name="shop/gateway"):
    return condition(plan, kind, name).message


def test_a_pack_that_does_not_compile_says_where_and_what():
    """Every problem, with its field path, as `grokwarden validate` has it."""
    spec = "{chain: [{name: a, policy: core-policy, action: Block}, {name: b, policy: audit-logger, onStream: Cut}]}"
    plan = Rounds().plan(*FACTS, pack(spec, generation=3), pod())
    assert told(plan, "Accepted") == ("False", "CompileError")
    text = message(plan, "Accepted")
    assert "generation 3 does not compile" in text
    assert "no generation of this pack was ever good, so nothing of it is enforced" in text
    assert "spec.chain[0].action: core-policy offers no action" in text
    assert "spec.chain[1].onStream: " in text
    assert told(plan, "ResolvedRefs") == ("Unknown", "NotAccepted")
    assert told(plan, "TestsPassed") == ("Unknown", "NotRun")
    assert told(plan, "Programmed") == ("False", "NotAccepted")


def test_a_broken_generation_says_which_one_stays():
    """An author must know what is enforced in the meantime."""
    rounds = Rounds()
    rounds.plan(*FACTS, pack(generation=4), pod())
    plan = rounds.plan(*FACTS, pack(BROKEN, generation=5), pod())
    assert "generation 4 stays in force" in message(plan, "Accepted")
    rounds = Rounds()
    rounds.plan(*FACTS, pack(f"{{{CHAIN}, enabled: false}}", generation=4), pod())
    plan = rounds.plan(*FACTS, pack(BROKEN, generation=5), pod())
    assert "generation 4, which is not enabled, stays" in message(plan, "Accepted")


def test_a_disabled_pack_is_accepted_and_says_that_it_does_nothing():
    """It was checked, so that enabling it holds no surprise."""
    plan = Rounds().plan(*FACTS, pack(f"{{{CHAIN}, enabled: false}}"), pod())
    assert told(plan, "Accepted") == ("True", "Accepted")
    assert "not enabled" in message(plan, "Accepted")


def test_what_is_accepted_and_may_surprise_is_said():
    """A step that asks to be enforced in a pack that enforces nothing."""
    spec = "{mode: Shadow, chain: [{name: core, policy: core-policy, mode: Enforce}]}"
    plan = Rounds().plan(*FACTS, pack(spec), pod())
    assert "note: spec.chain[0].mode: has no effect" in message(plan, "Accepted")


def test_a_routing_that_another_pack_overrules_is_said():
    """Its author would else wonder why calls go elsewhere."""
    shared = XAI[:-1] + ", allowedNamespaces: {from: All}}"
    facts = (*FACTS, target(shared, namespace=ROOT), pack(ROUTED, namespace=ROOT), pack(ROUTED), pod())
    plan = Rounds().plan(*facts)
    assert "note: spec.routing: is not used: the routing of grokwarden-system/gateway" in message(plan, "Accepted")
    assert "note" not in message(plan, "Accepted", f"{ROOT}/gateway")


def test_failing_tests_are_named():
    """With what was expected and what came out."""
    rounds = Rounds()
    rounds.plan(*FACTS, pack(), pod())
    plan = rounds.plan(*FACTS, pack(f"{{{CHAIN}, {TEST}}}", generation=2), pod())
    assert told(plan, "TestsPassed") == ("False", "TestsFailed")
    text = message(plan, "TestsPassed")
    assert text.startswith("1 of 2 tests failed; generation 1 stays in force: ")
    assert 'the test "greets" fails: expected Block, got Allow' in text
    assert told(plan, "Accepted") == ("True", "Accepted")


@pytest.mark.parametrize(
    ("tests", "expected"),
    [("", ("True", "NoTests")), (", " + TEST.replace("Block", "Allow"), ("True", "TestsPassed"))],
)
def test_passed_tests_are_told_from_none(tests, expected):
    """A pack without tests has not been proven to do anything."""
    plan = Rounds().plan(*FACTS, pack(f"{{{CHAIN}{tests}}}"), pod())
    assert told(plan, "TestsPassed") == expected
    assert message(plan, "TestsPassed") == ("2 tests passed" if tests else "the pack carries no tests")


def test_references_that_resolve_say_so():
    """Of a routing, and of none."""
    assert told(Rounds().plan(*FACTS, pack(ROUTED), pod()), "ResolvedRefs") == ("True", "ResolvedRefs")
    assert message(Rounds().plan(*FACTS, pack(ROUTED)), "ResolvedRefs") == "every target that it names can be used"
    assert message(Rounds().plan(*FACTS, pack(), pod()), "ResolvedRefs") == "it names no targets"


@pytest.mark.parametrize(
    ("facts", "reason", "words"),
    [
        ((), "TargetNotFound", "there is no ProviderTarget shop/xai-grok"),
        ((target(BAD_TARGET),), "TargetNotAccepted", "ProviderTarget shop/xai-grok can't be used"),
        ((target(),), "SecretNotFound", "there is no Secret shop/xai-key"),
        ((target(), secret()), "HostNotAllowed", "kubectl annotate --overwrite secret -n shop xai-key"),
        ((target(), secret("api.x.ai", entries={})), "SecretEntryNotFound", "has no entry XAI_API_KEY"),
        ((target(), secret("api.x.ai", entries={"XAI_API_KEY": b"a b"})), "SecretUnusable", "store the key alone"),
    ],
)
@pytest.mark.parametrize("spec", [ROUTED, f"{{{CHAIN}}}"], ids=["routed", "default"])
def test_a_reference_that_leads_nowhere_says_what_to_do(facts, reason, words, spec):
    """Through a routing or without one, the same: where do calls fail, and who can mend it."""
    plan = Rounds().plan(*facts, pack(spec), pod(), troubles={"shop/xai-key": SecretTrouble.NOT_FOUND})
    if spec != ROUTED and not facts:
        reason, words = "NoTarget", "namespace shop has no ProviderTarget"
    elif spec != ROUTED and reason == "TargetNotAccepted":
        words = "shop/xai-grok, can't be used"
    assert told(plan, "ResolvedRefs") == ("False", reason)
    assert words in message(plan, "ResolvedRefs")
    assert "calls that need one of these are refused" in message(plan, "ResolvedRefs")


def test_a_secret_that_was_not_read_yet_is_not_called_missing():
    """Unknown is not False; nobody should go and look for a mistake."""
    plan = Rounds().plan(target(), pack(ROUTED), pod(), troubles={"shop/xai-key": SecretTrouble.UNREAD})
    assert told(plan, "ResolvedRefs") == ("Unknown", "SecretUnread")


def test_all_troubles_are_told_and_the_worst_is_the_reason():
    """Mending one at a time, each found by another round, would be a poor afternoon."""
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok}}, {{name: bad}}, {{name: none}}]}}}}"
    plan = Rounds().plan(target(), secret(), target(BAD_TARGET, name="bad"), pack(spec), pod())
    assert told(plan, "ResolvedRefs") == ("False", "TargetNotFound")
    text = message(plan, "ResolvedRefs")
    assert "spec.routing.targets[2].name: there is no ProviderTarget shop/none" in text
    assert "spec.routing.targets[1].name: ProviderTarget shop/bad can't be used" in text
    assert "ProviderTarget shop/xai-grok: Secret shop/xai-key" in text


def test_several_targets_and_no_routing_are_told_to_the_pack():
    """Nothing is guessed, so calls are refused, and somebody has to hear why."""
    plan = Rounds().plan(*FACTS, target(name="second"), pack(), pod())
    assert told(plan, "ResolvedRefs") == ("False", "AmbiguousTarget")


def test_another_namespaces_secret_is_not_described():
    """Whoever may use a shared target need not know the Secret behind it."""
    shared = XAI[:-1] + ", allowedNamespaces: {from: All}}"
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok, namespace: {ROOT}}}]}}}}"
    plan = Rounds().plan(target(shared, namespace=ROOT), secret(namespace=ROOT), pack(spec), pod())
    assert told(plan, "ResolvedRefs") == ("False", "HostNotAllowed")
    assert "xai-key" not in message(plan, "ResolvedRefs")
    assert "xai-key" in condition(plan, "SecretResolved", f"{ROOT}/xai-grok", Kind.PROVIDER_TARGET).message


def test_references_are_those_of_the_newest_generation():
    """Also where its tests fail, so that both can be mended at once."""
    rounds = Rounds()
    rounds.plan(*FACTS, pack(ROUTED), pod())
    spec = f"{{{CHAIN}, {TEST}, routing: {{targets: [{{name: none}}]}}}}"
    plan = rounds.plan(*FACTS, pack(spec, generation=2), pod())
    assert told(plan, "ResolvedRefs") == ("False", "TargetNotFound")


def test_references_of_an_older_generation_are_not_the_newest_ones():
    """What is in force has no routing, and does not know where to go; the newest generation says it."""
    rounds = Rounds()
    facts = (*FACTS, target(name="second"), pod())
    assert told(rounds.plan(*facts, pack()), "ResolvedRefs") == ("False", "AmbiguousTarget")
    spec = f"{ROUTED[:-1]}, {TEST}}}"
    plan = rounds.plan(*facts, pack(spec, generation=2))
    assert told(plan, "TestsPassed") == ("False", "TestsFailed")
    assert told(plan, "ResolvedRefs") == ("True", "ResolvedRefs")


def test_no_message_grows_without_bound():
    """A status is kept in etcd, and shown on a terminal."""
    steps = ", ".join(f"{{name: s{i}, policy: core-policy, action: Block}}" for i in range(64))
    text = message(Rounds().plan(pack(f"{{chain: [{steps}]}}")), "Accepted")
    assert len(text) <= MAX_STATUS_CHARACTERS
    assert text.endswith("; and 14 more")


def test_every_path_on_which_a_step_enforces_nothing_is_listed():
    """The gaps of what is in force, in the words of the coverage table."""
    spec = "{chain: [{name: core, policy: core-policy, phases: [Request, ToolResult]}]}"
    gaps = {(gap.step, gap.path) for gap in draft_of(Rounds().plan(pack(spec))).gaps}
    assert ("core", "ChatCompletions x Response x stream") in gaps
    assert ("core", "ChatCompletions x ToolArguments x no stream") in gaps
    assert not any("Request" in path for _, path in gaps)


def test_gaps_are_those_of_the_generation_in_force():
    """Of a broken one nothing is known, and of the one before it all still holds."""
    rounds = Rounds()
    before = draft_of(rounds.plan(pack())).gaps
    assert before
    assert draft_of(rounds.plan(pack(BROKEN, generation=2))).gaps == before
    assert draft_of(Rounds().plan(pack(BROKEN))).gaps == ()
