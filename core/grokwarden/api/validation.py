"""A document, as a model or as everything that is wrong with it, in the words and the spelling of its author.

This is the one place where pydantic's errors become ours. It knows one document at a time: what several say together,
and what a policy thinks of its parameters, is the compiler's business.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from grokwarden.api.chain import PolicyName
from grokwarden.api.expectations import BY_PATTERN, nearest, one_of, shown, type_phrase
from grokwarden.api.fields import ApiModel
from grokwarden.api.paths import format_path
from grokwarden.api.rules import Breach
from grokwarden.api.v1alpha1 import API_VERSION, KINDS, Resource
from grokwarden.errors import Problem
from grokwarden.resources import Document, FieldPath

_YAML_BOOLEANS: Final = frozenset({"true", "false"})
_WANTED_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_PHRASES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_too_long": "is too long: at most {max_length} characters",
    "too_long": "is too long: at most {max_length} entries",
    "string_too_short": "is too short: at least {min_length} character",
    "too_short": "is too short: at least {min_length} entry",
    "greater_than_equal": "is {value}; expected at least {ge}",
    "less_than_equal": "is {value}; expected at most {le}",
    "object_name": "is no name of an object; a dot needs a letter or digit on both sides",
}


def validated(document: Document, *, namespace: str | None = None) -> tuple[Resource | None, tuple[Problem, ...]]:
    """The document's resource, or ``None`` and every reason why it is none, in the order of the document's lines.

    ``namespace`` completes the name in the problems where the document gives no namespace.
    """
    head = tuple(_head_problems(document, namespace))
    if head:
        return None, head
    model = KINDS[document.content["kind"]]
    content = {key: value for key, value in document.content.items() if key != "status"}
    breaches = [*_broken_rules(model, content, ()), *_misread_keys(content, ())]
    resource: Resource | None = None
    try:
        resource = model.model_validate(content)
    except ValidationError as error:
        breaches = [*(_translated(details, model) for details in error.errors(include_url=False)), *breaches]
    problems = [problem_at(document, breach.path, breach.message, namespace=namespace) for breach in breaches]
    problems.sort(key=lambda problem: problem.line or 0)
    return (None if problems else resource), tuple(problems)


def problem_at(document: Document, path: FieldPath, message: str, *, namespace: str | None = None) -> Problem:
    """A problem of a document's field, with the place in its file."""
    return Problem(
        resource=resource_name(document, namespace=namespace),
        path=format_path(path),
        message=message,
        file=document.file,
        line=document.line_of(path),
    )


def resource_name(document: Document, *, namespace: str | None = None) -> str:
    """``PolicyPack shop/xai-gateway``, as far as the document says it."""
    kind, metadata = document.content.get("kind"), document.content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(kind, str) or not isinstance(name, str):
        return kind if isinstance(kind, str) else ""
    given = metadata.get("namespace") if isinstance(metadata, dict) else None
    own = given if isinstance(given, str) else namespace
    return f"{kind} {own}/{name}" if own else f"{kind} {name}"


def _head_problems(document: Document, namespace: str | None) -> Iterator[Problem]:
    """What is wrong with apiVersion and kind; without them nothing else can be judged."""
    for field, wanted in (("apiVersion", (API_VERSION,)), ("kind", tuple(KINDS))):
        value = document.content.get(field)
        if value is None:
            yield problem_at(document, (field,), f"is missing; expected {one_of(wanted)}", namespace=namespace)
        elif not isinstance(value, str) or value not in wanted:
            hint = nearest(value, wanted) if isinstance(value, str) and len(wanted) > 1 else ""
            message = f"is {shown(value)}; expected {one_of(wanted)}{hint}"
            yield problem_at(document, (field,), message, namespace=namespace)


def _broken_rules(model: type[ApiModel], raw: object, path: FieldPath) -> Iterator[Breach]:
    """Every rule that doesn't hold in an object and in the objects inside it."""
    if not isinstance(raw, Mapping):
        return
    for rule in model.RULES:
        for breach in rule.breaches(raw):
            yield Breach(path=(*path, *breach.path), message=breach.message)
    for field in model.model_fields.values():
        inner, member = _model_of(field.annotation), raw.get(field.alias)
        if inner is None:
            continue
        if isinstance(member, list):
            for index, entry in enumerate(member):
                yield from _broken_rules(inner, entry, (*path, field.alias or "", index))
        else:
            yield from _broken_rules(inner, member, (*path, field.alias or ""))


def _model_of(annotation: object) -> type[ApiModel] | None:
    """The model in a field's type: in ``tuple[ChainStep, ...]`` or ``SecretKeyRef | None``."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_of(part))), None)


def _misread_keys(content: Mapping[str, Any], path: FieldPath) -> Iterator[Breach]:
    """Keys of test bodies that YAML 1.1 has made of an unquoted ``n`` or ``y``."""
    spec = content.get("spec")
    tests = spec.get("tests") if isinstance(spec, dict) else None
    for index, test in enumerate(tests if isinstance(tests, list) else ()):
        request = test.get("request") if isinstance(test, dict) else None
        body = request.get("body") if isinstance(request, dict) else None
        yield from _misread_keys_in(body, (*path, "spec", "tests", index, "request", "body"))


def _misread_keys_in(value: object, path: FieldPath) -> Iterator[Breach]:
    if isinstance(value, dict):
        for key, member in value.items():
            name = str(key).lower() if isinstance(key, bool) else key
            if name in _YAML_BOOLEANS:
                message = f'the key "{name}" is what YAML 1.1 makes of an unquoted y, n, yes, no, on or off: quote it'
                yield Breach(path=(*path, name), message=message)
            yield from _misread_keys_in(member, (*path, str(name)))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _misread_keys_in(entry, (*path, index))


def _translated(details: ErrorDetails, model: type[ApiModel]) -> Breach:
    """One of pydantic's errors in our words. It never shows a value that could hold a key or a prompt."""
    path: FieldPath = tuple(step for step in details["loc"] if step != "[key]")
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return Breach(path=path, message=_unknown_field(str(path[-1]), _owner(model, path[:-1])))
    if kind == "repeated_item":
        return Breach(path=(*path, context["index"]), message="is repeated; each entry may stand here once")
    if kind == "label_key":
        return Breach(
            path=(*path, context["key"]), message="is no label key; expected one such as app or example.com/team"
        )
    return Breach(path=path, message=_refused_value(kind, value, context))


def _refused_value(kind: str, value: object, context: Mapping[str, Any]) -> str:
    if kind in _WANTED_TYPES:
        return _wrong_type(_WANTED_TYPES[kind], value)
    if kind in _PHRASES:
        return _PHRASES[kind].format(value=value, **context)
    if kind in {"enum", "literal_error"}:
        return _not_in_set(value, context["expected"])
    if kind == "string_pattern_mismatch":
        return _not_matching(value, context["pattern"])
    return f"is not usable: {kind.replace('_', ' ')}"


def _wrong_type(wanted: str, value: object) -> str:
    message = f"is {type_phrase(value)}; expected {wanted}"
    if wanted == "text" and isinstance(value, bool | int | float):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f'{message}: put it in quotes, "{text}"'
    if isinstance(value, str) and wanted in {"a whole number", "true or false"}:
        return f"{message}, without quotes"
    return message


def _not_in_set(value: object, expected: str) -> str:
    names = expected.replace(" or ", ", ").replace("'", "").split(", ")
    if not isinstance(value, str):
        return f"is {type_phrase(value)}; expected {one_of(names)}"
    if set(names) == set(PolicyName):
        return f"unknown policy {shown(value)}; the policies are {', '.join(names)}{nearest(value, names)}"
    return f"is {shown(value)}; expected {one_of(names)}{nearest(value, names)}"


def _not_matching(value: object, pattern: str) -> str:
    expectation = BY_PATTERN[pattern]
    subject = f"is {shown(value)}" if expectation.echoes else "is not usable"
    return f"{subject}; expected {expectation.phrase}{nearest(str(value), expectation.names)}"


def _unknown_field(name: str, owner: type[ApiModel] | None) -> str:
    known = [field.alias or "" for field in owner.model_fields.values()] if owner else []
    hint = nearest(name, known)
    return f"unknown field{hint}" if hint or not known else f"unknown field; the fields here are {', '.join(known)}"


def _owner(model: type[ApiModel], path: FieldPath) -> type[ApiModel] | None:
    """The model of the object at ``path``."""
    owner: type[ApiModel] | None = model
    for step in path:
        if isinstance(step, int) or owner is None:
            continue
        field: FieldInfo | None = next((f for f in owner.model_fields.values() if f.alias == step), None)
        owner = _model_of(field.annotation) if field else None
    return owner
