"""What the operator reports in ``status``; nothing here is an author's to write."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from grokwarden.api.fields import ApiModel, Int, Label, ListAtomic, ObjectName

REASON_PATTERN: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"

Message = Annotated[str, StringConstraints(max_length=32768)]
Count = Annotated[Int, Field(ge=0, json_schema_extra={"format": "int32"})]
Generation = Annotated[Int, Field(ge=0, json_schema_extra={"format": "int64"})]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=REASON_PATTERN)]


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One aspect of the object's state."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=316)] = Field(description="Which aspect.")
    status: ConditionStatus = Field(description="Whether it holds.")
    observed_generation: Generation | None = Field(
        default=None, description="The generation of the spec that the condition speaks of."
    )
    last_transition_time: datetime = Field(description="When status last changed.")
    reason: Reason = Field(description="Why, in one word for programs.")
    message: Message = Field(description="Why, for people.")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class SidecarCounts(ApiModel):
    """How many sidecars run exactly this generation, and how many don't."""

    desired: Count = Field(default=0, description="Pods that the pack selects.")
    acked: Count = Field(default=0, description="Sidecars that run exactly this generation.")
    nacked: Count = Field(default=0, description="Sidecars that refuse it.")
    stale: Count = Field(default=0, description="Sidecars that run an older generation, or have not answered.")
    missing: Count = Field(default=0, description="Selected pods that have no sidecar.")


class Nack(ApiModel):
    """A sidecar's refusal of the pack."""

    pod: ObjectName = Field(description="The pod whose sidecar refuses.")
    generation: Generation = Field(description="The generation that it refuses.")
    reason: Reason = Field(description="Why, in one word for programs.")
    message: Message = Field(description="Why, for people.")


class UnenforceablePath(ApiModel):
    """A path on which a step enforces nothing."""

    step: Label = Field(description="The step.")
    path: Annotated[str, StringConstraints(max_length=253)] = Field(
        description="Endpoint, phase, and whether the answer is streamed."
    )
    reason: Message = Field(description="Why the step can't be enforced there.")


class PolicyPackStatus(ApiModel):
    """What became of the pack."""

    observed_generation: Generation | None = Field(default=None, description="The generation last looked at.")
    conditions: Conditions = Field(
        default=(), max_length=16, description="Accepted, ResolvedRefs, TestsPassed, Programmed."
    )
    sidecars: SidecarCounts | None = Field(default=None, description="How many sidecars run the pack.")
    nacks: ListAtomic[Nack] = Field(default=(), max_length=10, description="The first refusals, at most ten.")
    unenforceable: ListAtomic[UnenforceablePath] = Field(
        default=(), max_length=512, description="Every path on which a step enforces nothing."
    )


class ProviderTargetStatus(ApiModel):
    """What became of the target."""

    observed_generation: Generation | None = Field(default=None, description="The generation last looked at.")
    conditions: Conditions = Field(default=(), max_length=16, description="Accepted, SecretResolved, ModelAvailable.")
