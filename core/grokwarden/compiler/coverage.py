"""What each step does on each path: endpoint, phase, and whether the answer is streamed. No cell is left blank."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grokwarden.bundle import PackPart, StepPart
from grokwarden.policies import POLICIES
from grokwarden.vocabulary import Endpoint, Mode, Need, OnStream, Phase

PHASES_OF: Final[Mapping[Endpoint, tuple[Phase, ...]]] = {
    Endpoint.CHAT_COMPLETIONS: tuple(Phase),
    Endpoint.MODELS: (),
}
STREAMING: Final = frozenset({Endpoint.CHAT_COMPLETIONS})
ANSWER_PHASES: Final = (Phase.RESPONSE, Phase.TOOL_ARGUMENTS)


class Enforcement(StrEnum):
    """How a step is enforced on a path, or why it is not."""

    ENFORCED = "Enforced"  # before anything of it is delivered
    CUT = "Cut"  # ends the stream at the deciding window; what came before was delivered
    BUFFER = "Buffer"  # held back until it is complete
    REJECT = "Reject"  # streaming calls are refused
    NOT_SELECTED = "NotSelected"  # the step's phases leave it out
    NOT_SEEN = "NotSeen"  # the policy can't look there
    NO_TEXT = "NoText"  # the endpoint carries nothing to look at


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """One step on one path. In ``Shadow`` mode the step judges there as said, and never acts."""

    pack: str
    step: str
    policy: str
    mode: Mode
    endpoint: Endpoint
    phase: Phase
    stream: bool
    enforcement: Enforcement


def coverage_rows(packs: Sequence[PackPart]) -> Iterator[CoverageRow]:
    """Every step on every path that its pack lets through."""
    for pack in packs:
        for step in pack.steps:
            for endpoint in pack.endpoints:
                yield from _rows_of(pack.name, step, endpoint)


def streamed_phases(policy: str, phases: Sequence[Phase]) -> Mapping[Phase, Need]:
    """The phases in which the policy judges a piece of an answer that can be streamed, with what it needs."""
    sees = POLICIES[policy].sees
    return {p: sees[p] for p in phases if p in ANSWER_PHASES and sees.get(p, Need.CALL) is not Need.CALL}


def path_text(endpoint: Endpoint, phase: Phase, *, stream: bool) -> str:
    """A path in words: ``ChatCompletions x Response x stream``."""
    return f"{endpoint} x {phase} x {'stream' if stream else 'no stream'}"


def _rows_of(pack: str, step: StepPart, endpoint: Endpoint) -> Iterator[CoverageRow]:
    for phase in Phase:
        for stream in (False, True) if endpoint in STREAMING else (False,):
            yield CoverageRow(
                pack=pack,
                step=step.name,
                policy=step.policy,
                mode=step.mode,
                endpoint=endpoint,
                phase=phase,
                stream=stream,
                enforcement=_enforcement(step, endpoint, phase, stream=stream),
            )


def _enforcement(step: StepPart, endpoint: Endpoint, phase: Phase, *, stream: bool) -> Enforcement:
    if phase not in PHASES_OF[endpoint]:
        return Enforcement.NO_TEXT
    if phase not in POLICIES[step.policy].sees:
        return Enforcement.NOT_SEEN
    if phase not in step.phases:
        return Enforcement.NOT_SELECTED
    need = streamed_phases(step.policy, (phase,)).get(phase)
    if not stream or need is None or step.on_stream is None:
        return Enforcement.ENFORCED
    if step.on_stream is OnStream.CUT and need is Need.WHOLE:
        return Enforcement.BUFFER
    return Enforcement(step.on_stream.value)
