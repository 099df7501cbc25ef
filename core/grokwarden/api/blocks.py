"""The parameter blocks of the policies: the members of a step's union, one per policy."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from grokwarden.api.fields import ApiModel, Bool, Int, ListAtomic, ListSet, Threshold

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=1024)]

_SCORE: Final = (
    "The score from which a match counts, between 0 and 1, in quotes. Rules carry weights; a lower threshold catches "
    "more and is wrong more often."
)


class OnForgedTag(StrEnum):
    """What is done with a forged policy tag."""

    NEUTRALISE = "Neutralise"
    BLOCK = "Block"


class RestrictedContent(StrEnum):
    """Content that is restricted only when asked for."""

    ADULT_CONTENT = "AdultContent"
    OFFENSIVE_CONTENT = "OffensiveContent"


class CorePolicyBlock(ApiModel):
    """Parameters of core-policy."""

    on_forged_tag: OnForgedTag = Field(
        default=OnForgedTag.NEUTRALISE,
        description=(
            "What happens to a policy tag that is not ours, in whatever disguise: Neutralise takes its meaning away "
            "and lets the call pass, Block refuses the call."
        ),
    )
    restrict: ListSet[RestrictedContent] = Field(
        default=(),
        max_length=2,
        description="Content that the model is told not to produce, beyond the core policy. Empty: none.",
    )


class PromptInjectionBlock(ApiModel):
    """Parameters of prompt-injection."""

    threshold: Threshold = Field(default="0.8", description=_SCORE)
    attack_patterns: ListAtomic[Pattern] = Field(
        default=(),
        max_length=500,
        description="Your own patterns, in RE2 syntax, beside the built-in rules. A match scores 1.",
    )


class SafetyCategory(StrEnum):
    """What safety-filter looks for."""

    CRIMINAL_ACTIVITY = "CriminalActivity"
    ADULT_CONTENT = "AdultContent"
    OFFENSIVE_CONTENT = "OffensiveContent"


class SafetyFilterBlock(ApiModel):
    """Parameters of safety-filter."""

    threshold: Threshold = Field(default="0.8", description=_SCORE)
    categories: ListSet[SafetyCategory] = Field(
        default=(SafetyCategory.CRIMINAL_ACTIVITY,),
        min_length=1,
        max_length=3,
        description="What is looked for. Adult and offensive content only when asked for.",
    )
    patterns: ListAtomic[Pattern] = Field(
        default=(),
        max_length=500,
        description="Your own patterns, in RE2 syntax, beside the built-in rules. A match scores 1.",
    )


class OnMissing(StrEnum):
    """What is done with a call that lacks the required prefix."""

    BLOCK = "Block"
    PREPEND = "Prepend"


class SystemPromptGuardBlock(ApiModel):
    """Parameters of system-prompt-guard."""

    required_prefix: Annotated[str, StringConstraints(min_length=1, max_length=8192)] = Field(
        description="The text that the system prompt has to begin with, character for character."
    )
    on_missing: OnMissing = Field(
        default=OnMissing.BLOCK,
        description="What happens to a call without it: Block refuses the call, Prepend puts the text in front.",
    )


class ContentCapture(StrEnum):
    """Which content of a call goes into the audit log."""

    NONE = "None"


class AuditLoggerBlock(ApiModel):
    """Parameters of audit-logger."""

    immutable: Bool = Field(
        default=False, description="Whether records must be kept from being changed or deleted by the writer itself."
    )
    retention_days: Int | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="How long records must be kept, in days. Absent: no limit is enforced.",
    )
    log_all_access: Bool = Field(
        default=True, description="Whether calls that no step objects to are recorded as well."
    )
    content_capture: ContentCapture = Field(
        default=ContentCapture.NONE, description="Which content of the calls is recorded. None: no text of any call is."
    )
