"""PolicyPack: a chain of steps, where its calls go, and the tests that it carries."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from grokwarden.api.chain import ChainStep
from grokwarden.api.fields import ApiModel, Bool, Int, Label, LabelSelector, ListAtomic, ListSet, ObjectName, Semver
from grokwarden.api.metadata import ObjectMeta
from grokwarden.api.packtest import PackTestSpec
from grokwarden.api.rules import Raw, Reason, Rule, rule, unique_names
from grokwarden.api.status import PolicyPackStatus
from grokwarden.vocabulary import BlockStyle, Endpoint, Fallback, Mode, RetryCause, Strategy


class PackSelector(ApiModel):
    """Which pods the pack governs."""

    pod_selector: LabelSelector | None = Field(default=None, description="Labels of the pods. Absent: every pod.")
    namespace_selector: LabelSelector | None = Field(
        default=None,
        description=(
            "Labels of the namespaces; only for packs of the operator's own namespace. Absent: every namespace there, "
            "and the pack's own everywhere else."
        ),
    )


class PackEndpoints(ApiModel):
    """Which of the provider's APIs may be called."""

    allow: ListSet[Endpoint] = Field(
        default=(Endpoint.CHAT_COMPLETIONS, Endpoint.MODELS),
        min_length=1,
        max_length=2,
        description="The APIs that may be called; all others are refused. Several packs on one pod: what all allow.",
    )


class TargetReference(ApiModel):
    """A ProviderTarget, by name."""

    name: ObjectName = Field(description="The target's name.")
    namespace: Label | None = Field(
        default=None,
        description="The target's namespace, which has to allow this one. Absent: the pack's own namespace.",
    )


class PackRetry(ApiModel):
    """When a call is tried again, before the first byte of an answer."""

    max_retries: Int = Field(
        default=0, ge=0, le=10, description="Further attempts after the first one, on the next target or the same."
    )
    retry_on: ListSet[RetryCause] = Field(
        default=(RetryCause.CONNECT, RetryCause.SERVER_ERROR, RetryCause.RATE_LIMITED),
        max_length=4,
        description="What is tried again. Timeout only if named: the first attempt may have been billed.",
    )


class PackRouting(ApiModel):
    """Where the calls go."""

    RULES: ClassVar[tuple[Rule, ...]] = (unique_names("targets"),)

    strategy: Strategy = Field(
        default=Strategy.ORDERED,
        description=(
            "Ordered prefers the first target that works, Weighted shares by the targets' weights, RoundRobin takes "
            "turns, LowestLatency and LowestCost choose by what was measured."
        ),
    )
    targets: ListAtomic[TargetReference] = Field(
        min_length=1, max_length=32, description="The targets, in order of preference."
    )
    retry: PackRetry = Field(
        default_factory=PackRetry,
        description="When a call is tried again.",
        json_schema_extra={"default": {}},
    )


class PackBlockResponse(ApiModel):
    """How a caller is told that a request was blocked."""

    style: BlockStyle = Field(
        default=BlockStyle.ERROR,
        description="Error is HTTP 400, Refusal is a 200 with finish_reason content_filter and a refusal text.",
    )
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="", description="What the caller reads instead of the usual text."
    )
    contact: Annotated[str, StringConstraints(max_length=253)] = Field(
        default="", description="Whom the caller may ask, added to the text."
    )


def _has_chain_or_routing(raw: Raw) -> bool:
    return bool(raw.get("chain")) or raw.get("routing") is not None


class PolicyPackSpec(ApiModel):
    """What is enforced, on which calls, and where they go."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(
            "chain",
            "a pack needs a chain or a routing",
            Reason.REQUIRED,
            cel="(has(self.chain) && size(self.chain) > 0) || has(self.routing)",
            holds=_has_chain_or_routing,
        ),
        unique_names("chain"),
        unique_names("tests", keyed=True),
    )

    version: Semver = Field(default="0.0.0", description="The pack's own version, as a semantic version.")
    enabled: Bool = Field(default=True, description="A pack that is not enabled is checked, and otherwise left out.")
    mode: Mode = Field(
        default=Mode.ENFORCE, description="Shadow decides and records what it would have done, and never acts."
    )
    priority: Int = Field(
        default=0,
        ge=-1_000_000,
        le=1_000_000,
        description=(
            "Order among the packs of one namespace: higher first, then by name. Packs of the operator's own "
            "namespace come before all others, whatever their priority."
        ),
        json_schema_extra={"format": "int32"},
    )
    selector: PackSelector | None = Field(
        default=None, description="Which pods the pack governs. Absent: every governed pod of its namespace."
    )
    endpoints: PackEndpoints = Field(
        default_factory=PackEndpoints,
        description="Which of the provider's APIs may be called.",
        json_schema_extra={"default": {}},
    )
    on_unscannable: Fallback = Field(
        default=Fallback.BLOCK,
        description="What happens to a call with content that can't be read: images, file ids, server-side tools.",
    )
    chain: ListAtomic[ChainStep] = Field(
        default=(), max_length=64, description="The steps, in order of evaluation. A pack needs a chain or a routing."
    )
    routing: PackRouting | None = Field(
        default=None,
        description="Where the calls go. The first pack in order that has one decides it for all packs of a pod.",
    )
    block_response: PackBlockResponse = Field(
        default_factory=PackBlockResponse,
        description="How a caller is told that a request was blocked.",
        json_schema_extra={"default": {}},
    )
    tests: tuple[PackTestSpec, ...] = Field(
        default=(),
        max_length=200,
        description="The pack's own tests, judged by its own chain alone.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class PolicyPack(ApiModel):
    """A policy pack: an ordered chain of checks for the model calls of the pods that it selects."""

    api_version: Literal["grokwarden.io/v1alpha1"] = Field(description="grokwarden.io/v1alpha1.")
    kind: Literal["PolicyPack"] = Field(description="PolicyPack.")
    metadata: ObjectMeta = Field(description="Standard object's metadata.")
    spec: PolicyPackSpec = Field(description="What is enforced, on which calls, and where they go.")
    status: PolicyPackStatus | None = Field(default=None, description="What became of the pack.")
