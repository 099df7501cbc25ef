"""The bundle that comes out: stable bytes, and the tests that go with it."""

import msgspec
import pytest

from grokwarden.bundle import Bundle, decode_bundle, encode_bundle
from grokwarden.compiler import Scope, compile_each_pack
from grokwarden.errors import BundleError
from grokwarden.vocabulary import Action, Phase, Tier
from resource_texts import ALONE, TARGET, compiled, documents, pack_text, problems_of

TARGET_DIGEST = "sha256:e623f885bf4debe83707285f0436d27380974f1a936f4d10e2b782affc468c48"
PACK = pack_text("""{chain: [{name: core, policy: core-policy}, {name: safety, policy: safety-filter}],
  tests: [
    {name: one, request: {user: hi, system: be kind, model: grok-4.3}, expect: {action: Allow}},
    {name: two, request: {body: {model: x}}, response: {content: bad},
     expect: {action: Block, step: safety, rule: r, phase: Response}}]}""")


def test_the_bundle_survives_its_own_bytes():
    """What the operator sends is what the sidecar enforces."""
    bundle = compiled(TARGET, PACK).bundle
    assert decode_bundle(encode_bundle(bundle), source="test") == bundle


def test_a_word_that_no_set_has_makes_no_bundle():
    """A sidecar older than its operator keeps what it runs, rather than fail when the first call needs the word."""
    bundle = compiled(pack_text("{routing: {targets: [{name: xai-grok}]}}"), TARGET).bundle
    part = msgspec.structs.replace(bundle.packs[0].routing, strategy="Sideways")
    odd = Bundle.of([(msgspec.structs.replace(bundle.packs[0], routing=part), "", 1, Tier.NAMESPACE)], [])

    with pytest.raises(BundleError, match="Sideways"):
        decode_bundle(encode_bundle(odd), source="a test")


def test_equal_resources_are_equal_bytes():
    """Order of documents, white space and spelled-out defaults change no digest, so no sidecar reloads for nothing."""
    spelled = pack_text("""{
      enabled: true, priority: 0, endpoints: {allow: [Models, ChatCompletions]}, onUnscannable: Block,
      chain: [{name: core, policy: core-policy, onError: Block, corePolicy: {onForgedTag: Neutralise},
               phases: [ToolResult, Request, ToolArguments]},
              {name: safety, policy: safety-filter, action: Block, onStream: Cut, safetyFilter: {threshold: "0.8"}}],
      blockResponse: {style: Error}}""")
    assert compiled(TARGET, PACK).bundle.version == compiled(spelled, TARGET).bundle.version


def test_a_change_is_a_new_version():
    """Otherwise nobody could tell which policy a call was governed by."""
    changed = PACK.replace("safety-filter}", 'safety-filter, safetyFilter: {threshold: "0.9"}}')
    before, after = compiled(TARGET, PACK).bundle, compiled(TARGET, changed).bundle
    assert before.version != after.version
    assert before.manifest.targets == after.manifest.targets


def test_the_version_of_a_known_resource_is_fixed():
    """A sidecar and an operator of different releases must agree on the digest of the same part."""
    bundle = compiled(TARGET, PACK).bundle
    assert bundle.manifest.targets[0].digest == TARGET_DIGEST


def test_uid_and_generation_come_from_the_object():
    """Status says which generation runs; a file has neither."""
    text = PACK.replace("{name: gateway}", "{name: gateway, uid: 7d2c, generation: 7}")
    refs = [*compiled(TARGET, text).bundle.manifest.packs, *compiled(TARGET, PACK).bundle.manifest.packs]
    assert [(ref.uid, ref.generation) for ref in refs] == [("7d2c", 7), ("", 0)]


def test_tests_come_with_their_place():
    """The runner prints where a failed test stands."""
    one, two = compiled(TARGET, PACK).tests
    assert (one.pack, one.name) == ("default/gateway", "one")
    assert (one.user, one.system, one.model) == ("hi", "be kind", "grok-4.3")
    assert (one.expect_action, one.has_response, one.body) == (Action.ALLOW, False, None)
    assert (two.body, two.response_content, two.has_response) == ({"model": "x"}, "bad", True)
    assert (two.expect_action, two.expect_step, two.expect_rule) == (Action.BLOCK, "safety", "r")
    assert two.expect_phase is Phase.RESPONSE
    assert (two.file, two.line) == ("pack.yaml", 12)


def test_a_test_of_a_step_that_is_not_there_is_refused():
    """It could only ever fail."""
    (problem,) = problems_of(TARGET, PACK.replace("step: safety", "step: saftey"))
    assert problem.path == "spec.tests[1].expect.step"
    assert 'did you mean "safety"?' in problem.message


def test_each_pack_can_be_judged_by_itself():
    """A pack's tests judge its own chain: not its neighbours, its selector, its switch, or any target."""
    hidden = pack_text(
        "{enabled: false, chain: [{name: core, policy: core-policy}], selector: {podSelector: {matchLabels: {a: b}}},"
        " routing: {targets: [{name: elsewhere}]}}",
        name="hidden",
    )
    scope = Scope(standalone=True, pod_labels={})
    packs = compile_each_pack(documents(PACK, hidden), scope=scope)
    assert [tested.bundle.packs[0].name for tested in packs] == ["default/gateway", "default/hidden"]
    assert [len(tested.bundle.packs) for tested in packs] == [1, 1]
    assert [len(tested.tests) for tested in packs] == [2, 0]


def test_the_order_of_documents_changes_no_bundle():
    """Files are read in the order of their names, which means nothing."""
    other = pack_text("{chain: [{name: a, policy: audit-logger}]}", name="audit")
    assert compiled(TARGET, PACK, other, scope=ALONE).bundle == compiled(other, PACK, TARGET, scope=ALONE).bundle
