"""What the fields of all resources have in common: the base model, bounded strings and lists, label selectors."""

import re
from collections.abc import Hashable, Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from grokwarden.api.quantities import DURATION_PATTERN, PRICE_PATTERN
from grokwarden.api.rules import Breach, Raw, Reason, Rule

LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OBJECT_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
SEMVER_PATTERN: Final = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
THRESHOLD_PATTERN: Final = r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"
LABEL_KEY_PATTERN: Final = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE_PATTERN: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

Bool = StrictBool
Int = StrictInt
Label = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=LABEL_PATTERN)]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=OBJECT_NAME_PATTERN)]
Semver = Annotated[str, StringConstraints(max_length=128, pattern=SEMVER_PATTERN)]
Duration = Annotated[str, StringConstraints(max_length=32, pattern=DURATION_PATTERN)]
Price = Annotated[str, StringConstraints(max_length=16, pattern=PRICE_PATTERN)]
Threshold = Annotated[str, StringConstraints(max_length=8, pattern=THRESHOLD_PATTERN)]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=316, pattern=LABEL_KEY_PATTERN)]
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=LABEL_VALUE_PATTERN)]

_Item = TypeVar("_Item", bound=Hashable)


def without_repeats(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """The items as they are; an error if one of them stands there twice."""
    for index, item in enumerate(items):
        if item in items[:index]:
            raise PydanticCustomError("repeated_item", "an entry is repeated", {"index": index})
    return items


ListSet = Annotated[
    tuple[_Item, ...], AfterValidator(without_repeats), Field(json_schema_extra={"x-kubernetes-list-type": "set"})
]
"""A list whose entries differ and whose order means nothing."""

ListAtomic = Annotated[tuple[_Item, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})]
"""A list whose order is meaning: it has one owner, and is replaced as a whole."""


class ApiModel(BaseModel):
    """An object of a resource: camelCase outside, immutable, and without room for unknown fields.

    ``RULES`` are checked by ``grokwarden.api.validation``, on the document, and by the API server; not by pydantic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, loc_by_alias=True)

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        """An explicit null is dropped and then defaulted, as the API server does it."""
        if not isinstance(value, dict):
            return value
        known = {field.alias for field in cls.model_fields.values()}
        return {key: member for key, member in value.items() if member is not None or key not in known}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        if cls.RULES:
            resolved = handler.resolve_ref_schema(schema)
            entries = [entry for rule in cls.RULES for entry in rule.as_validation()]
            resolved |= {"x-kubernetes-validations": entries} if entries else {}
        return schema


class LabelOperator(StrEnum):
    """How a key of the labels is compared with the values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _values_fit_operator(raw: Raw) -> Iterator[Breach]:
    operator, values = raw.get("operator"), raw.get("values")
    if operator in (LabelOperator.IN, LabelOperator.NOT_IN) and not values:
        yield Breach(path=("values",), message=f"is required with operator {operator}")
    if operator in (LabelOperator.EXISTS, LabelOperator.DOES_NOT_EXIST) and values:
        yield Breach(path=("values",), message=f"may not be given with operator {operator}")


class LabelExpression(ApiModel):
    """One condition on the labels."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="values",
            message="is required with operator In or NotIn, and may not be given with Exists or DoesNotExist",
            reason=Reason.INVALID,
            cel="(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            breaches=_values_fit_operator,
        ),
    )

    key: LabelKey = Field(description="The label's key.")
    operator: LabelOperator = Field(
        description="In and NotIn compare the label's value with values; Exists and DoesNotExist look at the key alone."
    )
    values: ListAtomic[LabelValue] = Field(
        default=(), max_length=32, description="The values to compare with, for In and NotIn."
    )


def _label_keys_are_valid(labels: dict[str, str]) -> dict[str, str]:
    for key in labels:
        if not re.fullmatch(LABEL_KEY_PATTERN, key):
            raise PydanticCustomError("label_key", "not a label key", {"key": key})
    return labels


_RequiredValue = Annotated[LabelValue, Field(json_schema_extra={"nullable": True})]
"""A label's value. The server drops a member that is null and may not be, here one of the conditions: so it may."""


class LabelSelector(ApiModel):
    """Selects by labels; every condition must hold, and an empty selector selects everything."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="matchLabels",
            message='a label has no value; write the value, or "" for the empty one',
            reason=Reason.INVALID,
            cel="!has(self.matchLabels) || self.matchLabels.all(key, type(self.matchLabels[key]) == string)",
            breaches=lambda _: (),  # the type of the values says it, and names the label
        ),
    )

    match_labels: Annotated[dict[str, _RequiredValue], AfterValidator(_label_keys_are_valid)] = Field(
        default_factory=dict,
        min_length=1,
        max_length=32,
        description="Labels that must be present with exactly these values.",
    )
    match_expressions: ListAtomic[LabelExpression] = Field(
        default=(), max_length=32, description="Further conditions; all of them must hold."
    )
