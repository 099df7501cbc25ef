"""A step of a pack's chain: a discriminator, and one optional member block per policy."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from grokwarden.api.blocks import (
    AuditLoggerBlock,
    CorePolicyBlock,
    PromptInjectionBlock,
    SafetyFilterBlock,
    SystemPromptGuardBlock,
)
from grokwarden.api.fields import ApiModel, Label, without_repeats
from grokwarden.api.rules import Rule, only_for, required_for
from grokwarden.vocabulary import Fallback, Mode, OnStream, Phase


class PolicyName(StrEnum):
    """The policies that are built; the discriminator of a step's parameters."""

    CORE_POLICY = "core-policy"
    PROMPT_INJECTION = "prompt-injection"
    SAFETY_FILTER = "safety-filter"
    SYSTEM_PROMPT_GUARD = "system-prompt-guard"
    AUDIT_LOGGER = "audit-logger"


class StepAction(StrEnum):
    """What a step may be told to do with what it finds."""

    BLOCK = "Block"
    FLAG = "Flag"


BLOCKS: Final[dict[PolicyName, type[ApiModel]]] = {
    PolicyName.CORE_POLICY: CorePolicyBlock,
    PolicyName.PROMPT_INJECTION: PromptInjectionBlock,
    PolicyName.SAFETY_FILTER: SafetyFilterBlock,
    PolicyName.SYSTEM_PROMPT_GUARD: SystemPromptGuardBlock,
    PolicyName.AUDIT_LOGGER: AuditLoggerBlock,
}


Phases = Annotated[
    tuple[Phase, ...],
    Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
    AfterValidator(without_repeats),
]


def block_name(policy: str) -> str:
    """The member block of a policy: ``prompt-injection`` has ``promptInjection``."""
    first, *others = policy.split("-")
    return first + "".join(word.capitalize() for word in others)


def _union_rules() -> tuple[Rule, ...]:
    only = [only_for(block_name(name), discriminator="policy", value=name) for name in BLOCKS]
    required = [
        required_for(block_name(name), discriminator="policy", value=name)
        for name, block in BLOCKS.items()
        if any(field.is_required() for field in block.model_fields.values())
    ]
    return (*only, *required)


class ChainStep(ApiModel):
    """One step: a policy applied with these parameters."""

    RULES: ClassVar[tuple[Rule, ...]] = _union_rules()

    name: Label = Field(description="The step's name, unique in the chain; decisions, metrics and records carry it.")
    policy: PolicyName = Field(description="The kind of check. Its parameters stand in the member block of its name.")
    action: StepAction | None = Field(
        default=None,
        description=(
            "What happens on a finding, as far as the policy offers a choice. Absent: the policy's own default. "
            "Policies that offer none decide by their parameters."
        ),
    )
    mode: Mode | None = Field(
        default=None, description="Shadow weakens this one step: it decides and records and never acts."
    )
    on_error: Fallback = Field(
        default=Fallback.BLOCK, description="What happens to a call that the step can't judge because it fails itself."
    )
    phases: Phases | None = Field(
        default=None, description="Where the step looks. Absent: everywhere that its policy can look."
    )
    on_stream: OnStream | None = Field(
        default=None,
        description=(
            "How a streamed answer is judged: Cut scores the text as it arrives and ends the stream at the deciding "
            "window, Buffer waits for the whole answer, Reject refuses streaming calls. Only for steps that look at "
            "answers; absent: Cut where the policy can judge windows, otherwise Buffer."
        ),
    )
    core_policy: CorePolicyBlock | None = Field(default=None, description="Parameters of core-policy.")
    prompt_injection: PromptInjectionBlock | None = Field(default=None, description="Parameters of prompt-injection.")
    safety_filter: SafetyFilterBlock | None = Field(default=None, description="Parameters of safety-filter.")
    system_prompt_guard: SystemPromptGuardBlock | None = Field(
        default=None, description="Parameters of system-prompt-guard, which needs them."
    )
    audit_logger: AuditLoggerBlock | None = Field(default=None, description="Parameters of audit-logger.")

    @property
    def block(self) -> ApiModel | None:
        """The member block of the step's own policy; ``None`` where the document has none."""
        block: ApiModel | None = getattr(self, self.policy.replace("-", "_"))
        return block
