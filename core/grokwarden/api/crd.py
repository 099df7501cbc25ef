"""The models' JSON schema, turned into the structural schema of a CustomResourceDefinition.

An API server accepts far less than pydantic says. What can be said differently is translated; a keyword that this
module does not know is an error that names its place, so that nothing an author relies on is dropped in silence.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pydantic import BaseModel

from grokwarden.api.metadata import GROUP, VERSION
from grokwarden.api.v1alpha1 import PolicyPack, ProviderTarget
from grokwarden.errors import GrokwardenError

Schema = dict[str, Any]

_COMMON: Final = frozenset({"type", "description", "default", "x-kubernetes-validations"})
_BY_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"enum", "pattern", "minLength", "maxLength", "format", "nullable"}),
    "integer": frozenset({"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
    "boolean": frozenset(),
    "array": frozenset({"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"}),
    "object": frozenset(
        {
            *("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
            "x-kubernetes-preserve-unknown-fields",
        }
    ),
}
_TRANSLATED: Final = frozenset({"$ref", "anyOf", "const", "title", "uniqueItems"})
_FORMATS: Final = frozenset({"int32", "int64", "date-time"})


class SchemaError(GrokwardenError):
    """A model says something that a structural schema can't, or that this generator does not know."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}; teach grokwarden.api.crd about it, or say it otherwise in the model")


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a resource's model, with ``metadata`` left to the API server."""
    document = model.model_json_schema(by_alias=True)
    properties = document["properties"]
    for name in ("apiVersion", "kind"):
        properties[name] = {"type": "string", "description": properties[name]["description"]}
    properties["metadata"] = {"type": "object"}
    document["required"] = ["spec"]
    return structural(document, document.pop("$defs", {}), model.__name__)


def structural(schema: Schema, definitions: Mapping[str, Schema], where: str) -> Schema:
    """A JSON schema of pydantic's as a structural one.

    Args:
        schema: What pydantic says of one place.
        definitions: What ``$ref`` refers to.
        where: The place, for the message.

    Raises:
        SchemaError: A keyword is unknown, or unknown for its type.
    """
    schema = _resolved(schema, definitions, where)
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _BY_TYPE:
        raise SchemaError(where, f"type {kind!r} has no place in a structural schema")
    result = {key: _member(key, value, kind, definitions, where) for key, value in _flat(schema, kind, where)}
    _check(result, where)
    return {key: result[key] for key in sorted(result, key=_place)}


def _place(keyword: str) -> tuple[bool, int, str]:
    """Where a keyword stands: what it is first, what is inside it last."""
    first, last = ("type", "description", "default", "enum"), ("x-kubernetes-validations", "properties", "items")
    if keyword in first:
        return (False, first.index(keyword) - len(first), keyword)
    return (True, last.index(keyword), keyword) if keyword in last else (False, 0, keyword)


def _resolved(schema: Schema, definitions: Mapping[str, Schema], where: str) -> Schema:
    """The schema with ``$ref`` and a null alternative resolved; what stands beside them wins."""
    schema = dict(schema)
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            inner = definitions[schema.pop("$ref").removeprefix("#/$defs/")]
        else:
            alternatives = [entry for entry in schema.pop("anyOf") if entry != {"type": "null"}]
            if len(alternatives) != 1:
                raise SchemaError(where, f"anyOf has {len(alternatives)} alternatives beside null")
            inner = alternatives[0]
        schema = {**inner, **schema}
    return schema


def _flat(schema: Schema, kind: str, where: str) -> Iterator[tuple[str, Any]]:
    """The keywords that stay, some under another name; unknown ones are an error."""
    for key, value in schema.items():
        if key not in _COMMON | _TRANSLATED | _BY_TYPE[kind]:
            raise SchemaError(where, f"unknown keyword {key!r} with type {kind}")
        if key == "const":
            yield "enum", [value]
        elif key in {"exclusiveMinimum", "exclusiveMaximum"}:
            yield key.replace("exclusiveM", "m"), value
            yield key, True
        elif key == "uniqueItems":
            yield from [("x-kubernetes-list-type", "set")] if value else []
        elif not _says_nothing(key, value):
            yield key, value


def _says_nothing(key: str, value: object) -> bool:
    """The keyword can be left out: a default that equals absence, or what every structural schema means anyway."""
    match key:
        case "title":
            return True
        case "default":
            return value in (None, [], "")
        case "additionalProperties":
            return value is False
        case _:
            return False


def _member(key: str, value: Any, kind: str, definitions: Mapping[str, Schema], where: str) -> Any:  # noqa: ANN401
    """The value of one keyword, with the schemas inside it translated."""
    if key == "properties":
        return {name: structural(entry, definitions, f"{where}.{name}") for name, entry in value.items()}
    if key == "items":
        return structural(value, definitions, f"{where}[]")
    if key == "additionalProperties":
        if not isinstance(value, dict):
            raise SchemaError(where, "additionalProperties is no schema")
        return structural(value, definitions, f"{where}.*")
    if key == "format" and value not in _FORMATS:
        raise SchemaError(where, f"unknown format {value!r} with type {kind}")
    return value


def _check(schema: Schema, where: str) -> None:
    """Refuse what an API server would refuse for what is missing or what stands together."""
    if schema["type"] == "array" and "items" not in schema:
        raise SchemaError(where, "an array without items")
    if "properties" in schema and "additionalProperties" in schema:
        raise SchemaError(where, "additionalProperties beside properties")
    members = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in members:
            raise SchemaError(where, f"required {name!r} is no property")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of ``kubectl get``."""

    name: str
    path: str
    type: str = "string"
    description: str
    priority: int = 0

    def as_column(self) -> Schema:
        """The entry of ``additionalPrinterColumns``."""
        column: Schema = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return {**column, "priority": self.priority} if self.priority else column


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a CustomResourceDefinition says beside its schema."""

    model: type[BaseModel]
    plural: str
    short_name: str
    columns: tuple[Column, ...]

    @property
    def kind(self) -> str:
        return self.model.__name__

    @property
    def name(self) -> str:
        """The object's name, which is also that of its file under ``crds/``."""
        return f"{self.plural}.{GROUP}"


def _condition(name: str, type_: str, description: str) -> Column:
    return Column(name=name, path=f'.status.conditions[?(@.type=="{type_}")].status', description=description)


_AGE: Final = Column(name="Age", path=".metadata.creationTimestamp", type="date", description="Time since creation.")

DEFINITIONS: Final = (
    Definition(
        model=PolicyPack,
        plural="policypacks",
        short_name="pp",
        columns=(
            Column(name="Mode", path=".spec.mode", description="Whether the pack acts or only records."),
            _condition("Programmed", "Programmed", "Whether every sidecar runs exactly this generation."),
            Column(name="Acked", path=".status.sidecars.acked", type="integer", description="Sidecars that run it."),
            Column(name="Desired", path=".status.sidecars.desired", type="integer", description="Pods it selects."),
            _AGE,
        ),
    ),
    Definition(
        model=ProviderTarget,
        plural="providertargets",
        short_name="pt",
        columns=(
            Column(name="Provider", path=".spec.provider", description="Who serves the model."),
            Column(name="Model", path=".spec.model", description="The model that replaces the call's own."),
            _condition("Secret", "SecretResolved", "Whether the key was found."),
            _AGE,
        ),
    ),
)


def custom_resource_definition(definition: Definition) -> Schema:
    """The whole CustomResourceDefinition, ready for an API server."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": structural_schema(definition.model)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.as_column() for column in definition.columns],
    }
    names = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.kind.lower(),
        "shortNames": [definition.short_name],
        "categories": ["grokwarden"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


class _Dumper(yaml.SafeDumper):
    """Repeats equal objects instead of referring to them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def crd_yaml(definition: Definition) -> str:
    """The CustomResourceDefinition as the text of its file."""
    header = "# Generated from grokwarden.api.v1alpha1 by `make generate`; do not edit.\n"
    dump: Callable[..., str] = yaml.dump
    return header + dump(
        custom_resource_definition(definition), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True
    )
