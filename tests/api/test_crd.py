"""The generated CRDs by what an API server is known to refuse, and the generator by what it must not swallow."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from grokwarden.api.chain import BLOCKS, PolicyName
from grokwarden.api.crd import DEFINITIONS, Definition, SchemaError, crd_yaml, structural_schema
from grokwarden.policies import POLICIES

Schema = dict[str, Any]
ALLOWED = {
    *("type", "description", "default", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "format"),
    *("minimum", "maximum", "minProperties", "maxProperties", "required", "properties", "items"),
    *("additionalProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
    *("x-kubernetes-preserve-unknown-fields", "nullable"),
}


def places(schema: Schema, where: str) -> Iterator[tuple[str, Schema]]:
    """Every schema inside a schema, with its path."""
    yield where, schema
    for name, member in schema.get("properties", {}).items():
        yield from places(member, f"{where}.{name}")
    if "items" in schema:
        yield from places(schema["items"], f"{where}[]")
    if "additionalProperties" in schema:
        yield from places(schema["additionalProperties"], f"{where}.*")


BY_KIND = {definition.kind: structural_schema(definition.model) for definition in DEFINITIONS}
PLACES = [(f"{kind}{where}", schema) for kind, whole in BY_KIND.items() for where, schema in places(whole, "")]
RULES = [(where, schema, rule) for where, schema in PLACES for rule in schema.get("x-kubernetes-validations", ())]


def at(kind: str, path: str) -> Schema:
    return dict(PLACES)[f"{kind}{path}"]


def test_every_keyword_is_allowed():
    """An API server refuses a CRD for a single keyword that it does not know."""
    assert [(where, set(schema) - ALLOWED) for where, schema in PLACES if set(schema) - ALLOWED] == []


def test_every_schema_is_structural():
    """One type each, arrays with items, and no free members beside named ones."""
    for where, schema in PLACES:
        assert isinstance(schema["type"], str), where
        assert schema["type"] != "array" or "items" in schema, where
        assert not ("properties" in schema and "additionalProperties" in schema), where
        assert set(schema.get("required", ())) <= set(schema.get("properties", {})), where


def test_every_list_map_and_string_is_bounded():
    """An unbounded list makes the cost of the rules above it unbounded, and the server refuses the CRD."""
    for where, schema in PLACES:
        if ".spec" not in where and ".status" not in where:
            continue
        match schema["type"]:
            case "array":
                assert {"maxItems", "x-kubernetes-list-type"} <= set(schema), where
            case "string":
                assert "maxLength" in schema or "enum" in schema or schema.get("format") == "date-time", where
            case "object":
                assert "additionalProperties" not in schema or "maxProperties" in schema, where


def test_every_field_is_explained():
    """`kubectl explain` shows these texts and nothing else."""
    unexplained = [where for where, schema in PLACES if len(schema.get("description", "")) < 5]
    scalars = {where for where, schema in PLACES if where.endswith(("[]", ".*")) and schema["type"] != "object"}
    assert set(unexplained) - scalars == {"PolicyPack.metadata", "ProviderTarget.metadata"}


def test_every_rule_names_an_existing_field_and_a_reason():
    """The server refuses a rule whose fieldPath leads nowhere."""
    for where, schema, rule in RULES:
        assert rule["fieldPath"].removeprefix(".") in schema["properties"], where
        assert rule["reason"].startswith("FieldValue"), where
        assert rule["message"], where


def test_every_rule_speaks_of_fields_that_exist():
    """A rule over a misspelt field does not compile at the server."""
    for where, schema, rule in RULES:
        for path in re.findall(r"self((?:\.[A-Za-z]+)+)(?!\w|\()", rule["rule"]):
            members = schema
            for name in path.removeprefix(".").split("."):
                assert name in members["properties"], (where, path)
                members = members["properties"][name]


def test_rules_ask_before_they_read_inside_a_default():
    """The server judges `default: {}` before it fills in what is inside, and refuses the CRD over an absent key."""
    for where, schema, rule in RULES:
        if schema.get("default") == {}:
            for name in re.findall(r"self\.(\w+)", rule["rule"]):
                assert f"has(self.{name})" in rule["rule"], (where, rule["rule"])


def test_defaults_satisfy_their_own_schema():
    """The server validates defaults when the CRD is applied."""
    for where, schema in PLACES:
        default = schema.get("default")
        if default is None:
            continue
        assert default in schema.get("enum", [default]), where
        assert re.fullmatch(schema.get("pattern", ".*"), str(default)), where
        if schema["type"] == "array":
            assert schema.get("minItems", 0) <= len(default) <= schema["maxItems"], where
            assert set(default) <= set(schema["items"]["enum"]), where
        if schema["type"] == "object":
            assert default == {}, where
            assert not schema.get("required"), where


def test_lists_whose_order_means_something_are_atomic():
    """A keyed list would let a second field manager interleave steps."""
    assert at("PolicyPack", ".spec.chain")["x-kubernetes-list-type"] == "atomic"
    assert at("PolicyPack", ".spec.routing.targets")["x-kubernetes-list-type"] == "atomic"


def test_tests_are_keyed_by_name():
    """Two teams can then each own their tests of one pack."""
    tests = at("PolicyPack", ".spec.tests")
    assert (tests["x-kubernetes-list-type"], tests["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    assert "name" in tests["items"]["required"]


def test_only_test_bodies_keep_unknown_fields():
    """Anywhere else a typo would be kept and never enforced."""
    keeping = [where for where, schema in PLACES if schema.get("x-kubernetes-preserve-unknown-fields")]
    assert keeping == ["PolicyPack.spec.tests[].request.body"]


def test_durations_follow_the_contract():
    """`format: duration` would take "1d" and "3 weeks"."""
    for field in ("connect", "firstByte", "streamIdle", "total"):
        assert at("ProviderTarget", f".spec.timeouts.{field}")["pattern"] == r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"


def test_bounds_of_the_contract():
    """The figures that the design names."""
    assert at("PolicyPack", ".spec.chain")["maxItems"] == 64
    assert at("PolicyPack", ".spec.tests")["maxItems"] == 200
    assert at("PolicyPack", ".spec.chain[].promptInjection.attackPatterns")["maxItems"] == 500
    assert at("PolicyPack", ".status.nacks")["maxItems"] == 10


def test_every_policy_that_is_built_is_in_the_schema_and_no_other():
    """A policy that is accepted and not enforced would be the worst of lies."""
    assert set(at("PolicyPack", ".spec.chain[].policy")["enum"]) == set(POLICIES) == set(PolicyName) == set(BLOCKS)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_the_text_is_the_object(definition: Definition):
    """No anchors, no tags, nothing that another YAML reader could read otherwise."""
    text = crd_yaml(definition)
    spec = yaml.safe_load(text)["spec"]
    assert "&id" not in text
    assert spec["names"]["shortNames"] == [definition.short_name]
    assert spec["names"]["categories"] == ["grokwarden"]
    assert spec["versions"][0]["subresources"] == {"status": {}}
    assert spec["versions"][0]["schema"]["openAPIV3Schema"] == structural_schema(definition.model)


def test_printer_columns():
    """What `kubectl get pp` and `kubectl get pt` show."""
    columns = {d.kind: [column.name for column in d.columns] for d in DEFINITIONS}
    assert columns == {
        "PolicyPack": ["Mode", "Programmed", "Acked", "Desired", "Age"],
        "ProviderTarget": ["Provider", "Model", "Secret", "Age"],
    }


def resource_with(annotation: Any, **field: Any) -> type[BaseModel]:
    """A resource whose spec has one field."""
    spec = type("Spec", (BaseModel,), {"__annotations__": {"value": annotation}, "value": Field(**field)})
    text = Field(default="", description="Text.")
    names = {"__annotations__": {"apiVersion": str, "kind": str, "spec": spec}, "apiVersion": text, "kind": text}
    return type("Thing", (BaseModel,), names)


@pytest.mark.parametrize(
    ("annotation", "field", "message"),
    [
        (str, {"examples": ["a"]}, "Thing.spec.value: unknown keyword 'examples'"),
        (str, {"json_schema_extra": {"contentMediaType": "text/x"}}, "unknown keyword 'contentMediaType'"),
        (str, {"deprecated": True}, "unknown keyword 'deprecated'"),
        (int, {"multiple_of": 2}, "unknown keyword 'multipleOf'"),
        (str, {"json_schema_extra": {"format": "duration"}}, "unknown format 'duration'"),
        (int | str, {}, "anyOf has 2 alternatives"),
        (float, {}, "type 'number'"),
        (Any, {}, "type None"),
        (tuple[int, str], {}, "unknown keyword 'prefixItems'"),
        (list[str] | None, {"json_schema_extra": {"maxLength": 3}}, "unknown keyword 'maxLength' with type array"),
        (dict[str, Any], {}, "additionalProperties"),
    ],
)
def test_what_the_generator_does_not_know_stops_it(annotation, field, message):
    """A bound that is dropped in silence is a bound that nobody enforces."""
    with pytest.raises(SchemaError) as caught:
        structural_schema(resource_with(annotation, **field))
    assert message in str(caught.value)
    assert "Thing.spec.value" in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "field", "expected"),
    [
        (Literal["a"], {}, {"type": "string", "enum": ["a"]}),
        (int, {"gt": 0}, {"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
        (str | None, {"default": None, "max_length": 3}, {"type": "string", "maxLength": 3}),
        (set[str], {}, {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
    ],
)
def test_what_can_be_said_otherwise_is_translated(annotation, field, expected):
    """Pydantic's words for what a structural schema says differently."""
    assert (
        structural_schema(resource_with(annotation, **field))["properties"]["spec"]["properties"]["value"] == expected
    )
