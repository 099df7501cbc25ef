"""One resource by itself: what is its own fault, and what is not."""

import pytest

from grokwarden.bundle import digest_of
from grokwarden.compiler import CompiledPack, Enforcement, Scope, compile_pack, compile_target, failed_tests
from grokwarden.errors import ResourceError
from resource_texts import ALONE, documents, pack_text, target_text

CLUSTER = Scope(labels_of={})
SECRET = "secretKeyRef: {name: xai-key, key: XAI_API_KEY}"
CHAIN = "chain: [{name: safety, policy: safety-filter, safetyFilter: {patterns: [daybreak]}}]"


def pack_of(spec: str, **metadata: str) -> CompiledPack:
    return compile_pack(documents(pack_text(spec, **metadata))[0], scope=CLUSTER)


def pack_faults(text: str, scope: Scope = CLUSTER) -> list[str]:
    with pytest.raises(ResourceError) as raised:
        compile_pack(documents(text)[0], scope=scope)
    return [problem.path for problem in raised.value.problems]


def target_faults(text: str, scope: Scope = CLUSTER) -> list[str]:
    with pytest.raises(ResourceError) as raised:
        compile_target(documents(text)[0], scope=scope)
    return [problem.path for problem in raised.value.problems]


def test_a_pack_is_compiled_without_looking_at_any_other():
    """Its targets may come later; that is no fault of the pack."""
    pack = pack_of(f"{{{CHAIN}, routing: {{targets: [{{name: not-there-yet}}]}}}}", namespace="shop")
    assert pack.name == "shop/gateway"
    assert pack.part.routing is None
    assert [step.name for step in pack.part.steps] == ["safety"]
    assert {row.enforcement for row in pack.coverage} >= {Enforcement.ENFORCED, Enforcement.CUT}


def test_a_pack_that_is_not_enabled_is_compiled():
    """Enabling it later must hold no surprise."""
    assert pack_of(f"{{{CHAIN}, enabled: false}}").part.steps != ()


def test_every_fault_of_a_pack_is_said_at_once():
    """Whoever mends one line must not be sent back for the next."""
    broken = (
        "{chain: [{name: a, policy: core-policy, action: Block}], selector: {namespaceSelector: {}},\n"
        " tests: [{name: t, request: {user: hi}, expect: {action: Block, step: b}}]}"
    )
    found = pack_faults(pack_text(broken, namespace="shop"))
    assert sorted(found) == ["spec.chain[0].action", "spec.selector.namespaceSelector", "spec.tests[0].expect.step"]


def test_a_root_pack_may_select_namespaces():
    """The near miss: the same selector in the operator's namespace is no fault."""
    assert pack_of(f"{{{CHAIN}, selector: {{namespaceSelector: {{}}}}}}", namespace="grokwarden-system").part


def test_what_the_schema_refuses_is_refused():
    """An object may have been applied while an older schema was in place."""
    assert pack_faults(pack_text("{chain: [{name: a, policy: crystal-ball}]}")) == ["spec.chain[0].policy"]
    assert target_faults(target_text("{provider: xia}")) == ["spec.provider", "spec.secretKeyRef"]


def test_warnings_of_a_pack_are_its_own():
    """They stand in its status, whatever pods there are."""
    pack = pack_of("{mode: Shadow, chain: [{name: a, policy: core-policy, mode: Enforce}]}")
    assert [warning.path for warning in pack.warnings] == ["spec.chain[0].mode"]


def test_a_target_is_compiled_without_looking_at_its_secret():
    """The Secret may come later."""
    target = compile_target(documents(target_text(f"{{provider: xai, {SECRET}}}", namespace="shop"))[0], scope=CLUSTER)
    assert (target.name, target.part.key and target.part.key.secret) == ("shop/xai-grok", "shop/xai-key/XAI_API_KEY")
    assert target.digest == digest_of(target.part)


def test_every_fault_of_a_target_is_said_at_once():
    """Its certificates and its key have nothing to do with each other."""
    target = target_text("{provider: xai, secretKeyRef: {env: K}, caBundle: nonsense}")
    assert target_faults(target) == ["spec.caBundle", "spec.secretKeyRef.env"]
    assert target_faults(target, scope=ALONE) == ["spec.caBundle"]


def test_another_kind_is_refused():
    """A caller that mixes them up must not get half a result."""
    assert pack_faults(target_text(f"{{provider: xai, {SECRET}}}")) == ["kind"]
    assert target_faults(pack_text(f"{{{CHAIN}}}")) == ["kind"]


def test_the_same_routing_is_the_same_part():
    """A thousand equal pods share one part, which is encoded and hashed once."""
    pack = pack_of(f"{{{CHAIN}}}")
    first, digest = pack.routed(None)
    assert pack.routed(None)[0] is first
    assert digest == digest_of(pack.part)


def pack_expecting(expect: str) -> CompiledPack:
    test = f"{{name: t, request: {{user: daybreak}}, expect: {{action: {expect}}}}}"
    return pack_of(f"{{{CHAIN}, tests: [{test}]}}", namespace="shop")


def test_tests_that_pass_say_nothing():
    """The near miss to the next one."""
    assert failed_tests(pack_expecting("Block")) == ()


def test_a_failing_test_is_a_problem_of_its_pack():
    """The pack is well-formed and does not do what its author meant, so it is not put in force."""
    (problem,) = failed_tests(pack_expecting("Allow"))
    assert (problem.resource, problem.path, problem.line) == ("PolicyPack shop/gateway", "spec.tests", 4)
    assert problem.message == ('the test "t" fails: expected Allow, got Block by safety, rule pattern-1, in Request')


def test_a_pack_without_tests_fails_none():
    """Tests are offered, not demanded."""
    assert failed_tests(pack_of(f"{{{CHAIN}}}")) == ()
