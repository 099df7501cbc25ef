"""The reference of a resource, as Markdown: one table per object, from the same structural schema as the CRD."""

import json
from collections.abc import Iterator
from typing import Any, Final

from grokwarden.api.crd import Definition, structural_schema
from grokwarden.api.metadata import API_VERSION, GROUP

Schema = dict[str, Any]

_BOUNDS: Final = (
    ("maxLength", "at most {} characters"),
    ("maxItems", "at most {} entries"),
    ("maxProperties", "at most {} entries"),
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("pattern", "matches `{}`"),
)


def reference_markdown(definition: Definition) -> str:
    """The page of one resource."""
    schema = structural_schema(definition.model)
    identity = (
        f"`apiVersion: {API_VERSION}`, `kind: {definition.kind}`; short name `{definition.short_name}`, "
        f"category `{GROUP.split('.', 1)[0]}`. Unknown fields are refused."
    )
    lines = [
        f"# {definition.kind}",
        "",
        "<!-- Generated from grokwarden.api.v1alpha1 by `make generate`; do not edit. -->",
        "",
        schema["description"],
        "",
        identity,
        "",
    ]
    for root in ("spec", "status"):
        for path, entry in _objects(root, schema["properties"][root]):
            lines += _section(path, entry)
    return "\n".join(lines).rstrip() + "\n"


def _objects(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object with named members, outer ones first, each with its path."""
    if schema["type"] == "array":
        yield from _objects(f"{path}[]", schema["items"])
    elif "properties" in schema:
        yield path, schema
        for name, member in schema["properties"].items():
            yield from _objects(f"{path}.{name}", member)


def _section(path: str, schema: Schema) -> Iterator[str]:
    yield f"## `{path}`"
    yield ""
    if "description" in schema:
        yield _cell(schema["description"])
        yield ""
    yield "| Field | Type | Default | Bounds | Description |"
    yield "|---|---|---|---|---|"
    required = schema.get("required", ())
    for name, member in schema["properties"].items():
        default = "**required**" if name in required else _default(member)
        row = (f"`{name}`", _type(member), default, _bounds(member), _cell(member.get("description", "")))
        yield f"| {' | '.join(row)} |"
    yield ""
    rules = [
        f"- `{entry['fieldPath'][1:]}` {entry['message']}." for entry in schema.get("x-kubernetes-validations", ())
    ]
    if rules:
        yield "Rules:"
        yield ""
        yield from rules
        yield ""


def _type(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_type(schema['additionalProperties'])}"
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return "object, free"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema["type"])


def _default(schema: Schema) -> str:
    if "default" not in schema or schema["default"] == {}:
        return ""
    value = schema["default"]
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _bounds(schema: Schema) -> str:
    entries = ["not empty"] if 1 in (schema.get("minLength"), schema.get("minItems")) else []
    entries += [phrase.format(_cell(str(schema[key]))) for key, phrase in _BOUNDS if key in schema]
    if schema["type"] == "array":
        entries += [f"each {entry}" for entry in [_bounds(schema["items"])] if entry and "enum" not in schema["items"]]
    return "; ".join(entries)


def _cell(text: str) -> str:
    """Text that can stand in a table's cell, also where it looks like a tag."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
