"""A step of a chain, resolved: defaults filled in, and refused where it can't be enforced as it says."""

from collections.abc import Iterator, Mapping
from typing import Any

from grokwarden.api.paths import parse_path
from grokwarden.api.v1alpha1 import BLOCKS, ChainStep, block_name
from grokwarden.bundle import StepPart
from grokwarden.compiler.coverage import ANSWER_PHASES, path_text, streamed_phases
from grokwarden.compiler.scope import LoadedPack
from grokwarden.errors import Problem
from grokwarden.policies import POLICIES
from grokwarden.resources import FieldPath
from grokwarden.vocabulary import Action, Endpoint, Mode, Need, OnStream, Phase

_Complaint = tuple[FieldPath, str]


def compile_steps(loaded: LoadedPack, problems: list[Problem]) -> tuple[StepPart, ...]:
    """The chain's steps in order; what can't be enforced goes to ``problems``."""
    parts: list[StepPart] = []
    for index, step in enumerate(loaded.pack.spec.chain):
        at: FieldPath = ("spec", "chain", index)
        settings = step_settings(step)
        for path, message in (*_gaps(step), *_setting_problems(step, settings)):
            problems.append(loaded.source.problem((*at, *path), message))
        phases = _phases(step)
        parts.append(
            StepPart(
                name=step.name,
                policy=step.policy.value,
                action=_action(step),
                mode=_effective_mode(loaded.pack.spec.mode, step),
                on_error=step.on_error,
                phases=phases,
                on_stream=_on_stream(step, phases),
                settings=settings,
            )
        )
    return tuple(parts)


def mode_warnings(loaded: LoadedPack) -> Iterator[Problem]:
    """Steps that ask to be enforced in a pack that enforces nothing."""
    for index, step in enumerate(loaded.pack.spec.chain):
        if step.mode is Mode.ENFORCE and loaded.pack.spec.mode is Mode.SHADOW:
            message = "has no effect: the whole pack is in Shadow mode, and a step can only weaken its pack"
            yield loaded.source.problem(("spec", "chain", index, "mode"), message)


def step_settings(step: ChainStep) -> dict[str, Any]:
    """The parameters of a step's policy by snake_case name, all present."""
    block = step.block or BLOCKS[step.policy]()
    return block.model_dump(mode="json", by_alias=False)


def _effective_mode(pack_mode: Mode, step: ChainStep) -> Mode:
    return Mode.SHADOW if Mode.SHADOW in (pack_mode, step.mode) else Mode.ENFORCE


def _action(step: ChainStep) -> Action:
    offered = POLICIES[step.policy].actions
    if step.action is not None:
        return Action(step.action.value)
    return offered[0] if offered else Action.BLOCK


def _phases(step: ChainStep) -> tuple[Phase, ...]:
    wanted = POLICIES[step.policy].sees if step.phases is None else step.phases
    return tuple(phase for phase in Phase if phase in wanted)


def _on_stream(step: ChainStep, phases: tuple[Phase, ...]) -> OnStream | None:
    needs = streamed_phases(step.policy, phases).values()
    if not needs:
        return None
    return step.on_stream or (OnStream.CUT if Need.WINDOW in needs else OnStream.BUFFER)


def _gaps(step: ChainStep) -> Iterator[_Complaint]:
    """Every wish of the step that its policy can't fulfil, with the path it fails on and what to write instead."""
    policy = POLICIES[step.policy]
    if step.action is not None and step.action.value not in policy.actions:
        yield ("action",), _action_not_offered(step)
    for index, phase in enumerate(step.phases or ()):
        if phase not in policy.sees:
            path = path_text(Endpoint.CHAT_COMPLETIONS, phase, stream=False)
            where = f"{path} or on its stream" if phase in ANSWER_PHASES else path
            message = f"{policy.name} can't be enforced on {where}: it sees {', '.join(policy.sees)}; remove {phase}"
            yield ("phases", index), message
    if step.on_stream is not None:
        yield from _stream_gaps(step, step.on_stream)


def _action_not_offered(step: ChainStep) -> str:
    policy = POLICIES[step.policy]
    if policy.actions:
        return f"{policy.name} can't {step.action}; it offers {', '.join(policy.actions)}"
    deciding = [f.alias for name, f in BLOCKS[step.policy].model_fields.items() if name.startswith("on_")]
    if not deciding:
        return f"{policy.name} offers no action, as it judges nothing: remove it"
    return (
        f"{policy.name} offers no action; {block_name(policy.name)}.{deciding[0]} decides: remove action and set that"
    )


def _stream_gaps(step: ChainStep, on_stream: OnStream) -> Iterator[_Complaint]:
    phases = _phases(step)
    needs = streamed_phases(step.policy, phases)
    path = path_text(Endpoint.CHAT_COMPLETIONS, next(iter(needs), Phase.RESPONSE), stream=True)
    if not needs:
        seen = ", ".join(streamed_phases(step.policy, tuple(Phase)))
        remedy = f"add {seen} to phases, or remove onStream" if seen else "remove onStream"
        looks = ", ".join(phases) or "nothing"
        yield ("onStream",), f"the step judges nothing on {path}: it looks at {looks}; {remedy}"
    elif on_stream is OnStream.CUT and Need.WINDOW not in needs.values():
        windowed = [p for p, need in POLICIES[step.policy].sees.items() if need is Need.WINDOW]
        others = f", or add {', '.join(windowed)} to phases" if windowed else ""
        yield (
            ("onStream",),
            f"Cut can't be enforced on {path}: {step.policy} judges that as a whole; write Buffer or Reject{others}",
        )


def _setting_problems(step: ChainStep, settings: Mapping[str, Any]) -> Iterator[_Complaint]:
    """What the policy itself says of its parameters."""
    for problem in POLICIES[step.policy].check(settings):
        yield (block_name(step.policy), *parse_path(problem.path)), problem.message
