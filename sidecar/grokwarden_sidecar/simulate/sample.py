"""A value that conforms to a JSON schema, always the same one: arguments of tool calls and structured answers."""

from collections.abc import Mapping
from typing import Any, Final

from grokwarden_sidecar.simulate.errors import not_a_request
from grokwarden_sidecar.simulate.request import JsonSchema

_MAX_DEPTH: Final = 8
_BY_FORMAT: Final = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "6f1c1e9c-6f0e-4d0e-8c3e-0c4b2f7a9d11",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}
_BY_NAME: Final = {
    "city": "Paris",
    "location": "Paris",
    "country": "France",
    "name": "Ada",
    "email": "ada@example.com",
    "currency": "EUR",
    "language": "en",
    "date": "2026-01-31",
    "url": "https://example.com/",
    "path": "/tmp/example.txt",  # noqa: S108 - a word in an answer; no file is touched
}
_TEXT_NAMES: Final = frozenset({"query", "question", "text", "prompt", "input", "answer", "message", "content"})


def sample_of(schema: JsonSchema, *, text: str) -> object:
    """A value that the schema allows.

    ``default``, ``const``, ``examples`` and ``enum`` are taken where they are; strings follow ``format``, then the
    property's name; numbers take the lower bound. ``pattern``, ``not`` and conditions are not understood.

    Args:
        schema: A JSON schema as function parameters and ``response_format`` carry it; ``$ref`` within it works.
        text: What a property such as ``query`` or ``answer`` gets.

    Raises:
        ApiError: 422; a keyword has a value of the wrong type.
    """
    try:
        return _Sampler(schema, text).value(schema, name="", depth=0)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # the schema is the caller's, and unchecked
        raise not_a_request(f"a JSON schema can't be understood ({error})") from error


class _Sampler:
    def __init__(self, root: JsonSchema, text: str) -> None:
        self._root = root
        self._text = text

    def value(self, schema: Mapping[str, Any] | bool, *, name: str, depth: int) -> object:
        if isinstance(schema, bool) or depth > 4 * _MAX_DEPTH:
            return None
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        if (simpler := self._simpler(schema, depth)) is not None:
            return self.value(simpler, name=name, depth=depth + 1)
        return self._typed(schema, name, depth)

    def _simpler(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any] | None:
        """The schema with one reference, choice or conjunction resolved; ``None`` if there is none."""
        if "$ref" in schema:
            return self._referred(str(schema["$ref"]))
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return self._branch(branches, depth)
        if branches := schema.get("allOf"):
            return self._merged(schema, branches)
        return None

    def _typed(self, schema: Mapping[str, Any], name: str, depth: int) -> object:
        value: object = None
        match _type_of(schema):
            case "object":
                value = self._object(schema, depth)
            case "array":
                value = self._array(schema, name, depth)
            case "string":
                value = self._string(schema, name)
            case "integer":
                value = _number(schema, step=1)
            case "number":
                value = _number(schema, step=0.5)
            case "boolean":
                value = True
        return value

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            key: self.value(member, name=key, depth=depth + 1)
            for key, member in schema.get("properties", {}).items()
            if depth < _MAX_DEPTH or key in required
        }

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        count = max(schema.get("minItems", 0), 0 if depth >= _MAX_DEPTH else 1)
        count = min(count, schema.get("maxItems", count))
        return [self.value(schema.get("items", {}), name=name, depth=depth + 1) for _ in range(count)]

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        known = _BY_FORMAT.get(schema.get("format", "")) or _BY_NAME.get(name)
        value = known or (self._text if name in _TEXT_NAMES else f"sample {name}".strip().replace("_", " "))
        return value.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]

    def _branch(self, branches: list[Mapping[str, Any]], depth: int) -> Mapping[str, Any]:
        """The first branch that is not null; deep down the null one, so that recursive schemas end."""
        wants_null = depth >= _MAX_DEPTH
        return next((branch for branch in branches if (branch.get("type") == "null") is wants_null), branches[0])

    def _merged(self, schema: Mapping[str, Any], branches: list[Mapping[str, Any]]) -> dict[str, Any]:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for branch in branches:
            resolved = self._referred(str(branch["$ref"])) if "$ref" in branch else branch
            for key, value in resolved.items():
                merged[key] = merged.get(key, {}) | value if key == "properties" else value
        return merged

    def _referred(self, reference: str) -> Mapping[str, Any]:
        """The schema at ``#/…``; an empty one if there is none."""
        node: Any = self._root
        for key in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            node = node.get(key, {}) if isinstance(node, Mapping) else {}
        return node if isinstance(node, Mapping) else {}


def _type_of(schema: Mapping[str, Any]) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None and "properties" in schema:
        kind = "object"
    return kind


def _number(schema: Mapping[str, Any], *, step: float) -> float:
    """The lower bound, else the upper one if that is below one, else one; moved up to the next multiple."""
    lowest, above, highest = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    value: float = 1
    if lowest is not None:
        value = lowest
    elif above is not None:
        value = above + step
    elif highest is not None:
        value = min(1, highest)
    multiple = schema.get("multipleOf")
    return -(-value // multiple) * multiple if multiple else value
