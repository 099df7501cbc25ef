"""The tests of a pack, for whoever runs them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grokwarden.api.expectations import nearest
from grokwarden.api.v1alpha1 import PackTestSpec
from grokwarden.compiler.scope import LoadedPack
from grokwarden.errors import Problem
from grokwarden.vocabulary import Action, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTest:
    """One test. Either ``body`` is set, or at least one of ``user``, ``system`` and ``assistant``.

    Attributes:
        pack: ``namespace/name`` of the pack whose own chain is judged, and no other.
        expect_step: ``None``, like the following ones, where the test does not care.
        file: Where the test stands, if it came from a file.
    """

    pack: str
    name: str
    user: str | None
    system: str | None
    assistant: str | None
    model: str | None
    body: dict[str, Any] | None
    response_content: str | None
    response_reasoning: str | None
    response_tool_arguments: str | None
    expect_action: Action
    expect_step: str | None
    expect_rule: str | None
    expect_phase: Phase | None
    file: str | None
    line: int | None

    @property
    def has_response(self) -> bool:
        """An answer is to be judged too."""
        given = (self.response_content, self.response_reasoning, self.response_tool_arguments)
        return any(text is not None for text in given)


def tests_of(loaded: LoadedPack) -> tuple[PackTest, ...]:
    """The pack's own tests, in order."""
    return tuple(_test_of(loaded, index, spec) for index, spec in enumerate(loaded.pack.spec.tests))


def expectation_problems(loaded: LoadedPack) -> Iterator[Problem]:
    """Tests that expect something of a step that is not there."""
    steps = [step.name for step in loaded.pack.spec.chain]
    for index, test in enumerate(loaded.pack.spec.tests):
        step = test.expect.step
        if step is not None and step not in steps:
            message = f'the chain has no step "{step}"{nearest(step, steps)}'
            yield loaded.source.problem(("spec", "tests", index, "expect", "step"), message)


def _test_of(loaded: LoadedPack, index: int, spec: PackTestSpec) -> PackTest:
    request, response, expect = spec.request, spec.response, spec.expect
    document = loaded.source.document
    return PackTest(
        pack=loaded.source.full_name,
        name=spec.name,
        user=request.user,
        system=request.system,
        assistant=request.assistant,
        model=request.model,
        body=request.body,
        response_content=response.content if response else None,
        response_reasoning=response.reasoning if response else None,
        response_tool_arguments=response.tool_arguments if response else None,
        expect_action=expect.action,
        expect_step=expect.step,
        expect_rule=expect.rule,
        expect_phase=expect.phase,
        file=document.file,
        line=document.line_of(("spec", "tests", index)),
    )
