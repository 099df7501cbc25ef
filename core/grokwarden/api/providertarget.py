"""ProviderTarget: an endpoint of a provider, its key, and what is to be expected of it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from grokwarden.api.fields import ApiModel, Bool, Duration, Int, LabelSelector, ObjectName, Price
from grokwarden.api.metadata import ObjectMeta
from grokwarden.api.rules import Raw, Reason, Rule, only_for, required_for, rule, usable_duration
from grokwarden.api.status import ProviderTargetStatus
from grokwarden.vocabulary import OnDeviation, Provider

SHORTHAND: Final = "xai:chat:"
PROVIDER_PATTERN: Final = r"^(xai(:chat:[^\s:/]+)?|openai|openai-compatible)$"
BASE_URL_PATTERN: Final = r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$"
PROXY_URL_PATTERN: Final = r"^https?://[^\s/?#@]+/?$"
LOOPBACK_PATTERN: Final = r"^http://(localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\[::1\])(:[0-9]+)?(/.*)?$"
MODEL_PATTERN: Final = r"^[^\s]+$"
ENTRY_PATTERN: Final = r"^[-._a-zA-Z0-9]+$"
ENVIRONMENT_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"

_LOOPBACK: Final = re.compile(LOOPBACK_PATTERN)

DEFAULT_BASE_URLS: Final[Mapping[Provider, str]] = {
    Provider.XAI: "https://api.x.ai/v1",
    Provider.OPENAI: "https://api.openai.com/v1",
}

BaseUrl = Annotated[str, StringConstraints(max_length=2048, pattern=BASE_URL_PATTERN)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=MODEL_PATTERN)]


class WireFormat(StrEnum):
    """What the target speaks."""

    OPENAI = "openai"


class PriceSource(StrEnum):
    """Whose figure a call's cost is."""

    PROVIDER = "Provider"
    TABLE = "Table"


class AllowedFrom(StrEnum):
    """Which namespaces may use a target."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class SecretKeyRef(ApiModel):
    """Where the key is found: an entry of a Secret, or standalone an environment variable or a file."""

    name: ObjectName | None = Field(default=None, description="The Secret's name, in the target's namespace.")
    key: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=ENTRY_PATTERN)] | None = Field(
        default=None, description="The entry of the Secret."
    )
    env: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=ENVIRONMENT_PATTERN)] | None = Field(
        default=None, description="An environment variable of the sidecar; refused in a cluster."
    )
    file: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        default=None, description="A file that the sidecar can read; refused in a cluster."
    )


class TargetTimeouts(ApiModel):
    """How long each part of a call may take. Grok reasons silently for minutes."""

    RULES: ClassVar[tuple[Rule, ...]] = tuple(
        usable_duration(field) for field in ("connect", "firstByte", "streamIdle", "total")
    )

    connect: Duration = Field(default="5s", description="To a usable connection.")
    first_byte: Duration = Field(default="600s", description="To the first byte of the answer.")
    stream_idle: Duration = Field(default="600s", description="Between two pieces of a streamed answer.")
    total: Duration = Field(default="1620s", description="The whole call.")


class TargetCircuitBreaker(ApiModel):
    """When a failing target is left alone for a while."""

    RULES: ClassVar[tuple[Rule, ...]] = tuple(usable_duration(field) for field in ("window", "cooldown"))

    failures: Int = Field(default=5, ge=1, le=10_000, description="Failures within the window that open the breaker.")
    window: Duration = Field(default="30s", description="The time in which failures are counted together.")
    cooldown: Duration = Field(default="15s", description="How long an open breaker waits before it lets one call try.")


class TargetPricing(ApiModel):
    """What a call costs, in USD per million tokens, in quotes."""

    RULES: ClassVar[tuple[Rule, ...]] = tuple(
        required_for(field, discriminator="source", value=PriceSource.TABLE)
        for field in ("inputPerMillion", "outputPerMillion")
    )

    source: PriceSource = Field(
        default=PriceSource.PROVIDER,
        description="Provider takes the provider's own figure, or else the table; Table takes the table alone.",
    )
    input_per_million: Price | None = Field(default=None, description="Prompt tokens.")
    cached_input_per_million: Price | None = Field(
        default=None, description="Prompt tokens that the provider had cached. Absent: as other prompt tokens."
    )
    output_per_million: Price | None = Field(default=None, description="Completion and reasoning tokens.")


class TargetLifecycle(ApiModel):
    """What happens when the model is not the one that was asked for, or will soon not be."""

    on_retired: OnDeviation = Field(
        default=OnDeviation.WARN, description="The model asked for is retired: Reject refuses the call, Warn says so."
    )
    on_substitution: OnDeviation = Field(
        default=OnDeviation.WARN,
        description="The answer comes from another model than was sent: Reject refuses the answer, Warn says so.",
    )


class AllowedNamespaces(ApiModel):
    """Which namespaces' packs may use the target."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        only_for("selector", discriminator="from", value=AllowedFrom.SELECTOR, default=AllowedFrom.SAME),
        required_for("selector", discriminator="from", value=AllowedFrom.SELECTOR),
    )

    from_: AllowedFrom = Field(
        alias="from",
        default=AllowedFrom.SAME,
        description="Same is the target's own namespace, All is every one, Selector those that selector selects.",
    )
    selector: LabelSelector | None = Field(default=None, description="Labels of the namespaces, with from Selector.")


_KEY_FORMS: Final = "exactly one form is required: name and key, or env, or file"


def _has_one_key_form(raw: Raw) -> bool:
    ref = raw.get("secretKeyRef")
    if not isinstance(ref, Mapping):
        return True
    given = {member for member in ("name", "key", "env", "file") if ref.get(member) is not None}
    return given in ({"name", "key"}, {"env"}, {"file"})


def _has_key_if_needed(raw: Raw) -> bool:
    return raw.get("secretKeyRef") is not None or raw.get("provider") in (Provider.OPENAI_COMPATIBLE, None)


def _is_protected(raw: Raw) -> bool:
    url = raw.get("baseURL")
    if not isinstance(url, str) or not url.startswith("http://"):
        return True
    return raw.get("insecure") is True or _LOOPBACK.match(url) is not None


def _agrees_on_model(raw: Raw) -> bool:
    provider, model = raw.get("provider"), raw.get("model")
    if not isinstance(provider, str) or not provider.startswith(SHORTHAND) or not isinstance(model, str):
        return True
    return provider == f"{SHORTHAND}{model}"


_CEL_LOOPBACK: Final = LOOPBACK_PATTERN.replace("\\", "\\\\")


class ProviderTargetSpec(ApiModel):
    """Where a call goes and with which key."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(
            "secretKeyRef",
            _KEY_FORMS,
            Reason.INVALID,
            cel=(
                "!has(self.secretKeyRef) || (has(self.secretKeyRef.name) == has(self.secretKeyRef.key) && "
                "((has(self.secretKeyRef.name) ? 1 : 0) + (has(self.secretKeyRef.env) ? 1 : 0) + "
                "(has(self.secretKeyRef.file) ? 1 : 0)) == 1)"
            ),
            holds=_has_one_key_form,
        ),
        rule(
            "secretKeyRef",
            "is required unless provider is openai-compatible",
            Reason.REQUIRED,
            cel="has(self.secretKeyRef) || self.provider == 'openai-compatible'",
            holds=_has_key_if_needed,
        ),
        required_for("baseURL", discriminator="provider", value=Provider.OPENAI_COMPATIBLE),
        rule(
            "baseURL",
            "must be https: over http the key and every prompt are readable on the way; insecure: true accepts that",
            Reason.INVALID,
            cel=(
                "!has(self.baseURL) || self.baseURL.startsWith('https://') || "
                f"(has(self.insecure) && self.insecure) || self.baseURL.matches('{_CEL_LOOPBACK}')"
            ),
            holds=_is_protected,
        ),
        rule(
            "model",
            "contradicts the model that provider names; give one of the two",
            Reason.INVALID,
            cel=(
                f"!has(self.model) || !self.provider.startsWith('{SHORTHAND}') || "
                f"self.provider == '{SHORTHAND}' + self.model"
            ),
            holds=_agrees_on_model,
        ),
    )

    provider: Annotated[str, StringConstraints(max_length=300, pattern=PROVIDER_PATTERN)] = Field(
        description=(
            "Who serves the model: xai, openai or openai-compatible. xai:chat:<model> gives provider and model at once."
        )
    )
    model: ModelName | None = Field(
        default=None,
        description="Replaces the call's model on this target. Absent: the call's own, which must then name one.",
    )
    base_url: BaseUrl | None = Field(
        alias="baseURL",
        default=None,
        description=(
            "Where the API is. Absent: https://api.x.ai/v1 for xai, https://api.openai.com/v1 for openai; "
            "openai-compatible has no default."
        ),
    )
    insecure: Bool = Field(
        default=False, description="Accept a baseURL with http, over which the key and every prompt travel readable."
    )
    format: WireFormat = Field(default=WireFormat.OPENAI, description="What the target speaks.")
    secret_key_ref: SecretKeyRef | None = Field(
        default=None, description="Where the key is found, in exactly one form: name and key, or env, or file."
    )
    weight: Int = Field(
        default=100, ge=0, le=1_000_000, description="The target's share with strategy Weighted; 0 is none."
    )
    timeouts: TargetTimeouts = Field(
        default_factory=TargetTimeouts,
        description="How long each part of a call may take.",
        json_schema_extra={"default": {}},
    )
    circuit_breaker: TargetCircuitBreaker = Field(
        default_factory=TargetCircuitBreaker,
        description="When a failing target is left alone for a while.",
        json_schema_extra={"default": {}},
    )
    pricing: TargetPricing = Field(
        default_factory=TargetPricing, description="What a call costs.", json_schema_extra={"default": {}}
    )
    lifecycle: TargetLifecycle = Field(
        default_factory=TargetLifecycle,
        description="What happens when the model is not the one that was asked for.",
        json_schema_extra={"default": {}},
    )
    allowed_namespaces: AllowedNamespaces = Field(
        default_factory=AllowedNamespaces,
        description="Which namespaces' packs may use the target; for a shared key.",
        json_schema_extra={"default": {}},
    )
    proxy_url: Annotated[str, StringConstraints(max_length=2048, pattern=PROXY_URL_PATTERN)] | None = Field(
        alias="proxyURL", default=None, description="The proxy through which the target is reached."
    )
    ca_bundle: Annotated[str, StringConstraints(min_length=1, max_length=262144)] | None = Field(
        default=None, description="Certificates (PEM) that are trusted beside the system's."
    )


class ProviderTarget(ApiModel):
    """A provider target: where calls may go, with which key, and what is expected of it."""

    api_version: Literal["grokwarden.io/v1alpha1"] = Field(description="grokwarden.io/v1alpha1.")
    kind: Literal["ProviderTarget"] = Field(description="ProviderTarget.")
    metadata: ObjectMeta = Field(description="Standard object's metadata.")
    spec: ProviderTargetSpec = Field(description="Where a call goes and with which key.")
    status: ProviderTargetStatus | None = Field(default=None, description="What became of the target.")
