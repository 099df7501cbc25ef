"""Sample values: arguments and structured answers must conform, or a client's validation hides what is tested."""

import pytest

from grokwarden_sidecar.simulate.errors import ApiError
from grokwarden_sidecar.simulate.sample import sample_of

TREE = {"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "sample"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "minLength": 9}, "sample..."),
        ({"type": "string", "maxLength": 3}, "sam"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "number", "exclusiveMinimum": 0}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 3}, 3),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"type": "object", "properties": {"city": {"type": "string"}, "query": {"type": "string"}}},
         {"city": "Paris", "query": "the user's text"}),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer"}}}, 1),
        ({"$ref": "#/nowhere"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_sample_conforms_to_its_schema(schema, value):
    """Each keyword that strict schemas use, one by one."""
    assert sample_of(schema, text="the user's text") == value


@pytest.mark.parametrize(
    "schema", [{"type": "object", "properties": 1}, {"anyOf": 5}, {"type": "string", "minLength": "x"}]
)
def test_what_is_no_schema_is_refused(schema):
    """It comes from the application; a crash of the simulator would say nothing about its fault."""
    with pytest.raises(ApiError, match="JSON schema"):
        sample_of(schema, text="")


def test_a_recursive_schema_ends():
    """Linked data is common in structured answers; depth is bounded."""
    assert isinstance(sample_of(TREE, text=""), dict)


def test_a_reference_to_itself_ends():
    """Nonsense, but it comes from outside."""
    assert sample_of({"$ref": "#"}, text="") is None
