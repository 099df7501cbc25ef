"""What the tests in a pack mean."""

import pytest

from grokwarden.compiler import Scope, compile_each_pack
from grokwarden.edge.files import load_sources
from grokwarden.edge.sources import Source
from grokwarden.engine import Engine
from grokwarden.packtests import TestResult, run_tests
from resource_texts import pack_text

PACK = """\
apiVersion: grokwarden.io/v1alpha1
kind: PolicyPack
metadata: {name: a}
spec:
  mode: MODE
  chain:
    - {name: injection, policy: prompt-injection, promptInjection: {attackPatterns: [nightfall]}}
    - {name: second, policy: prompt-injection, promptInjection: {attackPatterns: [nightfall, "^quiet"]}}
    - {name: flagged, policy: safety-filter, action: Flag, safetyFilter: {patterns: [daybreak]}}
  tests:
    - {name: t, TEST}
"""


def outcome(test: str, *, mode: str = "Enforce") -> TestResult:
    text = PACK.replace("MODE", mode).replace("TEST", test)
    loaded = load_sources([Source(name="pack.yaml", data=text.encode())])
    assert loaded.problems == ()
    (pack,) = compile_each_pack(loaded.documents, scope=Scope())
    (result,) = run_tests(Engine(pack.bundle), pack.tests)
    return result


PASSING = [
    ("request: {user: hello}, expect: {action: Allow}"),
    ("request: {user: nightfall}, expect: {action: Block}"),
    ("request: {user: nightfall}, expect: {action: Block, step: injection, phase: Request}"),
    ("request: {user: nightfall}, expect: {action: Block, step: second}"),
    ("request: {user: quiet}, expect: {action: Block, step: second, rule: attack-pattern-2}"),
    ("request: {user: daybreak}, expect: {action: Flag, step: flagged}"),
    ("request: {user: daybreak nightfall}, expect: {action: Block}"),
    ("request: {system: be kind, assistant: yes?, user: hello, model: grok-4.3}, expect: {action: Allow}"),
    ("request: {user: hello}, response: {content: daybreak}, expect: {action: Flag, phase: Response}"),
    ("request: {user: hello}, response: {reasoning: daybreak}, expect: {action: Flag, phase: Response}"),
    ('request: {user: a}, response: {toolArguments: \'{"q": "daybreak"}\'}, expect: {action: Flag}'),
    ("request: {user: hello}, response: {content: good day}, expect: {action: Allow}"),
    ("request: {body: {messages: [{role: tool, tool_call_id: x, content: nightfall}]}}, expect: {action: Block}"),
    (
        "request: {body: {messages: [{role: user, content: [{type: image_url, image_url: {url: 'data:'}}]}]}},"
        " expect: {action: Block, rule: image}"
    ),
]
FAILING = [
    ("request: {user: hello}, expect: {action: Block}", "Allow"),
    ("request: {user: nightfall}, expect: {action: Allow}", "Block by injection, rule attack-pattern-1, in Request"),
    ("request: {user: quiet}, expect: {action: Block, step: injection}", "Block by second"),
    ("request: {user: daybreak}, expect: {action: Block}", "Flag by flagged"),
    ("request: {user: daybreak nightfall}, expect: {action: Flag, step: flagged}", "Block by injection"),
]


@pytest.mark.parametrize("test", PASSING)
def test_a_test_that_describes_the_chain_passes(test: str):
    """What passes here is what the sidecar decides: it is the same engine, on the same bytes."""
    result = outcome(test)
    assert result.passed, f"got {result.got} {result.trouble}"


@pytest.mark.parametrize(("test", "got"), FAILING)
def test_a_test_that_does_not_fails_and_says_what_came(test: str, got: str):
    """A test that can't fail proves nothing."""
    result = outcome(test)
    assert not result.passed
    assert str(result.got).startswith(got)
    assert (result.file, result.line) == ("pack.yaml", 11)


def test_a_pack_in_shadow_is_tested_by_what_it_would_do():
    """That is what shadow is for: to see the decisions before they act."""
    assert outcome("request: {user: nightfall}, expect: {action: Block, step: injection}", mode="Shadow").passed


def test_an_answer_is_not_judged_after_a_blocked_request():
    """The call would never have got that far."""
    result = outcome("request: {user: nightfall}, response: {content: daybreak}, expect: {action: Flag}")
    assert not result.passed
    assert str(result.got).startswith("Block by injection")


def test_a_call_that_is_refused_as_malformed_fails_with_the_reason():
    """No step has decided anything, so neither Allow nor Block would be the truth."""
    result = outcome("request: {body: {messages: []}}, expect: {action: Allow}")
    assert not result.passed
    assert result.got is None
    assert "refused before any step sees it" in result.trouble


@pytest.mark.parametrize(
    ("request_text", "action"),
    [
        ("user: hi", "Allow"),
        ("system: Be evil., user: hi", "Block"),
        ("body: {messages: [{role: user, content: hi}]}", "Block"),
    ],
)
def test_the_short_form_is_a_call_with_the_system_prompt_that_the_chain_requires(request_text: str, action: str):
    """A test is about its one text; a prompt that each of them had to repeat would hide it."""
    chain = '{name: p, policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: "Be kind."}}'
    spec = f"{{chain: [{chain}], tests: [{{name: t, request: {{{request_text}}}, expect: {{action: {action}}}}}]}}"
    loaded = load_sources([Source(name="pack.yaml", data=pack_text(spec).encode())])
    (pack,) = compile_each_pack(loaded.documents, scope=Scope())

    assert [result.passed for result in run_tests(Engine(pack.bundle), pack.tests)] == [True]
