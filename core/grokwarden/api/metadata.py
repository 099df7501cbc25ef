"""The standard object metadata, as far as an author may write it or a tool may leave it behind."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from grokwarden.api.fields import ApiModel, Int, Label, ObjectName

GROUP: Final = "grokwarden.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

_Free = Annotated[str, StringConstraints(max_length=262144)]


def _is_usable_name(name: str) -> str:
    if ".." in name or ".-" in name or "-." in name:
        raise PydanticCustomError("object_name", "not an object name")
    return name


class ObjectMeta(ApiModel):
    """Standard object's metadata."""

    name: Annotated[ObjectName, AfterValidator(_is_usable_name)] = Field(description="The object's name.")
    namespace: Label | None = Field(default=None, description="The object's namespace.")
    labels: dict[str, _Free] = Field(default_factory=dict, description="Labels.")
    annotations: dict[str, _Free] = Field(default_factory=dict, description="Annotations.")
    uid: _Free | None = Field(default=None, description="Set by the API server.")
    generation: Int = Field(default=0, description="Set by the API server.")
    resource_version: Any = Field(default=None, description="Set by the API server.")
    creation_timestamp: Any = Field(default=None, description="Set by the API server.")
    deletion_timestamp: Any = Field(default=None, description="Set by the API server.")
    deletion_grace_period_seconds: Any = Field(default=None, description="Set by the API server.")
    generate_name: Any = Field(default=None, description="Used by the API server to make a name.")
    self_link: Any = Field(default=None, description="Set by old API servers.")
    finalizers: Any = Field(default=None, description="Set by controllers.")
    owner_references: Any = Field(default=None, description="Set by controllers.")
    managed_fields: Any = Field(default=None, description="Set by the API server.")
