"""Runs the tests that packs carry, on the same engine that judges calls. A test's pack is judged alone.

What counts is what was decided: a step in ``Shadow`` has to find what its test says, though it never acts. A test that
names a step, a rule or a phase is met if one of the strongest decisions is by that one.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from grokwarden.engine import Engine
from grokwarden.engine.decision import Decision, decided_action
from grokwarden.exchange.answer import read_answer
from grokwarden.exchange.body import MalformedCall
from grokwarden.exchange.chat import parse_chat
from grokwarden.policies.system_prompt_guard import POLICY as SYSTEM_PROMPT_GUARD
from grokwarden.policies.system_prompt_guard import Settings as GuardSettings
from grokwarden.vocabulary import Action

if TYPE_CHECKING:
    from grokwarden.compiler.packtests import PackTest

_TOOL_NAME: Final = "tool"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided what; ``None`` where the test does not care, or nobody decided."""

    action: str
    step: str | None = None
    rule: str | None = None
    phase: str | None = None

    def __str__(self) -> str:
        facts = ((" by ", self.step), (", rule ", self.rule), (", in ", self.phase))
        return self.action + "".join(f"{word}{fact}" for word, fact in facts if fact)


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """One test's outcome.

    Attributes:
        got: The strongest decisions, in the order of the chain; the first one if there are several.
        also: The others.
        trouble: Why nothing could be judged; empty if it could.
    """

    __test__ = False

    pack: str
    name: str
    passed: bool
    expected: Judgement
    got: Judgement | None
    also: tuple[Judgement, ...] = ()
    trouble: str = ""
    file: str | None = None
    line: int | None = None


def run_tests(engine: Engine, tests: Iterable["PackTest"]) -> list[TestResult]:
    """Every test's outcome, in order.

    Args:
        engine: Of a bundle with the tests' own pack and no other.
        tests: Of that pack.
    """
    return [_run(engine, test) for test in tests]


def _run(engine: Engine, test: "PackTest") -> TestResult:
    try:
        strongest = _strongest(engine, test)
        trouble = ""
    except MalformedCall as error:
        strongest, trouble = [], f"the call is refused before any step sees it: {error}"
    expected = Judgement(
        action=test.expect_action, step=test.expect_step, rule=test.expect_rule, phase=test.expect_phase
    )
    matching = [judgement for judgement in strongest if _meets(expected, judgement)]
    ordered = [*matching, *(judgement for judgement in strongest if judgement not in matching)]
    return TestResult(
        pack=test.pack,
        name=test.name,
        passed=bool(matching),
        expected=expected,
        got=ordered[0] if ordered else None,
        also=tuple(ordered[1:]),
        trouble=trouble,
        file=test.file,
        line=test.line,
    )


def _meets(expected: Judgement, got: Judgement) -> bool:
    wanted = (expected.step, expected.rule, expected.phase)
    actual = (got.step, got.rule, got.phase)
    return expected.action == got.action and all(
        want is None or want == fact for want, fact in zip(wanted, actual, strict=True)
    )


def _strongest(engine: Engine, test: "PackTest") -> list[Judgement]:
    """The strongest decisions on the test's call, or what the engine refused it for."""
    call = parse_chat(_request_body(test, _required_prompt(engine)))
    unread = engine.refused_opaque(call)
    if unread is not None:
        return [Judgement(action=Action.BLOCK, rule=unread[1].reason)]
    verdict = engine.judge_request(call)
    decisions: list[Decision] = list(verdict.decisions)
    guard = engine.answer_guard() if test.has_response and verdict.block is None else None
    if guard is not None:
        guard.feed(read_answer(_answer_body(test)).pieces)
        guard.finish()
        decisions += guard.decisions
    action = decided_action(decisions)
    if action is Action.ALLOW:
        return [Judgement(action=action)]
    return [_judgement(decision) for decision in decisions if decision.action is action]


def _judgement(decision: Decision) -> Judgement:
    return Judgement(action=decision.action, step=decision.step, rule=decision.rule, phase=decision.phase)


def _required_prompt(engine: Engine) -> str | None:
    """The system prompt that the chain wants, which a test in the short form need not repeat."""
    steps = (step for pack in engine.bundle.packs for step in pack.steps if step.policy == SYSTEM_PROMPT_GUARD.name)
    return next((msgspec.convert(step.settings, GuardSettings).required_prefix for step in steps), None)


def _request_body(test: "PackTest", required_prompt: str | None) -> bytes:
    if test.body is not None:
        return msgspec.json.encode(test.body)
    texts = (
        ("system", required_prompt if test.system is None else test.system),
        ("assistant", test.assistant),
        ("user", test.user),
    )
    messages: Sequence[dict[str, str]] = [{"role": role, "content": text} for role, text in texts if text is not None]
    body: dict[str, Any] = {"messages": messages}
    if test.model is not None:
        body = {"model": test.model, **body}
    return msgspec.json.encode(body)


def _answer_body(test: "PackTest") -> bytes:
    """The answer as the provider would send it."""
    message: dict[str, Any] = {"role": "assistant", "content": test.response_content}
    if test.response_reasoning is not None:
        message["reasoning_content"] = test.response_reasoning
    if test.response_tool_arguments is not None:
        function = {"name": _TOOL_NAME, "arguments": test.response_tool_arguments}
        message["tool_calls"] = [{"index": 0, "id": "call_0", "type": "function", "function": function}]
    finish = "stop" if test.response_tool_arguments is None else "tool_calls"
    return msgspec.json.encode({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})
